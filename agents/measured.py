"""Filters of the catalogue by how agents did: success, time and cost of the calls of the last 30 days.

Pure. An agent without a call that has ended lately has no figures, and no such filter lets it through: numbers come
from what happened, never from what was typed in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from agents.usage import Figures


@dataclass(frozen=True, slots=True)
class Bound:
    label: str
    meets: Callable[[Figures], bool]


def _fast(seconds: float) -> Callable[[Figures], bool]:
    return lambda figures: figures.average is not None and figures.average.total_seconds() <= seconds


def _cheap(usd: float) -> Callable[[Figures], bool]:
    return lambda figures: float(figures.average_cost_usd or 0) <= usd


def _sure(percent: float) -> Callable[[Figures], bool]:
    return lambda figures: (figures.success_rate or 0) >= percent


BOUNDS: dict[str, dict[str, Bound]] = {
    "success": {str(percent): Bound(f"at least {percent} %", _sure(percent)) for percent in (99, 95, 80)},
    "time": {str(seconds): Bound(f"up to {seconds} s", _fast(seconds)) for seconds in (1, 5, 30)},
    "cost": {
        "0": Bound("free", _cheap(0)),
        "0.01": Bound("up to $0.01", _cheap(0.01)),
        "0.1": Bound("up to $0.10", _cheap(0.1)),
    },
}
LABELS = {"success": "Success", "time": "Time", "cost": "Cost"}


def known(name: str, value: str) -> str:
    """The value if it is one of the filter's, else nothing: an address that is wrong filters nothing."""
    return value if value in BOUNDS[name] else ""


def meeting(figures: Mapping[str, Figures], chosen: Mapping[str, str]) -> set[str]:
    """Slugs whose figures meet every bound that is chosen: {"success": "95", "time": "", "cost": ""}."""
    bounds = [BOUNDS[name][value] for name, value in chosen.items() if value]
    return {slug for slug, measured in figures.items() if all(bound.meets(measured) for bound in bounds)}
