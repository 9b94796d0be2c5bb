"""What every request to a live run shares: the first one counts, the engine may refuse, an audit entry tells of it."""

from __future__ import annotations

from typing import Any

from orchestration.engine.signals import Signal, SignalKind, refusal_of
from orchestration.engine.states import RunState
from orchestration.engine.statuses import RunStatus
from orchestration.models import Run, RunSignal
from orchestration.services import values
from orchestration.services.runs import RunStateConflict
from orchestration.services.steering.refusals import AskedAlready, StepConflict
from portal.core.actors import Actor
from portal.core.services import audit

JSON = Any
_OF_STEPS = (SignalKind.SKIP, SignalKind.OVERRIDE, SignalKind.RETRY)


def be_first(run: Run, **which: Any) -> None:
    """Lock order: the run's row is locked already, so nobody posts one meanwhile."""
    wanted = RunSignal.objects.filter(run=run, applied_at=None, **which)
    if "node" in which:
        wanted = wanted.filter(kind__in=_OF_STEPS)
    if first := wanted.first():
        raise AskedAlready(run, first)


def raise_refusal(run: Run, state: RunState, signal: Signal) -> None:
    if refusal := refusal_of(state, signal):
        if RunStatus(run.status).ended and signal.kind is SignalKind.VARIABLES:
            raise RunStateConflict(run, "changed")
        raise StepConflict(run, refusal)


def record(run: Run, actor: Actor, verb: str, *, before: JSON, after: JSON, data: JSON) -> None:
    """`before` as the run has it, `after` as it was asked for; what is large in it stands in the ledger by its digest.

    Raises values.TooLarge, values.NotJson.
    """
    kept = None if after is None else values.prepared(after).kept
    audit.record(
        organisation=run.organisation, actor=actor, verb=verb, target=run, before=before, after=kept, data=data
    )
