"""A node type that does what its settings say. Registered for tests only; what it did is kept in `CALLS`."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError
from pydantic import Field

from orchestration.definition.fields import NodeSettings
from orchestration.nodes import base
from orchestration.nodes.base import Context, Done, NodeFailure, NodeType, Result, Wait

CALLS: Counter[str] = Counter()
"""How often each idempotency key was called."""
STARTED: list[str] = []
OPEN: set[str] = set()
"""Gates through which nodes may go: `OPEN.add("name")` lets those on that are at `scripted(gate="name")`."""
STOPPED: list[str] = []
"""Told to stop while they worked."""


class ScriptedSettings(NodeSettings):
    outputs: dict[str, Any] = Field(default_factory=dict)
    port: str = "out"
    seconds: float = 0.0
    gate: str = ""
    fail_times: int = 0
    code: str = "scripted"
    retryable: bool = True
    crash: str = ""
    waits: bool = False
    usage: dict[str, Any] | None = None
    streams: list[str] = Field(default_factory=list)
    odd: str = ""
    database_away: int = 0
    pure: bool = False


class Scripted(NodeType):
    kind, label, icon, category = "scripted", "Scripted", "x", "data"
    description = "For tests."
    Settings = ScriptedSettings

    async def is_pure(self, ctx: Context) -> bool:
        if ctx.settings.odd == "database away":
            raise OperationalError("the connection is lost")
        return bool(ctx.settings.pure)

    async def execute(self, ctx: Context) -> Result:
        settings: ScriptedSettings = ctx.settings
        CALLS[ctx.idempotency_key] += 1
        STARTED.append(ctx.node)
        for text in settings.streams:
            ctx.emit(text)
        if settings.seconds:
            try:
                await asyncio.sleep(settings.seconds)
            except asyncio.CancelledError:
                STOPPED.append(ctx.node)
                raise
        while settings.gate and settings.gate not in OPEN:  # noqa: ASYNC110 - opened by another thread
            await asyncio.sleep(0.01)
        if CALLS[ctx.idempotency_key] <= settings.database_away:
            raise OperationalError("connection is bad")
        if settings.crash:
            raise RuntimeError(settings.crash)
        if ctx.attempt <= settings.fail_times:
            raise NodeFailure("As scripted.", code=settings.code, retryable=settings.retryable, usage=settings.usage)
        if settings.odd == "says much":
            raise NodeFailure("Much is wrong.", code="much", detail={"rows": ["wrong" * 10] * 5_000})
        if settings.odd == "not json":
            return Done(outputs={"object": object()})
        if settings.odd == "half text":
            return Done(outputs={"text": "a\0b \ud83d c"})
        if settings.odd == "cancels itself":
            raise asyncio.CancelledError
        if settings.waits:
            return Wait(reason="approval", data={"asks": "you"})
        return Done(outputs=settings.outputs, port=settings.port, usage=settings.usage)

    async def resume(self, ctx: Context, signal: Any) -> Result:
        return Done(outputs={"answer": signal, "asked": ctx.wait_data})


@contextmanager
def registered() -> Iterator[None]:
    base.register(Scripted)
    CALLS.clear()
    STARTED.clear()
    OPEN.clear()
    STOPPED.clear()
    try:
        yield
    finally:
        base._TYPES.pop(Scripted.kind)
