"""A step that has failed for good and is escalated: the request appears in the commit that records it.

Whoever is named is asked; if there is no such person or nobody holds the role, everybody who may control runs is, since
a request that nobody can answer would hold the run for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from approvals.escalations import OPTIONS, context_of, fields_of, message_of
from approvals.nodes.rows import Asked, open_request
from orchestration.engine.events import NodeCancelled, NodeEscalated
from orchestration.engine.ids import path_text
from orchestration.nodes.base import RunFacts
from orchestration.nodes.commit_hooks import in_commit_of

if TYPE_CHECKING:
    import psycopg

    from orchestration.engine.events import NodeEvent

JSON = Any

_STEP = """
    SELECT name, inputs, attempts FROM orchestration_noderun WHERE run_id = %s AND node = %s AND path = %s
"""

_USER = """
    SELECT person.username FROM core_membership AS member JOIN core_user AS person ON person.id = member.user_id
    WHERE member.organisation_id = %s AND person.username = %s AND person.is_active
"""

_ROLE = """
    SELECT role.slug FROM core_role AS role
    WHERE role.organisation_id = %s AND role.slug = %s AND EXISTS (
        SELECT 1 FROM core_membership_roles AS held
        JOIN core_membership AS member ON member.id = held.membership_id
        JOIN core_user AS person ON person.id = member.user_id
        WHERE held.role_id = role.id AND person.is_active)
"""

_WITHDRAW = """
    UPDATE approvals_approvalrequest SET status = 'withdrawn', closed_at = clock_timestamp(),
        closed_because = 'the step was stopped'
    WHERE run_id = %s AND status = 'open' AND kind = 'escalation'
      AND (node, path) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
"""


@in_commit_of(NodeEscalated, NodeCancelled)
def ask_or_withdraw(
    connection: psycopg.Connection[Any], run: RunFacts, events: Sequence[NodeEscalated | NodeCancelled]
) -> None:
    """In the order of the events: a step may be stopped in the very commit in which it asks."""
    for kind, some in groupby(events, key=type):
        found = list(some)
        if kind is NodeCancelled:
            _withdraw(connection, run, found)
            continue
        for event in found:
            if isinstance(event, NodeEscalated):
                _ask(connection, run, event)


def _withdraw(connection: psycopg.Connection[Any], run: RunFacts, stopped: Sequence[NodeEvent]) -> None:
    """The questions of steps that waited for an answer; most had asked nobody."""
    nodes, paths = [event.node for event in stopped], [path_text(event.path) for event in stopped]
    connection.execute(_WITHDRAW, (run.id, nodes, paths))


def _ask(connection: psycopg.Connection[Any], run: RunFacts, event: NodeEscalated) -> None:
    step = connection.execute(_STEP, (run.id, event.node, path_text(event.path))).fetchone()
    name, inputs, attempts = step or (event.node, None, 0)
    user, role = _whom(connection, run, event.assignee)
    asked = Asked(
        kind="escalation",
        title=f"“{name}” has failed",
        message=message_of(event.message, unknown=event.unknown),
        context=context_of(event.error, inputs, attempts),
        options=OPTIONS,
        fields=fields_of(),
        user=user,
        role=role,
    )
    open_request(connection, run, event.node, event.path, asked)


def _whom(connection: psycopg.Connection[Any], run: RunFacts, wanted: JSON) -> tuple[str, str]:
    """(user name, role) of whoever is there of those that the definition names."""
    if wanted.get("user"):
        found = connection.execute(_USER, (run.organisation_id, wanted["user"])).fetchone()
        return (found[0], "") if found else ("", "")
    if wanted.get("role"):
        found = connection.execute(_ROLE, (run.organisation_id, wanted["role"])).fetchone()
        return ("", found[0]) if found else ("", "")
    return "", ""
