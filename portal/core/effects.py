"""What is done to the outside world, told to whoever keeps the ledger: before it is done and after.

    async with effects.outside(kind="http", target="POST https://crm.example/leads", request={"bytes": 120}) as effect:
        answer = await client.post(..., headers={"Idempotency-Key": effect.idempotency_key})
        effect.outcome({"status": answer.status_code})

The engine puts a recorder round each attempt (`recording`); without one nothing is recorded and nothing costs. The body
begins only when the recorder has written down that it does; if it cannot (the run is in other hands), it raises and
the call is not made. Within a plain function in a thread, `with` does the same as `async with`.

How a call ended follows from how the body did: without an exception it was `ok`; cancelled or out of time it is
`unknown`, for the other side may have done it all the same; any other exception is `failed`: the other side refused, or
was never reached. Whoever knows better says `effect.unsure()`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Any, Protocol

import orjson

JSON = Any


class Kind(StrEnum):
    MODEL = "model"
    HTTP = "http"
    MAIL = "mail"
    TOOL = "tool"


class Outcome(StrEnum):
    OPEN = ""
    """It is under way."""
    OK = "ok"
    FAILED = "failed"
    """Refused, or never reached: nothing has happened, as far as the other side says."""
    UNKNOWN = "unknown"
    """It may have happened: no answer came, or the caller died."""


@dataclass(slots=True, eq=False)
class Effect:
    """One call. `request` and `response` are summaries: sizes, hashes, names, a status; never whole texts."""

    kind: Kind
    target: str
    request: Mapping[str, JSON]
    idempotency_key: str = ""
    """What the call should carry. The recorder fills it in where the caller gave none; empty without a recorder."""
    response: Mapping[str, JSON] = field(default_factory=dict)
    cost_usd: float | None = None
    ended: Outcome = Outcome.OPEN
    is_unsure: bool = False

    def outcome(self, response: Mapping[str, JSON], *, cost_usd: float | None = None) -> None:
        """What came back, in a few words. May be called before a failure is raised, too."""
        self.response, self.cost_usd = {**self.response, **response}, cost_usd

    def unsure(self) -> None:
        """Should the body now fail: the call may have taken effect all the same."""
        self.is_unsure = True


class Recorder(Protocol):
    """Both are called from whatever thread and loop the agent works in."""

    async def begin(self, effect: Effect) -> None:
        """Write down that the call begins. An exception keeps it from being made."""

    def begin_in_thread(self, effect: Effect) -> None:
        """The same for plain functions. Blocks."""

    def end(self, effect: Effect) -> None:
        """The call has ended as `effect.ended` says. Must not block."""


_recorder: ContextVar[Recorder | None] = ContextVar("effects recorder", default=None)


@contextmanager
def recording(recorder: Recorder) -> Iterator[None]:
    token = _recorder.set(recorder)
    try:
        yield
    finally:
        _recorder.reset(token)


def outside(*, kind: str, target: str, request: Mapping[str, JSON] | None = None, idempotency_key: str = "") -> Outside:
    """`target` names the other side for people (a model, "POST https://host/path", an address), without secrets.

    idempotency_key: the one the call will carry, where the caller has its own; otherwise the recorder makes one that is
    the same over all attempts as long as they make the same calls in the same order.
    """
    return Outside(Effect(Kind(kind), target, dict(request or {}), idempotency_key))


def fingerprint(value: JSON) -> dict[str, JSON]:
    """What a summary says of content: its size and a hash that tells whether two calls were about the same."""
    try:
        text = orjson.dumps(value, default=str, option=orjson.OPT_SORT_KEYS)  # of 100 MiB in a moment: the loop waits
    except TypeError:  # whole numbers of more than 64 bits, broken characters, keys that are no texts
        text = json.dumps(value, sort_keys=True, default=str, ensure_ascii=False, separators=(",", ":")).encode(
            errors="replace"
        )
    return {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()[:16]}


class Outside:
    """What `outside` gives: a context manager, `async with` in coroutines and `with` in threads."""

    def __init__(self, effect: Effect) -> None:
        self._effect = effect
        self._recorder = _recorder.get()

    async def __aenter__(self) -> Effect:
        if self._recorder is not None:
            await self._recorder.begin(self._effect)
        return self._effect

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(error)

    def __enter__(self) -> Effect:
        if self._recorder is not None:
            self._recorder.begin_in_thread(self._effect)
        return self._effect

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(error)

    def _end(self, error: BaseException | None) -> None:
        effect = self._effect
        if error is None:
            effect.ended = Outcome.OK
        elif effect.is_unsure or isinstance(error, asyncio.CancelledError | TimeoutError):
            effect.ended = Outcome.UNKNOWN
        else:
            effect.ended = Outcome.FAILED
        if error is not None and "error" not in effect.response:
            effect.response = {**effect.response, "error": type(error).__name__}
        if self._recorder is not None:
            self._recorder.end(effect)


__all__ = ["Effect", "Kind", "Outcome", "Recorder", "fingerprint", "outside", "recording"]
