"""Runs within runs, as rows. Everything here happens inside the commit of an event of the parent or of the child.

    parent waits for a subworkflow         the child's row appears, due at once            `begin`
    child has ended                        the parent's waiting node is told, once         `tell_parent`
    parent waits no longer                 its unended children are cancelled              `cancel`
    parent begins to undo                  it is told which of its children have ended     `tell_of_ended`
    parent's undoing is stopped            that of its children too                        `stop`
    parent is paused, resumed              so are its children                             `pass_on`

Costs. A run's row sums what its own nodes and its children have cost. `passed_on` is what of it the parent's row has
been given, so each end hands up what is new since, also when the child is retried or ends after its parent.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from orchestration.engine.ids import path_text
from orchestration.engine.signals import SignalKind
from orchestration.store.posting import ENDED, post, ring
from portal.core.actors import Actor

if TYPE_CHECKING:
    import psycopg

    from orchestration.engine.ids import Path
    from orchestration.nodes.base import RunFacts

JSON = Any

_OF_PARENT = """
SELECT status, budget, cost_usd, input_tokens + output_tokens FROM orchestration_run WHERE id = %s
"""
_STATUS = "SELECT status, outputs FROM orchestration_run WHERE id = %s FOR NO KEY UPDATE"
_UNENDED = """
SELECT id, status FROM orchestration_run
WHERE parent_id = %(parent)s AND NOT status = ANY(%(ended)s)
  AND (%(node)s::text IS NULL OR (parent_node = %(node)s AND parent_path = %(path)s))
ORDER BY id FOR NO KEY UPDATE
"""
_IS_ASKED = """
SELECT EXISTS (SELECT 1 FROM orchestration_runsignal WHERE run_id = %s AND kind = %s AND applied_at IS NULL)
"""
_CANCELLED = """
SELECT data -> 'undo' = 'true'::jsonb FROM orchestration_runevent WHERE run_id = %s AND type = 'RunCancelRequested'
ORDER BY seq DESC LIMIT 1
"""
_WAITS_FOR = """
SELECT EXISTS (SELECT 1 FROM orchestration_noderun
               WHERE run_id = %s AND node = %s AND path = %s AND status = 'waiting'
                 AND waiting ->> 'reason' = 'subworkflow' AND attempts = %s)
"""
_PLACE = "SELECT parent_id, parent_node, parent_path, parent_attempt FROM orchestration_run WHERE id = %s"
_LOCK = "SELECT status FROM orchestration_run WHERE id = %s FOR NO KEY UPDATE"
_WAITED_FOR = """
SELECT EXISTS (SELECT 1 FROM orchestration_runevent WHERE run_id = %s AND type = 'CompensationStarted'
               AND data -> 'below' ? %s)
"""
_TRIES_AGAIN = """
SELECT EXISTS (SELECT 1 FROM orchestration_noderun
               WHERE run_id = %s AND node = %s AND path = %s AND status = 'retrying' AND attempts = %s)
"""
_ENDED = "SELECT id, status, error FROM orchestration_run WHERE id = ANY(%s) AND status = ANY(%s) ORDER BY id"
_NEW_COSTS = """
SELECT parent_id, parent_node, parent_path, status = ANY(%(ended)s), passed_on, cost_usd, input_tokens, output_tokens
FROM orchestration_run WHERE id = %(run)s FOR NO KEY UPDATE
"""
_PASSED_ON = "UPDATE orchestration_run SET passed_on = %s WHERE id = %s"
_ADD_TO_RUN = """
UPDATE orchestration_run SET cost_usd = cost_usd + %(cost_usd)s, input_tokens = input_tokens + %(input_tokens)s,
    output_tokens = output_tokens + %(output_tokens)s WHERE id = %(run)s
"""
_ADD_TO_NODE = """
UPDATE orchestration_noderun SET cost_usd = COALESCE(cost_usd, 0) + %(cost_usd)s,
    input_tokens = COALESCE(input_tokens, 0) + %(input_tokens)s,
    output_tokens = COALESCE(output_tokens, 0) + %(output_tokens)s
