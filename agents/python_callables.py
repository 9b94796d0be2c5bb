"""The allow-list of Python functions that agents may call, and the three that come with the portal.

An installation adds its own in modules that the setting AGENT_MODULES names:

    @callable_agent("vat", label="VAT", description="Adds VAT.", input_schema={...}, output_schema={...})
    def vat(inputs: dict, call: CallFacts) -> dict: ...

A plain function runs in a thread, a coroutine function on the host's loop. It gets the checked inputs and returns named
values.
"""

import asyncio
import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from agents.errors import AgentError
from agents.sharing import SharedContext
from portal.core.records import record

JSON = Any
_ANY_OBJECT = {"type": "object", "additionalProperties": True}


@record
class CallFacts:
    """What a function may know of its call. `idempotency_key` is the same over all attempts."""

    organisation_id: int
    idempotency_key: str
    attempt: int
    deadline: datetime
    parameters: Mapping[str, JSON] = field(default_factory=dict)
    shared: SharedContext = field(default_factory=SharedContext)
    """Of the run: a mapping of what it was granted to read; `shared.write(key, value)` for what it may write."""
    emit: Callable[[str], None] = field(repr=False, default=lambda text: None)


AgentFunction = Callable[[dict[str, JSON], CallFacts], Any]


@dataclass(frozen=True, slots=True)
class PythonAgent:
    """A function on the list, with its contract."""

    name: str
    label: str
    description: str
    function: AgentFunction
    input_schema: Mapping[str, JSON]
    output_schema: Mapping[str, JSON]
    effects: bool = True
    """Whether it does something outside of its process, as far as anybody knows: then each call is in the ledger."""
    blocks: bool = field(init=False)
    """A plain function, not a coroutine function."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", not inspect.iscoroutinefunction(self.function))


_REGISTERED: dict[str, PythonAgent] = {}


def callable_agent(
    name: str,
    *,
    label: str,
    description: str,
    input_schema: Mapping[str, JSON],
    output_schema: Mapping[str, JSON],
    effects: bool = True,
) -> Callable[[AgentFunction], AgentFunction]:
    """Put a function on the list. Raises ValueError when the name is taken by another.

    effects: False promises that it only computes. Then a call is not recorded, and it may be begun again at any time.
    One that makes several outside calls records each by itself (`portal.core.effects.outside`) and says False, too.
    """

    def decorate(function: AgentFunction) -> AgentFunction:
        known = _REGISTERED.get(name)
        if known and known.function.__qualname__ != function.__qualname__:
            raise ValueError(f"Two functions for agents call themselves {name!r}.")
        _REGISTERED[name] = PythonAgent(name, label, description, function, input_schema, output_schema, effects)
        return function

    return decorate


def registered() -> Mapping[str, PythonAgent]:
    """All of them by name, in order."""
    return dict(sorted(_REGISTERED.items()))


def find(name: str) -> PythonAgent | None:
    return _REGISTERED.get(name)


def unknown(name: str) -> str:
    """The sentence for a name that is not on the list."""
    close = difflib.get_close_matches(name, _REGISTERED, n=1)
    hint = f"did you mean {close[0]}?" if close else f"registered are: {', '.join(sorted(_REGISTERED))}"
    return f"no function named “{name}” is registered for agents; {hint}"


@callable_agent(
    "echo",
    label="Echo",
    description="Returns its inputs as they came.",
    input_schema=_ANY_OBJECT,
    output_schema=_ANY_OBJECT,
    effects=False,
)
async def echo(inputs: dict[str, JSON], call: CallFacts) -> dict[str, JSON]:
    return inputs


@callable_agent(
    "sleep",
    label="Sleep",
    description="Waits the given seconds, then answers.",
    input_schema={
        "type": "object",
        "properties": {
            "seconds": {
                "type": "number",
                "minimum": 0,
                "maximum": 3600,
                "title": "Seconds",
                "description": "How long to wait.",
            }
        },
        "required": ["seconds"],
    },
    output_schema={
        "type": "object",
        "properties": {"slept_seconds": {"type": "number"}},
        "required": ["slept_seconds"],
    },
    effects=False,
)
async def sleep(inputs: dict[str, JSON], call: CallFacts) -> dict[str, JSON]:
    await asyncio.sleep(inputs["seconds"])
    return {"slept_seconds": inputs["seconds"]}


@callable_agent(
    "flaky",
    label="Flaky",
    description="Fails the given number of attempts, then succeeds: to see retries at work.",
    input_schema={
        "type": "object",
        "properties": {
            "fail_times": {
                "type": "integer",
                "minimum": 0,
                "default": 1,
                "title": "Failures",
                "description": "Attempts that fail before one succeeds.",
            },
            "retryable": {
                "type": "boolean",
                "default": True,
                "title": "Worth retrying",
                "description": "Whether the failures say that another try may help.",
            },
        },
        "required": ["fail_times"],
    },
    output_schema={"type": "object", "properties": {"attempts": {"type": "integer"}}, "required": ["attempts"]},
    effects=False,
)
async def flaky(inputs: dict[str, JSON], call: CallFacts) -> dict[str, JSON]:
    """Counts nothing itself: the attempt's number is the engine's, so a restarted host changes nothing."""
    if call.attempt <= inputs["fail_times"]:
        raise AgentError(
            f"Attempt {call.attempt} fails, as asked.", code="flaky", retryable=inputs.get("retryable", True)
        )
    return {"attempts": call.attempt}
