"""Who relies on what a workflow promises, and what a change of it does to each.

Those that follow the published version: triggers, workflows that run it, and programs that start it by API or command
line. What pins a version keeps it. Of what stands in a definition or a trigger it can be told what would go wrong;
of what is worked out when it happens only that it may.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Count, JSONField, Q
from django.db.models.functions import Cast

from agents.compatibility import Change
from orchestration.definition import promises
from orchestration.definition.contracts import WorkflowContract
from orchestration.definition.settings import holds_template
from orchestration.definition.validation import validate
from orchestration.models import Run, Trigger, Workflow, WorkflowVersion
from orchestration.queries.contracts import contracts
from orchestration.queries.interfaces import interface, interfaces
from orchestration.triggers import templates
from portal.core import clock

JSON = Any
DAYS = 30
"""So long a program counts as one that starts the workflow, after its last run."""
_PROGRAMS = {"api": "API", "cli": "Command line"}
_MOST_JUDGED = 50
"""Workflows whose definitions are checked against the new contract; of more only their names are told."""


@dataclass(frozen=True, slots=True)
class Dependant:
    """kind: trigger (`id` its id, `detail` its kind), workflow (`id` its slug), program (`id`: api or cli).

    `faults` will go wrong for certain; without any it may.
    """

    kind: str
    id: str
    name: str
    detail: str = ""
    faults: tuple[str, ...] = ()

    def as_json(self) -> dict[str, JSON]:
        return {
            "kind": self.kind,
            "id": self.id,
            "name": self.name,
            "detail": self.detail,
            "certain": bool(self.faults),
            "faults": list(self.faults),
        }


@dataclass(frozen=True, slots=True)
class Breaking:
    """What a new version takes back, and who relies on it, those first that break for certain."""

    changes: list[Change]
    dependants: list[Dependant] = field(default_factory=list)


def breaking(workflow: Workflow, body: Mapping[str, JSON], published: WorkflowVersion | None) -> Breaking | None:
    """What publishing `body` would break. None: nothing. No query if so; else three, and those of checking callers."""
    if published is None:
        return None
    found = [change for change in promises.changes(published.body, body) if change.breaking]
    if not found:
        return None
    rows = [*_triggers(workflow, published.body, body, found), *_workflows(workflow, body, found), *_programs(workflow)]
    return Breaking(found, sorted(rows, key=lambda row: not row.faults))


@dataclass(frozen=True, slots=True)
class Promised:
    """contract: "2.0". changes: against the version before, what breaks first."""

    contract: str
    changes: list[Change]

    @property
    def breaking(self) -> list[Change]:
        return [change for change in self.changes if change.breaking]


def promised(workflow: Workflow) -> dict[int, Promised]:
    """What each published version promises, by its number. One query, which reads inputs and outputs only."""
    rows = WorkflowVersion.objects.filter(workflow=workflow).order_by("number")
    found = list(rows.values_list("number", "definition__body__inputs", "definition__body__outputs"))
    made = [promises.promise(inputs, outputs) for _, inputs, outputs in found]
    names = promises.numbers(made)
    bodies: list[Mapping[str, JSON]] = [{"inputs": inputs, "outputs": outputs} for _, inputs, outputs in found]
    before: list[Mapping[str, JSON]] = [*bodies[:1], *bodies]
    return {
        number: Promised(name, promises.changes(old, new))
        for (number, *_), name, old, new in zip(found, names, before, bodies, strict=False)
    }


# Triggers


def _triggers(
    workflow: Workflow, old: Mapping[str, JSON], new: Mapping[str, JSON], found: Sequence[Change]
) -> Iterator[Dependant]:
    """Those that follow the published version, switched on or not."""
    for trigger in Trigger.objects.filter(workflow=workflow, version=None).order_by("name"):
        before = {str(fault) for fault in _trigger_faults(trigger, old)}
        faults = tuple(str(fault) for fault in _trigger_faults(trigger, new) if str(fault) not in before)
        if faults or _touched(trigger.inputs, found):
            yield Dependant("trigger", str(trigger.pk), trigger.name, trigger.get_kind_display(), faults)


def _trigger_faults(trigger: Trigger, body: Mapping[str, JSON]) -> list[Any]:
    return templates.faults(trigger.kind, trigger.inputs, body.get("inputs") or {"type": "object"})


def _touched(inputs: JSON, found: Sequence[Change]) -> bool:
    """Whether an expression gives what takes less now."""
    if not isinstance(inputs, Mapping):
        return False
    named = {_first(change.path) for change in found if change.side == "input"}
    return any(holds_template(value) for name, value in inputs.items() if name in named or "" in named)


def _first(path: str) -> str:
    """`order` of `$.order.lines[*].price`; empty for the whole."""
    return re.split(r"[.\[]", path.removeprefix("$").removeprefix("."), maxsplit=1)[0]


# Workflows that run it


def _workflows(workflow: Workflow, new: Mapping[str, JSON], found: Sequence[Change]) -> Iterator[Dependant]:
    callers = Workflow.objects.filter(organisation=workflow.organisation_id, archived_at=None).exclude(pk=workflow.pk)
    calls: JSON = [{"type": "subworkflow", "settings": {"workflow": workflow.slug}}]
    # definitions are kept as `json`, which keeps their order but cannot be searched
    callers = callers.annotate(body=Cast("published__definition__body", JSONField())).filter(
        body__nodes__contains=calls
    )
    rows = callers.select_related("organisation", "published__definition").defer("draft").order_by("name")
    for number, caller in enumerate(rows):
        body: Mapping[str, JSON] = caller.published.body  # type: ignore[union-attr]  # the filter asks for one
        nodes = [node for node in body["nodes"] if _follows(node, workflow.slug)]
        if not nodes:
            continue
        faults = _caller_faults(workflow, caller, body, new) if number < _MOST_JUDGED else ()
        if faults or number >= _MOST_JUDGED or any(_may_break(node, body, found) for node in nodes):
            names = ", ".join(str(node.get("name") or node["id"]) for node in nodes)
            yield Dependant("workflow", caller.slug, caller.name, names, faults)


def _follows(node: Mapping[str, JSON], slug: str) -> bool:
    settings = node.get("settings") or {}
    return node["type"] == "subworkflow" and settings.get("workflow") == slug and settings.get("version") is None


def _caller_faults(
    workflow: Workflow, caller: Workflow, body: Mapping[str, JSON], new: Mapping[str, JSON]
) -> tuple[str, ...]:
    """What checking the caller would find with the new version that it does not find today."""
    today = interfaces(workflow.organisation, body, caller.slug)
    if today is None:
        return ()
    agents, own = contracts(workflow.organisation, body), today.known[workflow.slug]
    tomorrow = replace(today, known={**today.known, workflow.slug: _with(own, new)})
    before = {problem for problem in validate(body, agents=agents, workflows=today) if problem.is_error}
    after = [problem for problem in validate(body, agents=agents, workflows=tomorrow) if problem.is_error]
    return tuple(problem.message for problem in after if problem not in before)


def _with(own: WorkflowContract, new: Mapping[str, JSON]) -> WorkflowContract:
    """As it would be known with `new` published."""
    current = (own.current or 0) + 1
    return replace(own, current=current, versions={**own.versions, current: interface(new)})


def _may_break(node: Mapping[str, JSON], body: Mapping[str, JSON], found: Sequence[Change]) -> bool:
    """An expression gives what takes less now, or the outputs are read as a whole."""
    if _touched((node.get("settings") or {}).get("inputs"), found):
        return True
    if not any(change.side == "output" for change in found):
        return False
    whole = re.compile(rf"\b{re.escape(node['id'])}\.outputs(?!\s*\.)|\bbranches\b")
    return any(whole.search(text) for text in _strings(body))


def _strings(value: JSON) -> Iterator[str]:
    match value:
        case str():
            yield value
        case Mapping():
            for item in value.values():
                yield from _strings(item)
        case list():
            for item in value:
                yield from _strings(item)


# Programs


def _programs(workflow: Workflow) -> Iterator[Dependant]:
    """Whatever has started it lately from outside of the portal: what it gives and reads is not known here."""
    since = clock.now() - timedelta(days=DAYS)
    rows = Run.objects.filter(workflow=workflow, kind="workflow", source__in=_PROGRAMS, created_at__gte=since)
    people = ArrayAgg("started_by__username", distinct=True, filter=Q(started_by__isnull=False))
    for row in rows.values("source").annotate(count=Count("id"), people=people).order_by("source"):
        names = sorted(row["people"] or [])
        who = f", by {', '.join(names[:5])}{' and others' if len(names) > 5 else ''}" if names else ""
        runs = f"{row['count']:,} run{'s' if row['count'] > 1 else ''} in the last {DAYS} days{who}"
        yield Dependant("program", row["source"], _PROGRAMS[row["source"]], runs)
