"""The catalogue's filters by how agents did: what was measured decides, and what was never measured is left out."""

from datetime import timedelta
from decimal import Decimal

import pytest

from agents.measured import BOUNDS, known, meeting
from agents.usage import Figures


def figures(*, succeeded: int = 10, seconds: float = 1, usd: str = "0") -> Figures:
    return Figures(
        days=30,
        runs=10,
        succeeded=succeeded,
        average=timedelta(seconds=seconds) if succeeded else None,
        p95=None,
        average_cost_usd=Decimal(usd),
        total_cost_usd=None,
    )


FIGURES = {
    "sure": figures(),
    "shaky": figures(succeeded=8),
    "slow": figures(seconds=20),
    "dear": figures(usd="0.05"),
    "broken": figures(succeeded=0),
}


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ({"success": "99"}, {"sure", "slow", "dear"}),
        ({"success": "80"}, {"sure", "slow", "dear", "shaky"}),
        ({"time": "5"}, {"sure", "shaky", "dear"}),
        ({"cost": "0"}, {"sure", "shaky", "slow", "broken"}),
        ({"cost": "0.1", "time": "1", "success": "95"}, {"sure", "dear"}),
    ],
)
def test_every_bound_must_be_met(chosen: dict[str, str], found: set[str]) -> None:
    assert meeting(FIGURES, chosen) == found


def test_a_value_that_no_filter_has_filters_nothing() -> None:
    assert known("time", "5") == "5"
    assert known("time", "x") == "" and all("" not in bounds for bounds in BOUNDS.values())
