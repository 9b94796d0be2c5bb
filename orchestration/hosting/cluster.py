"""What a worker knows of the django-q2 cluster that it belongs to.

django-q2 (1.11) tells its workers nothing: a cluster that is asked to stop waits, without end, until they have finished
by themselves. A worker is forked in the middle of its sentinel's code, though, so the sentinel and its events are on
the worker's stack.
"""

from __future__ import annotations

import ctypes
import inspect
import os
import signal
import sys
from dataclasses import dataclass
from multiprocessing import parent_process
from typing import Any

import structlog
from django_q.cluster import Sentinel
from django_q.models import OrmQ

log = structlog.get_logger(__name__)

_PR_SET_PDEATHSIG = 1

ring_taken: int | None = None
"""Row of the queue that this worker's present task came from."""


@dataclass(frozen=True, slots=True)
class Cluster:
    sentinel: Any

    def stopping(self) -> bool:
        """Asks the flag itself: `Event.is_set` takes a lock, which a worker killed just then would never give back."""
        return bool(self.sentinel.stop_event._flag.get_value())

    def spares(self) -> int:
        """Rings that wait in this cluster for a free worker."""
        return int(self.sentinel.task_queue.qsize())


def current() -> Cluster | None:
    """The cluster around the calling code; None outside of a worker."""
    frame = inspect.currentframe()
    while frame is not None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, Sentinel):
            return Cluster(owner)
        frame = frame.f_back
    return None


def take_ring() -> None:
    """Take the ring that began this task out of the queue: it has done what it was for."""
    if ring_taken is not None:
        OrmQ.objects.filter(pk=ring_taken).delete()


def die_with_parent() -> None:
    """Have the kernel (Linux) send SIGTERM when the sentinel dies: a worker must not go on unguarded."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if orphaned():
        os.kill(os.getpid(), signal.SIGTERM)


def orphaned() -> bool:
    parent = parent_process()
    return parent is not None and os.getppid() != parent.pid
