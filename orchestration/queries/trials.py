"""What the page for trying an agent shows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import JSONField
from django.db.models.functions import Cast
from django.template.defaultfilters import filesizeformat

from agents.models import Agent
from orchestration import live
from orchestration.engine.statuses import RunStatus
from orchestration.models import NodeRun, Run
from orchestration.monitoring import history, large
from orchestration.services.trials import KIND, NODE
from orchestration.values.references import is_reference
from portal.core import clock
from portal.core.models import Organisation, User

JSON = Any
_LONG = 160


@dataclass(frozen=True, slots=True)
class Output:
    """One value of the answer; `markdown` when it is text to be read as such."""

    name: str
    value: JSON
    markdown: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One try of an agent, ready for the agent's page."""

    run: Run
    node: NodeRun | None
    ended: bool
    took: timedelta | None
    error: dict[str, JSON] | None
    outputs: list[Output]
    partial: str
    """What has been streamed so far, while it is under way."""
    node_id: str = NODE

    @property
    def measured_tokens(self) -> bool:
        return bool(self.run.input_tokens or self.run.output_tokens)

    @property
    def streamed(self) -> int:
        """Where the text ends, in UTF-16 units: what browsers count in."""
        return len(self.partial.encode("utf-16-le")) // 2


def trial(run: Run) -> Trial:
    """One query, and one look into Redis while the run is under way."""
    node = history.of(run).node_run(NODE, "")
    ended = RunStatus(run.status).ended
    return Trial(
        run=run,
        node=node,
        ended=ended,
        took=(run.ended_at or clock.now()) - run.started_at if run.started_at else None,
        error=(node.error if node and node.error else None) or run.error,
        outputs=_outputs(large.readable(run, (run.outputs or {}).get("outputs"))),
        partial="" if ended else live.partial_text(run.pk, NODE),
    )


def _outputs(answer: JSON) -> list[Output]:
    if not isinstance(answer, dict):
        return []
    return [Output(name, value, _reads_as_text(value)) for name, value in answer.items()]


def _reads_as_text(value: JSON) -> bool:
    return isinstance(value, str) and (len(value) > _LONG or "\n" in value)


def is_trial_of(run: Run, agent: Agent) -> bool:
    """Costs a query for the definition."""
    return run.kind == KIND and run.definition.body["nodes"][0]["settings"]["agent"] == agent.slug


@dataclass(frozen=True, slots=True)
class Earlier:
    run: Run
    summary: str
    """The inputs in one line."""


def trials_of(organisation: Organisation, agent: Agent, user: User, limit: int) -> list[Earlier]:
    """The user's own, newest first. One query."""
    mine = Run.objects.filter(organisation=organisation, kind=KIND, started_by=user)
    # Definitions are kept as `json`, which keeps their order but cannot be searched.
    mine = mine.annotate(body=Cast("definition__body", JSONField()))
    rows = mine.filter(body__nodes__0__settings__agent=agent.slug).order_by("-created_at")[:limit]
    return [Earlier(run, " · ".join(f"{name}: {_short(value)}" for name, value in run.inputs.items())) for run in rows]


def _short(value: JSON) -> str:
    if is_reference(value):
        return f"({filesizeformat(value['bytes'])})"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"{text[:80]}…" if len(text) > 80 else text
