"""Telling people from within the commit of something else: plain SQL on the caller's connection.

    tell(connection, notice, user_ids=[...])             notifications in the portal
    mail(connection, notice, addresses=[...])            mails, which the jobs cluster sends

Both write each row once, however often they are called for the same `key`. A task for the queue carries ids only and
is put there in the same commit; should it get lost, the jobs cluster finds what is due by itself each minute.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from django.utils import timezone
from django_q.signing import SignedPackage

JOBS = "jobs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """body: Markdown; link: a path of the portal or an address; key: what it tells of."""

    organisation_id: int
    key: str
    title: str
    body: str = ""
    link: str = ""


_TELL = """
INSERT INTO core_notification (id, organisation_id, user_id, key, title, body, link)
SELECT gen_random_uuid(), %(organisation)s, member.id, %(key)s, %(title)s, %(body)s, %(link)s
FROM core_user AS member WHERE member.id = ANY(%(users)s)
ON CONFLICT (user_id, key) DO NOTHING
"""
_MAIL = """
INSERT INTO core_mail (id, organisation_id, key, address, subject, text, state, attempts, error)
VALUES (%s, %s, %s, %s, %s, %s, 'pending', 0, '')
ON CONFLICT (address, key) DO NOTHING
"""
_QUEUE = "INSERT INTO django_q_ormq (key, payload, lock) VALUES (%s, %s, clock_timestamp())"


def tell(connection: psycopg.Connection[Any], notice: Notice, user_ids: Sequence[int]) -> None:
    """A notification for each of these users, unless they have been told already."""
    connection.execute(
        _TELL,
        {
            "organisation": notice.organisation_id,
            "users": list(user_ids),
            "key": notice.key,
            "title": notice.title[:300],
            "body": notice.body,
            "link": notice.link,
        },
    )


def mail(
    connection: psycopg.Connection[Any], notice: Notice, addresses: Sequence[str], text: str
) -> list[tuple[uuid.UUID, str]]:
    """(id, address) of the mails that are new."""
    new: list[tuple[uuid.UUID, str]] = []
    for address in addresses:
        row = (uuid.uuid4(), notice.organisation_id, notice.key, address, notice.title[:300], text)
        if connection.execute(_MAIL, row).rowcount:
            enqueue(connection, "portal.core.tasks.send_mail", str(row[0]))
            new.append((row[0], address))
    return new


def enqueue(connection: psycopg.Connection[Any], function: str, *ids: str) -> None:
    """A task for the jobs cluster, in the caller's transaction; as django-q2's own `async_task` writes it."""
    name = uuid.uuid4().hex
    task = {"id": name, "name": function, "func": function, "args": ids, "kwargs": {}, "started": timezone.now()}
    connection.execute(_QUEUE, (JOBS, SignedPackage.dumps({**task, "ack_failure": True})))
