"""The parts of a host: what it has in hand (`hands`) and takes (`claiming`), its care for others (`sweeping`).

And hosts as tasks of django-q2: what a worker does besides (`cluster`), and its shift (`shift`).
"""

from __future__ import annotations

from typing import Any

from django.conf import settings


def prepare() -> None:
    """Called once a process, when the apps are loaded."""
    from django_q.signals import post_spawn, pre_execute

    post_spawn.connect(_worker_begins, dispatch_uid="orchestration.worker")
    pre_execute.connect(_task_begins, dispatch_uid="orchestration.ring")
    if settings.PROCESS == "engine":
        _preload()


def _worker_begins(**_: Any) -> None:
    from orchestration.hosting import cluster

    cluster.die_with_parent()


def _task_begins(task: dict[str, Any], **_: Any) -> None:
    from orchestration import tasks
    from orchestration.hosting import cluster

    cluster.ring_taken = task.get("ack_id") if task.get("func") == tasks.SHIFT else None


def _preload() -> None:
    """Import litellm (seconds, much memory) before workers are forked, so that a worker born later begins warm."""
    from agents.llm import library

    library.load()
