"""What people tell runs under way: cancel, pause, resume, retry, answers to waiting nodes.

Nothing here drives a run. Each call writes what is wanted, makes the run due and rings, in one transaction; a host does
the rest (`orchestration.host`). Lock order everywhere: the run's row first, then whatever else.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import models, transaction
from django.db.models import F
from django.db.models.functions import Now

from orchestration import tasks, wakeups
from orchestration.engine.signals import SignalKind
from orchestration.engine.statuses import RunStatus
from orchestration.models import Run, RunSignal
from orchestration.retention import unpacking
from orchestration.services import values
from portal.core import live
from portal.core.actors import Actor
from portal.core.errors import Conflict
from portal.core.services import audit

JSON = Any

_OPEN = frozenset(status for status in RunStatus if not status.ended)
_LEGAL: dict[SignalKind, frozenset[RunStatus]] = {
    SignalKind.CANCEL: _OPEN,
    SignalKind.PAUSE: _OPEN - {RunStatus.PAUSED},
    SignalKind.RESUME: frozenset({RunStatus.PAUSED}),
    SignalKind.RETRY: frozenset({RunStatus.FAILED, RunStatus.CANCELLED}),
}
_DONE_WORDS = {
    SignalKind.CANCEL: "cancelled",
    SignalKind.PAUSE: "paused",
    SignalKind.RESUME: "resumed",
    SignalKind.RETRY: "retried",
}


class RunStateConflict(Conflict):
    """What was asked is not possible in the state the run is in. `run_status` is that state."""

    def __init__(self, run: Run, wanted: str) -> None:
        super().__init__(f"This run is {run.status} and cannot be {wanted}.", code="run_state", state=run.status)
        self.run_status = run.status


def cancel_run(*, run: Run, actor: Actor, reason: str = "", undo: bool = False) -> Run:
    """End the run as soon as its work has been told to stop.

    One that no engine would end (none is alive, or it is in quarantine) has ended when this returns. undo: first undo
    what has succeeded and can be undone (`compensate_with`), which takes an engine: one in quarantine is released for
    it. Without it, a run that is undoing stops that.
    """
    from orchestration.services import ending  # it needs the whole engine, which starting a run does not

    _control(run, actor, SignalKind.CANCEL, reason, {"undo": True} if undo else None)
    if not undo:
        ending.end_if_unattended(run.pk)
    return Run.objects.select_related("organisation", "workflow", "version").get(pk=run.pk)


def pause_run(*, run: Run, actor: Actor, reason: str = "") -> Run:
    """Begin no new node; what is under way finishes."""
    return _control(run, actor, SignalKind.PAUSE, reason)


def resume_run(*, run: Run, actor: Actor, reason: str = "") -> Run:
    return _control(run, actor, SignalKind.RESUME, reason)


@transaction.atomic
def retry_run(*, run: Run, actor: Actor, reason: str = "") -> Run:
    """Go on with a failed or cancelled run from what was cut short, or release a run from quarantine."""
    locked = locked_run(run.pk)
    if locked.incident is None:
        return _control(run, actor, SignalKind.RETRY, reason)
    audit.record(
        organisation=locked.organisation,
        actor=actor,
        verb="orchestration.run.released",
        target=locked,
        before={"incident": locked.incident},
        after={"incident": None},
        data={"reason": reason},
    )
    _make_due(locked, claims=0, incident=None)
    return locked_run(run.pk)


@transaction.atomic
def _control(run: Run, actor: Actor, kind: SignalKind, reason: str, wish: JSON = None) -> Run:
    """Idempotent: while the same wish is still waiting to be carried out, asking again changes nothing."""
    locked = locked_run(run.pk)
    if RunStatus(locked.status) not in _LEGAL[kind]:
        raise RunStateConflict(locked, _DONE_WORDS[kind])
    if RunSignal.objects.filter(run=locked, kind=kind, applied_at=None).exists():
        return locked
    audit.record(
        organisation=locked.organisation,
        actor=actor,
        verb=f"orchestration.run.{kind}_requested",
        target=locked,
        before={"status": locked.status},
        data={"reason": reason, **(wish or {})},
    )
    released: dict[str, Any] = {"claims": 0, "incident": None} if wish else {}
    post_signal(run_id=locked.pk, kind=kind, by=actor.label, reason=reason, data=wish, **released)
    return locked_run(run.pk)


def signal_node(*, run_id: UUID, node: str, path: str = "", by: str, data: JSON) -> RunSignal:
    """Answer a waiting node run; `data` is what its type's `resume` is given. Call inside your transaction."""
    return post_signal(run_id=run_id, kind=SignalKind.NODE, node=node, path=path, by=by, data=data)


@transaction.atomic
def post_signal(
    *,
    run_id: UUID,
    kind: SignalKind,
    node: str = "",
    path: str = "",
    by: str = "",
    reason: str = "",
    data: JSON = None,
    ended_too: bool = False,
    **changes: Any,
) -> RunSignal:
    """Hand something to a run from outside. Locks the run's row; whoever drives it takes the signal in exactly once.

    Raises RunStateConflict when the run has ended, unless the signal is for those too (a retry; `ended_too`).
    """
    made = values.prepared(data)
    run = locked_run(run_id)
    if run.ended and kind is not SignalKind.RETRY and not ended_too:
        raise RunStateConflict(run, "told anything")
    if run.ended:
        unpacking.unpack_tree(run.pk)
    values.write(run.pk, run.organisation_id, made.values)
    signal = RunSignal.objects.create(
        run=run, kind=kind, node=node, path=path, by=by[:200], reason=reason[:500], data=made.kept
    )
    _make_due(run, signals_posted=F("signals_posted") + 1, **changes)
    return signal


def locked_run(run_id: UUID) -> Run:
    """Call in a transaction: whatever is checked of the run holds until it ends."""
    return (
        Run.objects.select_for_update(of=("self",)).select_related("organisation", "workflow", "version").get(pk=run_id)
    )


def _make_due(run: Run, **changes: Any) -> None:
    """Counting the signal under the row's lock is what keeps a driver from letting go over it (`store.LetGo`)."""
    due: dict[str, Any] = {"due_at": models.Case(models.When(due_at__lt=Now(), then="due_at"), default=Now())}
    Run.objects.filter(pk=run.pk).update(**due | changes)
    wakeups.ring(run.pk)
    tasks.ring_if_nobody_listens()
    tell(run)


def tell(run: Run) -> None:
    """Open pages that list runs."""
    live.hint(run.organisation_id, "runs", run=str(run.pk))
