"""What keeps policies and holds still while a batch is at work. Advisory locks, held to the end of the transaction."""

from __future__ import annotations

from django.db import connection

_NAMESPACE = 7_205_117  # of advisory locks with two keys: ours alone


def share(organisation_id: int) -> None:
    """A batch begins: policy and holds stay as they are until it is committed. Batches do not hinder each other."""
    _lock("pg_advisory_xact_lock_shared", organisation_id)


def take(organisation_id: int) -> None:
    """Somebody changes the policy or a hold: waits for batches at work, which take about a second."""
    _lock("pg_advisory_xact_lock", organisation_id)


def _lock(function: str, organisation_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s, %s::int)", [_NAMESPACE, organisation_id])
