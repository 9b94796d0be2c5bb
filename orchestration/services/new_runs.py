"""Writing a new run down: of a published version, or of a bare definition (a draft or an agent being tried).

The run's row, its audit entry and the ring for the hosts are one transaction; a host does the rest
(`orchestration.host`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from agents.contracts import Fault, data_faults
from agents.quick_check import surely_fits
from orchestration import tasks, wakeups
from orchestration.models import Definition, Run, Trigger, Workflow, WorkflowVersion
from orchestration.services import limits, values
from orchestration.services.runs import tell
from orchestration.values.encoding import Value
from portal.core import rows
from portal.core.actors import Actor
from portal.core.errors import Conflict, UserError
from portal.core.models import Organisation
from portal.core.services import audit

JSON = Any

LONGEST_KEY = 200
_ANY_OBJECT: dict[str, JSON] = {"type": "object"}


class InvalidInputs(UserError):
    """`problems`: [{"path": "$.rfp", "message": "is required"}], all of them."""

    def __init__(self, faults: list[Fault]) -> None:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        super().__init__(f"The inputs are not right: {faults[0]}{more}.", code="invalid_inputs")
        self.problems = [fault.as_json() for fault in faults]


class IdempotencyConflict(Conflict):
    """The key was used before, for another workflow or with other inputs."""

    def __init__(self, key: str, run: Run) -> None:
        super().__init__(
            f"The idempotency key {key!r} belongs to run {run.pk}, which is for something else. Use a new key.",
            code="idempotency_conflict",
        )
        self.run = run


class BadKey(UserError):
    status = 422

    def __init__(self) -> None:
        super().__init__(
            f"An idempotency key has {LONGEST_KEY} characters at most, and no character U+0000.",
            code="invalid_idempotency_key",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """What is to be run, and who starts it: a published version, or a bare definition (a draft or an agent being
    tried), which may be one of `workflow`."""

    organisation: Organisation
    actor: Actor
    inputs: dict[str, JSON]
    """{name: value}; defaults of the definition's top-level inputs are filled in."""
    version: WorkflowVersion | None = None
    """Brings its definition and its workflow."""
    definition: Definition | None = None
    workflow: Workflow | None = None
    name: str = ""
    """The workflow's if left out, or the definition's."""
    source: str = ""
    """cli, api, page, schedule, ...; the actor's channel if left out."""
    idempotency_key: str | None = None
    priority: int = 5
    kind: str = "workflow"
    trigger: Trigger | None = None

    @property
    def of(self) -> Workflow | None:
        return self.version.workflow if self.version is not None else self.workflow


def start_run(new: NewRun) -> Run:
    """Write a run down. The same key gives the same run, however many callers come at once.

    Raises InvalidInputs, IdempotencyConflict, BadKey, limits.TooManyRuns, values.TooLarge, values.NotJson.
    """
    known = by_key(new.organisation, new.idempotency_key)
    return insert(drafted(new)) if known is None else same_work(known, new)


@dataclass(frozen=True, slots=True)
class Draft:
    """A run that is due at once, not saved yet, and the large values of its inputs, to be written once it is."""

    new: NewRun
    run: Run
    values: list[Value] = field(default_factory=list, repr=False)

    def write_values(self) -> None:
        values.write(self.run.pk, self.run.organisation_id, self.values)


def drafted(new: NewRun) -> Draft:
    """Raises InvalidInputs, values.TooLarge, values.NotJson."""
    definition = new.version.definition if new.version is not None else new.definition
    if definition is None:
        raise ValueError("A run needs a version or a definition.")
    made = values.prepared(check_inputs(definition.body, new.inputs))
    run = Run(
        organisation=new.organisation,
        workflow=new.of,
        version=new.version,
        definition=definition,
        name=(new.name or (new.of.name if new.of else "") or definition.body.get("name", ""))[:200],
        kind=new.kind,
        source=new.source or new.actor.channel,
        started_by=new.actor.user,
        idempotency_key=new.idempotency_key or None,
        priority=new.priority,
        trigger=new.trigger,
        inputs=made.kept,
        nodes_total=nodes_total(definition.body),
        budget=(definition.body.get("settings") or {}).get("budget"),
        due_at=Now(),
    )
    return Draft(new, run, made.values)


def nodes_total(body: dict[str, JSON]) -> int:
    """Nodes of the normal flow, loops counted once: they add their iterations as they open."""
    undoers = {node.get("compensate_with") for node in body["nodes"]}
    return sum(1 for node in body["nodes"] if not node.get("parent") and node["id"] not in undoers)


def check_inputs(body: dict[str, JSON], inputs: dict[str, JSON]) -> dict[str, JSON]:
    """The inputs with defaults filled in. Raises InvalidInputs."""
    schema = body.get("inputs") or _ANY_OBJECT
    defaults = {key: raw["default"] for key, raw in schema.get("properties", {}).items() if "default" in raw}
    complete = {**defaults, **inputs}
    if not surely_fits(schema, complete) and (faults := data_faults(schema, complete)):
        raise InvalidInputs(faults)
    return complete


def insert(draft: Draft, **facts: JSON) -> Run:
    """Write the run down and ring. `facts` go into the audit entry. Raises IdempotencyConflict, limits.TooManyRuns."""
    run = draft.run
    try:
        with transaction.atomic():
            with rows.together():
                check_room = limits.room(run.organisation)
                fill = rows.insert(run)
                _audit_start(run, draft.new.actor, facts)
                draft.write_values()
                wakeups.ring(run.pk)
            check_room()
            transaction.on_commit(tasks.ring_if_nobody_listens, robust=True)
            tell(run)
    except IntegrityError:
        known = by_key(run.organisation, run.idempotency_key)  # another caller with the same key was first
        if known is None:
            raise
        return same_work(known, draft.new)
    fill()
    return run


def _audit_start(run: Run, actor: Actor, facts: dict[str, JSON]) -> None:
    data = {"workflow": run.workflow.slug if run.workflow else None, "source": run.source, "kind": run.kind, **facts}
    audit.record(organisation=run.organisation, actor=actor, verb="orchestration.run.started", target=run, data=data)


def by_key(organisation: Organisation, key: str | None) -> Run | None:
    """The run that was started with this key; None without a key, or if there is none. Raises BadKey."""
    if not key:
        return None
    if len(key) > LONGEST_KEY or "\0" in key:
        raise BadKey
    return Run.objects.select_related("definition").filter(organisation=organisation, idempotency_key=key).first()


def same_work(known: Run, new: NewRun) -> Run:
    """The run that is known by a key, if this is the same request again. Raises IdempotencyConflict.

    A version published in between is no other thing: whoever repeats a request wants the run of the first. So the
    inputs are taken as that run's version takes them, and a bare list of tasks must be the same.
    """
    same = known.kind == new.kind and known.workflow_id == (new.of.pk if new.of else None)
    if same and new.of is None and new.definition is not None and new.kind == "workflow":
        same = known.definition_id == new.definition.pk
    if not same or not _same_inputs(known, new.inputs):
        raise IdempotencyConflict(known.idempotency_key or "", known)
    return known


def _same_inputs(known: Run, inputs: dict[str, JSON]) -> bool:
    try:
        kept: JSON = values.prepared(check_inputs(known.definition.body, inputs)).kept
    except UserError:
        return False
    return bool(kept == known.inputs)
