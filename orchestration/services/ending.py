"""Ending a cancelled run that no engine will end: none is alive, or the run is in quarantine.

A cancel is a signal, and a host takes it in within milliseconds. But a run must not stay "running" because there is no
host, or because each of them has failed at it. So whoever asks (and a job each minute, for runs whose host hung) ends
it here, in one transaction: the run is claimed like a host would, so an older holder's token is void, the same pure
core says what follows, and the same statement writes it. A run that cannot even be folded is ended by its rows alone;
whoever waits for it, or is waited for, is told all the same.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Max
from django.db.models.functions import Now

from orchestration import wakeups
from orchestration.driving.turn import Turn
from orchestration.engine.commands import Record, StopNode
from orchestration.engine.events import NodeCancelled, RunCancelled, RunStarted
from orchestration.engine.ids import path_of
from orchestration.engine.planner import abandon, plan
from orchestration.engine.signals import Signal, SignalKind, interpret
from orchestration.engine.statuses import NodeStatus, RunStatus
from orchestration.models import EngineHost, NodeRun, Run, RunEvent, RunSignal
from orchestration.nodes.base import RunFacts, node_types
from orchestration.nodes.commit_hooks import hooks_of
from orchestration.queries.state import folded
from orchestration.store.checkpoints import LetGo
from orchestration.store.leases import Lease
from orchestration.store.writer import commit_on
from portal.core import clock, live

log = structlog.get_logger(__name__)

JSON = Any
AT_ONCE = 100
IN_VAIN = timedelta(minutes=10)
"""So long a run waits for hosts of a newer version; one that was there would have taken it within seconds."""


class NeedsAnEngine(Exception):
    """Something is still to be done for it that only a host can do."""


def end_cancelled() -> int:
    """The job: end every run that is to be cancelled and that no engine will end. Says how many."""
    asked = RunSignal.objects.filter(kind=SignalKind.CANCEL, applied_at=None).values("run")
    waiting = Run.objects.unfinished().filter(pk__in=asked).values_list("pk", flat=True)[:AT_ONCE]
    return sum(end_if_unattended(run) for run in waiting)


def end_if_unattended(run_id: UUID) -> bool:
    """End the run if it is to be cancelled and nobody will do it. Locks its row; False if it is in good hands."""
    with transaction.atomic():
        run = Run.objects.select_for_update(of=("self",)).select_related("workflow", "definition").get(pk=run_id)
        cancels = RunSignal.objects.filter(run=run, kind=SignalKind.CANCEL, applied_at=None)
        if run.ended or not cancels.exists() or _in_good_hands(run):
            return False
        try:
            with transaction.atomic():
                _end(run, _claim(run))
        except NeedsAnEngine:
            _hand_over(run)
            return False
        except Exception as error:  # noqa: BLE001  whatever the engine fails at, a cancelled run ends
            log.error("a cancelled run is ended by its rows alone", run=str(run_id), error=str(error))
            _end_by_force(run, cancels.order_by("id").first())
    live.hint(run.organisation_id, "runs", run=str(run_id))
    return True


def _in_good_hands(run: Run) -> bool:
    """A host has it, or will take it within moments, or as soon as an update of the hosts has come that far."""
    if run.incident is not None:
        return False
    if run.host_id is None and run.too_new and _since(run.too_new) > IN_VAIN:
        return False  # the update was taken back
    stale = Now() - timedelta(seconds=settings.ENGINE_HEARTBEAT_STALE_SECONDS)
    alive = EngineHost.objects.filter(ended_at=None, heartbeat_at__gte=stale)
    held = Run.objects.filter(pk=run.pk, lease_expires_at__gt=Now(), host__in=alive)
    return held.exists() or alive.filter(draining=False).exists()


def _since(too_new: dict[str, JSON]) -> timedelta:
    return clock.database_now() - datetime.fromisoformat(too_new["at"])


def _hand_over(run: Run) -> None:
    """Out of quarantine: an engine is to end it, and what is to be cancelled begins nothing that could kill one."""
    Run.objects.filter(pk=run.pk).update(claims=0, incident=None, due_at=Now())
    wakeups.ring(run.pk)


def _claim(run: Run) -> Lease:
    """As a host of its own that has ended already: nobody looks after it, and every older token is void."""
    host = EngineHost.objects.create(
        hostname=f"{socket.gethostname()} (no engine)"[:200], pid=os.getpid(), ended_at=Now(), draining=True
    )
    # its cancel has been asked for, so what made it an incident is over
    Run.objects.filter(pk=run.pk).update(
        host=host, lease_token=F("lease_token") + 1, lease_expires_at=Now(), claims=0, incident=None, due_at=None
    )
    run.refresh_from_db(fields=["host", "lease_token", "claims", "incident", "due_at", "lease_expires_at"])
    return Lease(
        run_id=run.pk,
        token=run.lease_token,
        last_seq=run.last_seq,
        signals_posted=run.signals_posted,
        organisation_id=run.organisation_id,
        workflow_id=run.workflow_id,
        started_by_id=run.started_by_id,
        priority=run.priority,
        definition=run.definition_id,
        inputs=run.inputs,
        nodes_total=run.nodes_total,
        nodes_ended=run.nodes_ended,
        claims=run.claims,
        beginning=run.beginning if run.last_seq == 0 else None,
        parent_id=run.parent_id,
        depth=run.depth,
        workflow_slug=run.workflow.slug if run.workflow else "",
        steps_at_work=None,
        at=clock.database_now(),
    )


def _end(run: Run, lease: Lease) -> None:
    """Raises NeedsAnEngine, and whatever the engine fails with."""
    turn, now = Turn(lease, folded(run).state), lease.at
    if turn.state.seq == 0:
        turn.apply([RunStarted(at=now, inputs=lease.inputs, **(lease.beginning or {}))])
    else:
        turn.apply(abandon(turn.state, now))
    for signal in _open_signals(run):
        turn.apply(interpret(turn.state, signal, now))
        turn.signals.append(signal.id)
    while commands := plan(turn.state, now):
        for command in commands:
            match command:
                case Record(event):
                    turn.apply([event])
                case StopNode(node, path, reason):
                    turn.apply([NodeCancelled(at=now, node=node, path=path, reason=reason)])
                case _:
                    raise NeedsAnEngine
    if not turn.state.status.ended:
        raise NeedsAnEngine
    checkpoint = turn.checkpoint(lease.facts, LetGo(due_at=None, seen=run.signals_posted))
    connection.ensure_connection()
    if not commit_on(connection.connection, checkpoint, int(run.host_id or 0)):
        raise RuntimeError("The run's row does not fit its events.")


def _open_signals(run: Run) -> Iterator[Signal]:
    """The cancel first: what was asked besides can change nothing any more, and the history says so."""
    rows = RunSignal.objects.filter(run=run, applied_at=None).order_by("id")
    for row in sorted(rows, key=lambda row: row.kind != SignalKind.CANCEL):
        yield Signal(
            row.pk,
            SignalKind(row.kind),
            row.posted_at,
            by=row.by,
            reason=row.reason,
            node=row.node,
            path=path_of(row.path),
            data=row.data,
        )


def _end_by_force(run: Run, cancel: RunSignal | None) -> None:
    """What the rows say is under way is cancelled, and the log gets its last event."""
    now = clock.database_now()
    under_way = NodeRun.objects.filter(
        run=run, status__in=[NodeStatus.RUNNING, NodeStatus.WAITING, NodeStatus.RETRYING]
    )
    cut_short = list(under_way.values_list("type", "node", "path"))
    under_way.update(status=NodeStatus.CANCELLED, ended_at=now, waiting=None)
    RunSignal.objects.filter(run=run, applied_at=None).update(applied_at=now)
    reason = cancel.reason if cancel else ""
    last = RunEvent.objects.filter(run=run).aggregate(last=Max("seq"))["last"] or 0
    seq = max(last, run.last_seq) + 1  # rows that contradict each other must not keep it from ending
    RunEvent.objects.create(run=run, seq=seq, at=now, type="RunCancelled", data={"reason": reason} if reason else {})
    Run.objects.filter(pk=run.pk).update(
        status=RunStatus.CANCELLED,
        ended_at=now,
        last_seq=seq,
        host=None,
        lease_token=F("lease_token") + 1,
        lease_expires_at=None,
        due_at=None,
        incident=None,
    )
    _tell_others(run, cut_short, now, reason)


def _tell_others(run: Run, cut_short: list[tuple[str, str, str]], now: datetime, reason: str) -> None:
    """What a host's commit of the same events would bring along: requests withdrawn, children cancelled, the parent
    told. cut_short: (type, node, path). One that fails must not keep the run from its end.
    """
    facts = RunFacts(
        id=run.pk,
        organisation_id=run.organisation_id,
        workflow_slug=run.workflow.slug if run.workflow else "",
        started_by_id=run.started_by_id,
        priority=run.priority,
        parent_id=run.parent_id,
        depth=run.depth,
    )
    ended = RunCancelled(at=now, reason=reason)
    stopped = [
        (kind, NodeCancelled(at=now, node=node, path=path_of(path), reason="cancelled"))
        for kind, node, path in cut_short
    ]
    told: list[tuple[Any, Any]] = [
        (node_types()[kind].in_commit, [event]) for kind, event in stopped if kind in node_types()
    ]
    told += [(found.hook, events) for found, events in hooks_of(facts, [*(one for _, one in stopped), ended]).items()]
    for tell, events in told:
        try:
            with transaction.atomic():
                tell(connection.connection, facts, events)
        except Exception as error:  # noqa: BLE001  as above
            log.error("not told of a run that was ended by its rows", run=str(run.pk), error=str(error))
