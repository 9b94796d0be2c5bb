"""The runs a run is linked to: the one that began it, the one it re-runs, and its own re-runs."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse

from orchestration.models import Run
from orchestration.queries.state import graph

MOST_RERUNS = 20


@dataclass(frozen=True, slots=True)
class Links:
    """Ready for the page; empty where there is none."""

    parent_url: str
    """Of a run that another one has begun: the step there."""
    parent_step: str
    """Its name."""
    origin_steps: str
    """Of a re-run: the names of the steps it began with."""
    reruns: tuple[Rerun, ...]


@dataclass(frozen=True, slots=True)
class Rerun:
    run: Run
    steps: str
    """The names of those it begins with."""


def links_of(run: Run, names: dict[str, str]) -> Links:
    """names: {node: its name}. One query, and the graph of the run above, which is kept in memory."""
    made = run.reruns.only("id", "status", "origin_node", "created_at").order_by("-created_at")[:MOST_RERUNS]
    return Links(
        parent_url=_parent_url(run),
        parent_step=_parent_step(run),
        origin_steps=_steps_named(run, names),
        reruns=tuple(Rerun(rerun, _steps_named(rerun, names)) for rerun in made),
    )


def _parent_url(run: Run) -> str:
    if run.parent_id is None:
        return ""
    address = reverse("runs:detail", args=[run.organisation.slug, run.parent_id])
    return f"{address}?{urlencode({'step': run.parent_node, 'path': run.parent_path})}#step"


def _parent_step(run: Run) -> str:
    if run.parent is None:
        return ""
    above = graph(run.parent.definition_id).nodes.get(run.parent_node)
    return above.name if above else run.parent_node


def _steps_named(made: Run, names: dict[str, str]) -> str:
    return ", ".join(f"“{names.get(node, node)}”" for node in made.origin_node.split(",") if node)