WHERE run_id = %(run)s AND node = %(node)s AND path = %(path)s
"""


def begin(
    connection: psycopg.Connection[Any], parent: RunFacts, *, node: str, path: Path, attempt: int, data: JSON
) -> None:
    """Write the child's row and make it due; `data` is what the node's wait carries (`nodes.subworkflow`).

    The id says which attempt it is for, so a second call changes nothing.
    """
    status, budget, cost, tokens = _row(connection, _OF_PARENT, [parent.id])
    row = {
        "id": data["run"],
        "organisation_id": parent.organisation_id,
        "workflow_id": data["workflow_id"],
        "version_id": data["version_id"],
        "definition_id": data["definition"],
        "name": data["name"][:200],
        "source": "run",
        "started_by_id": parent.started_by_id,
        "priority": parent.priority,
        "inputs": data["inputs"],
        "nodes_total": data["nodes_total"],
        "parent_id": parent.id,
        "parent_node": node,
        "parent_path": path_text(path),
        "parent_attempt": attempt,
        "depth": parent.depth + 1,
        "budget": least_budget(data["budget"], budget, cost, tokens),
    }
    if not _insert(connection, row):
        return
    _audit(connection, parent, data, node, path)
    ring(connection, data["run"])
    if status == "paused":
        post(connection, data["run"], SignalKind.PAUSE, reason="The run above it is paused.")


def _audit(connection: psycopg.Connection[Any], parent: RunFacts, data: JSON, node: str, path: Path) -> None:
    from portal.core.services import audit  # models: not before the apps are loaded

    facts = {"workflow": data["workflow"], "source": "run", "kind": "workflow"}
    audit.enter(
        connection,
        organisation_id=parent.organisation_id,
        actor=Actor.engine(),
        verb="orchestration.run.started",
        target_type="orchestration.run",
        target_id=data["run"],
        target_label=data["name"],
        data={**facts, "parent": str(parent.id), "node": node, "path": path_text(path)},
    )


def begin_again(connection: psycopg.Connection[Any], parent: RunFacts, *, node: str, path: Path, child: UUID) -> None:
    """The parent is retried and waits for the child of its earlier life: that goes on from what failed, or has
    completed since.
    """
    status, outputs = _row(connection, _STATUS, [child])
    if status in ("failed", "cancelled"):
        post(connection, child, SignalKind.RETRY, reason="The run above it was retried.")
    elif status == "completed":
        told = {"run": str(child), "status": status, "outputs": outputs}
        post(connection, parent.id, SignalKind.NODE, node=node, path=path_text(path), data=told)


def tell_parent(
    connection: psycopg.Connection[Any], child: UUID, status: str, *, outputs: JSON = None, error: JSON = None
) -> None:
    """Hand the child's costs up, and wake the node that waits for it. One that waits no longer is left alone.

    Large values among the outputs stay references; the parent's driver names them as it takes the signal in.
    """
    parent, node, path, attempt = _row(connection, _PLACE, [child])
    if parent is None:  # it has been deleted
        return
    (stands,) = _row(connection, _LOCK, [parent])  # before its node runs are read
    if _row(connection, _WAITS_FOR, [parent, node, path, attempt])[0]:
        told = {"run": str(child), "status": status, "outputs": outputs, "error": error}
        post(connection, parent, SignalKind.NODE, node=node, path=path, data=told)
    elif _is_waited_for(connection, parent, stands, node, path, attempt, child):
        post(connection, parent, SignalKind.BELOW, data={"run": str(child), "status": status, "error": error})
    _hand_up_costs(connection, child)


def _is_waited_for(
    connection: psycopg.Connection[Any], parent: UUID, stands: str, node: str, path: str, attempt: int, child: UUID
) -> bool:
    """By the next attempt of its node, or by the undoing of its parent."""
    if stands not in ENDED and _row(connection, _TRIES_AGAIN, [parent, node, path, attempt])[0]:
        return True
    return stands in ("compensating", "paused") and bool(_row(connection, _WAITED_FOR, [parent, str(child)])[0])


def tell_of_ended(connection: psycopg.Connection[Any], parent: UUID, below: Sequence[str]) -> None:
    """Those of the runs below that have ended. One that ends later finds the parent compensating, and tells it."""
    for child, status, error in connection.execute(_ENDED, (list(below), ENDED)).fetchall():
        post(connection, parent, SignalKind.BELOW, data={"run": str(child), "status": status, "error": error})


def stop(connection: psycopg.Connection[Any], runs: Sequence[str], reason: str) -> None:
    """Cancel them without undoing anything more. Those that have ended are left alone."""
    for run in sorted(runs):
        post(connection, UUID(run), SignalKind.CANCEL, reason=reason)


def cancel(
    connection: psycopg.Connection[Any],
    parent: UUID,
    node: str,
    path: Path,
    reason: str,
    *,
    undo: bool,
    even_undoing: bool = False,
) -> None:
    """Ask the unended children of a node run to end, and with `undo` to undo what they have done. A child that is being
    undone already goes on with that, unless `even_undoing`.
    """
    place = {"parent": parent, "node": node, "path": path_text(path), "ended": ENDED}
    for child, status in connection.execute(_UNENDED, place).fetchall():
        if status == "compensating" and not even_undoing:
            continue
        if not _row(connection, _IS_ASKED, [child, str(SignalKind.CANCEL)])[0]:
            post(connection, child, SignalKind.CANCEL, reason=reason, data={"undo": True} if undo else None)


def is_undoing_wished(connection: psycopg.Connection[Any], run: UUID) -> bool:
    """By whoever cancelled it last."""
    found = connection.execute(_CANCELLED, [run]).fetchone()
    return bool(found and found[0])


def pass_on(connection: psycopg.Connection[Any], parent: UUID, kind: SignalKind, reason: str) -> None:
    """Pause or resume the unended children."""
    place = {"parent": parent, "node": None, "path": None, "ended": ENDED}
    for child, status in connection.execute(_UNENDED, place).fetchall():
        asked = _row(connection, _IS_ASKED, [child, str(SignalKind.PAUSE)])[0]
        if kind is SignalKind.PAUSE and status != "paused" and not asked:
            post(connection, child, kind, reason=reason)
        if kind is SignalKind.RESUME and (status == "paused" or asked):
            post(connection, child, kind, reason=reason)


def least_budget(own: JSON, parents: JSON, cost: Decimal, tokens: int) -> JSON:
    """The smaller of a run's own budget and what its parent has left, by kind; None without any limit."""
    own, parents = own or {}, parents or {}
    found: dict[str, float] = {}
    for kind, spent in (("usd", float(cost)), ("tokens", tokens)):
        limits = [own[kind]] if own.get(kind) is not None else []
        if parents.get(kind) is not None:
            limits.append(max(parents[kind] - spent, 0))
        if limits:
            found[kind] = min(limits)
    return found or None


