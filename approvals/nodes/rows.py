"""The rows of requests, written on the connection of the commit that they belong to."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestration.engine.ids import Path, path_text
from orchestration.nodes.base import RunFacts

if TYPE_CHECKING:
    import psycopg

JSON = Any

_OPEN = """
    INSERT INTO approvals_approvalrequest
        (id, organisation_id, run_id, node, path, kind, status, title, message, context, options, recommended,
         fields_schema, assignee_user_id, assignee_role, opened_at, closed_because)
    VALUES (%(id)s, %(organisation)s, %(run)s, %(node)s, %(path)s, %(kind)s, 'open', %(title)s, %(message)s,
            %(context)s, %(options)s, %(recommended)s, %(fields)s,
            (SELECT id FROM core_user WHERE username = %(user)s), %(role)s, clock_timestamp(), '')
    ON CONFLICT (run_id, node, path) WHERE status = 'open' DO NOTHING
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked, and of whom: a user by name, the holders of a role, or (neither) whoever may decide such requests.

    context: [{"label", "value", "format"}], or the reference where that is large. options: [{"port", "label", "style",
    "comment_required"}]. fields: the JSON Schema of what is filled in.
    """

    kind: str
    title: str
    message: str
    context: JSON
    options: JSON
    fields: JSON
    recommended: str = ""
    user: str = ""
    role: str = ""


def open_request(connection: psycopg.Connection[Any], run: RunFacts, node: str, path: Path, asked: Asked) -> None:
    """Unless one is open for the node run already."""
    connection.execute(
        _OPEN,
        {
            "id": uuid.uuid4(),
            "organisation": run.organisation_id,
            "run": run.id,
            "node": node,
            "path": path_text(path),
            "kind": asked.kind,
            "title": asked.title[:300],
            "message": asked.message,
            "context": json.dumps(asked.context),
            "options": json.dumps(asked.options),
            "recommended": asked.recommended,
            "fields": json.dumps(asked.fields),
            "user": asked.user or None,
            "role": asked.role,
        },
    )
