"""Writes the audit ledger (`models.audit`); nothing else does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.db import connection, models, transaction

from portal.core import redaction, rows
from portal.core.actors import Actor
from portal.core.models import AuditEntry, Organisation

if TYPE_CHECKING:
    import psycopg


def record(
    *,
    organisation: Organisation | None,
    actor: Actor,
    verb: str,
    target: models.Model | None = None,
    target_label: str = "",
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
) -> None:
    """Add one fact, in the caller's transaction: it stands if and only if the change stands.

    verb: `app.noun.verb`, past tense. organisation None: the installation's own chain. Takes no lock; the entry is
    chained right after the commit. Known secrets are taken out of before, after and data.
    """
    entry = AuditEntry(
        organisation=organisation,
        verb=verb,
        actor_id=actor.user.pk if actor.user else None,
        actor_label=actor.label[:200],
        channel=actor.channel,
        address=actor.address or "",
        request_id=actor.request_id or "",
        target_type=target._meta.label_lower if target is not None else "",
        target_id=str(target.pk) if target is not None else "",
        target_label=(target_label or (str(target) if target is not None else ""))[:200],
        before=redaction.redact(before, organisation),
        after=redaction.redact(after, organisation),
        data=redaction.redact(data, organisation),
    )
    rows.insert(entry)
    chain = organisation.pk if organisation else 0
    transaction.on_commit(lambda: link_pending(chain), robust=True)


_ENTER = """
INSERT INTO core_auditentry (organisation_id, verb, actor_label, channel, address, request_id,
                             target_type, target_id, target_label, data)
VALUES (%(organisation)s, %(verb)s, %(actor)s, %(channel)s, '', '', %(type)s, %(target)s, %(label)s, %(data)s)
"""


def enter(
    connection: psycopg.Connection[Any],
    *,
    organisation_id: int,
    actor: Actor,
    verb: str,
    target_type: str,
    target_id: str,
    target_label: str,
    data: dict[str, Any],
) -> None:
    """As `record`, for what the portal does by itself in a commit of plain SQL. `data` must hold no secrets.

    The entry is chained with the next one that a person makes, or by the job within a minute.
    """
    facts = {"organisation": organisation_id, "verb": verb, "actor": actor.label[:200], "channel": actor.channel}
    target = {"type": target_type, "target": target_id, "label": target_label[:200], "data": json.dumps(data)}
    connection.execute(_ENTER, {**facts, **target})


def link_pending(chain: int | None = None) -> int:
    """Chain what waits, in short transactions of their own; says how many. All chains when None.

    Whoever finds the chain's lock taken goes away: the holder looks again after it has let go, so nothing is left.
    """
    with connection.cursor() as cursor:
        if chain is None:
            cursor.execute("SELECT DISTINCT chain FROM core_auditpending")
            chains = [row[0] for row in cursor.fetchall()]
        else:
            chains = [chain]
    return sum(_link(one) for one in chains)


def _link(chain: int) -> int:
    total = empty = 0
    with connection.cursor() as cursor:
        while empty < 2:  # a row that waits for an entry which an intruder has removed would keep us here
            # One statement, so one short transaction. A link lost in a crash is made again from the same entries,
            # so waiting for the disk would buy nothing.
            cursor.execute("SELECT set_config('synchronous_commit', 'off', true), core_audit_link(%s, 1000)", [chain])
            _, count = cursor.fetchone()
            if count < 0:  # another session holds the lock
                return total
            total += count
            empty += count == 0
            # The lock is free again: whoever came meanwhile has gone away and relies on this look.
            cursor.execute("SELECT 1 FROM core_auditpending WHERE chain = %s LIMIT 1", [chain])
            if cursor.fetchone() is None:
                return total
    return total


def changes(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Only the fields that differ, for `record(before=..., after=...)`."""
    names = [name for name in after if before.get(name) != after[name]]
    return {name: before.get(name) for name in names}, {name: after[name] for name in names}