def _hand_up_costs(connection: psycopg.Connection[Any], run: UUID | None) -> None:
    """To the parent; and where that has ended already, and handed up its own, on to the run above it."""
    while run is not None:
        parent, node, path, ended, passed_on, *totals = _row(connection, _NEW_COSTS, {"run": run, "ended": ENDED})
        if parent is None or not ended:
            return
        names = ("cost_usd", "input_tokens", "output_tokens")
        before = passed_on or {}
        new = {name: total - Decimal(str(before.get(name, 0))) for name, total in zip(names, totals, strict=True)}
        if not any(new.values()):
            return
        passed = {name: str(total) for name, total in zip(names, totals, strict=True)}
        connection.execute(_PASSED_ON, (json.dumps(passed), run))
        connection.execute(_ADD_TO_RUN, {**new, "run": parent})
        connection.execute(_ADD_TO_NODE, {**new, "run": parent, "node": node, "path": path})
        run = parent


def _insert(connection: psycopg.Connection[Any], row: dict[str, JSON]) -> bool:
    """A run's row with the model's defaults for all that is not named. False when it is there already."""
    from django.db import connection as django  # models: not before the apps are loaded
    from django.db.models.expressions import DatabaseDefault

    from orchestration.models import Run

    run = Run(**row)
    columns: list[str] = []
    values: list[JSON] = []
    for field in Run._meta.concrete_fields:
        value = getattr(run, field.attname)
        if not isinstance(value, DatabaseDefault) and field.name != "due_at":
            columns.append(str(field.column))
            values.append(field.get_db_prep_save(value, django))
    names = ", ".join(columns)
    places = ", ".join(["%s"] * len(columns))
    statement = (
        f"INSERT INTO orchestration_run ({names}, due_at) VALUES ({places}, clock_timestamp()) "  # noqa: S608  our own
        "ON CONFLICT (id) DO NOTHING"
    )
    return bool(connection.execute(statement, values).rowcount)


def _row(connection: psycopg.Connection[Any], statement: str, arguments: Any) -> Any:
    found = connection.execute(statement, arguments).fetchone()
    if found is None:
        raise LookupError("A run that must be there is not.")
    return found
