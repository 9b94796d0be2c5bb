"""What a kind of agent is: one class that describes itself and does its work, found by the registry.

A kind lives in one file of this package and registers itself with `@register`; catalogue, admin, API and engine find it
there. Its settings are a pydantic model (`Config`); titles and descriptions of its fields are its documentation.
"""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from agents.contracts import Fault
from agents.sharing import SharedContext
from portal.core.models import Organisation
from portal.core.records import record

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

JSON = Any


class KindConfig(BaseModel):
    """Base of every kind's settings. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@record
class KindCall:
    """One call of an agent, its inputs already checked. `config` is an instance of the kind's `Config`."""

    organisation_id: int
    agent: str
    version: int
    config: Any
    inputs: Mapping[str, JSON]
    output_schema: Mapping[str, JSON]
    idempotency_key: str
    """The same over all attempts: pass it on with every outside call."""
    deadline: datetime
    """When the answer is of no use any more."""
    attempt: int = 1
    shared: SharedContext = field(default_factory=SharedContext)
    """What it may read and write of the run's shared context."""
    hints: tuple[str, ...] = ()
    """Words about the task: the agent's domain and skills."""
    emit: Callable[[str], None] = field(repr=False, default=lambda text: None)
    """Shows a piece of streamed text live; it is not stored."""


@record
class KindReply:
    """usage: any of {"cost_usd": float, "input_tokens": int, "output_tokens": int, "model": str}."""

    outputs: JSON
    usage: Mapping[str, JSON] = field(default_factory=dict)


class AgentKind(ABC):
    kind: ClassVar[str]
    label: ClassVar[StrOrPromise]
    description: ClassVar[StrOrPromise]
    icon: ClassVar[str]
    Config: ClassVar[type[KindConfig]]

    @abstractmethod
    async def run(self, call: KindCall) -> KindReply:
        """Do the work. Raises AgentError for what can be expected; anything else is a bug and shown as one."""

    def is_pure(self, config: Any) -> bool:
        """Whether a call has no effect outside of its answer, so that nobody could tell if it was made once more."""
        return False

    def check(self, organisation: Organisation, config: Any, input_schema: Mapping[str, JSON]) -> list[Fault]:
        """Faults that need more than the settings and forbid publishing: an unknown profile. Costs a query or two."""
        return []

    def advice(self, organisation: Organisation, config: Any) -> list[str]:
        """Sentences on what must still be done before it can run: a secret to set. Costs a query or two."""
        return []

    def contract(self, config: Any) -> tuple[dict[str, JSON], dict[str, JSON]] | None:
        """Input and output schema where the settings fix them, so that nobody has to type them."""
        return None


_KINDS: dict[str, AgentKind] = {}


def register(cls: type[AgentKind]) -> type[AgentKind]:
    """Class decorator. Raises ValueError when two kinds claim one word."""
    if cls.kind in _KINDS and type(_KINDS[cls.kind]) is not cls:
        raise ValueError(f"Two kinds of agents call themselves {cls.kind!r}.")
    _KINDS[cls.kind] = cls()
    return cls


def discover() -> None:
    """Import every file of this package; called once by `AgentsConfig.ready`."""
    package = importlib.import_module("agents.kinds")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"agents.kinds.{module.name}")


def agent_kind(kind: str) -> AgentKind:
    """Raises KeyError for an unknown kind."""
    return _KINDS[kind]


def agent_kinds() -> Mapping[str, AgentKind]:
    return dict(sorted(_KINDS.items()))


def kind_choices() -> list[tuple[str, str]]:
    """For forms and models: [("http", "HTTP endpoint"), ...]."""
    return [(kind.kind, str(kind.label)) for kind in agent_kinds().values()]


def config_faults(kind: AgentKind, config: JSON) -> list[Fault]:
    """What is wrong with settings, with the path of each fault; empty when they can be used."""
    try:
        kind.Config.model_validate(config)
    except ValidationError as error:
        return [Fault(_path(one["loc"]), _sentence(one["type"], one["msg"])) for one in error.errors()]
    return []


def _path(location: tuple[int | str, ...]) -> str:
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)


def _sentence(code: str, message: str) -> str:
    if code == "extra_forbidden":
        return "is not a setting of this kind"
    if code == "missing":
        return "is required"
    text = message.removeprefix("Value error, ")
    return text[0].lower() + text[1:]
