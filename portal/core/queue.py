"""The queue of django-q2: its ORM broker, by the database's clock, with a queue apart for a cluster that asks.

django-q2 (1.11) notes and compares the time of whichever machine asks. One whose clock is ten minutes slow would see a
task that others queue only ten minutes later, and one whose clock is fast would take for free what others have taken.
Here every time is PostgreSQL's.

A queue apart (`keep_apart`) holds what the processes of one cluster queue for themselves. Others never see it; the
cluster takes from it, and from the queue that it shares with the others.
"""

from __future__ import annotations

from time import sleep

import structlog
from django.db import InterfaceError, OperationalError, connections
from django.db.models.functions import Now
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.models import Schedule

log = structlog.get_logger(__name__)

_TAKE = """
    UPDATE django_q_ormq SET lock = clock_timestamp() + make_interval(secs => %(retry)s)
    WHERE id IN (SELECT id FROM django_q_ormq WHERE key = ANY(%(keys)s) AND lock <= clock_timestamp()
                 ORDER BY id LIMIT %(bulk)s FOR UPDATE SKIP LOCKED)
    RETURNING id, payload
"""

_apart: dict[str, str] = {}


def keep_apart(name: str, own: str) -> None:
    """Let this process, and those forked from it later, queue in `own` what is for `name`, and take from both."""
    _apart[name] = own


def repeat(name: str, function: str, *, minutes: int) -> None:
    """Have the jobs cluster call `function` (by its dotted name) every so many minutes, for ever. Idempotent."""
    every = {"schedule_type": Schedule.MINUTES, "minutes": minutes, "repeats": -1}
    Schedule.objects.update_or_create(name=name, defaults={"func": function, **every})


class Broker(ORM):
    """`lock`: since when a task waits, or until when a taken one belongs to its taker."""

    @property
    def _keys(self) -> list[str]:
        own = _apart.get(self.list_key)
        return [own, self.list_key] if own else [self.list_key]

    def queue_size(self) -> int:
        return int(self.get_connection().filter(key__in=self._keys, lock__lte=Now()).count())

    def lock_size(self) -> int:
        return int(self.get_connection().filter(key__in=self._keys, lock__gt=Now()).count())

    def enqueue(self, task: str) -> int:
        return int(self.get_connection().create(key=self._keys[0], payload=task, lock=Now()).pk)

    def dequeue(self) -> list[tuple[int, str]]:
        """(row, task) of each that is taken now; one cluster gets it. Waits a moment when there is none.

        While the database is away there is none either: django-q2's pusher would give up, and be born again ten
        seconds after the database is back.
        """
        try:
            taken = self._take()
        except (OperationalError, InterfaceError) as error:
            log.warning("the queue cannot be asked", queue=self.list_key, error=str(error).strip())
            self._forget_connection()
            taken = []
        if not taken:
            sleep(Conf.POLL)
        return taken

    def _forget_connection(self) -> None:
        connections[Conf.ORM].close()

    def _take(self) -> list[tuple[int, str]]:
        with connections[Conf.ORM].cursor() as cursor:
            cursor.execute(_TAKE, {"keys": self._keys, "retry": Conf.RETRY, "bulk": Conf.BULK})
            return [(int(row), str(payload)) for row, payload in cursor.fetchall()]
