"""What goes into a model and what comes out, whichever model it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

JSON = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One question to a model.

    messages: OpenAI chat form, `[{"role": "system" | "user" | "assistant", "content": str}]`.
    output_schema: JSON Schema of the answer, or None for free text.
    deadline: aware datetime; the answer is there by then, or the call fails with the code `timeout`.
    hints: words about the task (the agent's domain and skills), by which the profile `auto` chooses.
    on_text: is given the pieces of the answer as they come, within the event loop; must not block.
    """

    organisation_id: int
    profile: str
    messages: Sequence[Mapping[str, str]]
    output_schema: Mapping[str, JSON] | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    deadline: datetime | None = None
    idempotency_key: str = ""
    on_text: Callable[[str], None] | None = field(default=None, repr=False)
    hints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReply:
    """The answer and what it cost.

    data: the answer parsed and checked against the schema; None when none was asked for.
    cost_usd: None when the model's price is not known. estimated: which of "tokens", "cost" were counted here and not
    reported by the provider. calls: requests made, repair included. reason: why this model was chosen.
    """

    text: str
    data: JSON | None
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    model: str
    profile: str
    reason: str
    finish_reason: str
    repaired: bool = False
    calls: int = 1
    seconds: float = 0.0
    estimated: tuple[str, ...] = ()

    @property
    def usage(self) -> dict[str, JSON]:
        """For the node run: shown on its page, summed into the run's budget."""
        return {
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cost_usd": self.cost_usd,
            "model": self.model,
            "profile": self.profile,
            "reason": self.reason,
            "calls": self.calls,
            "seconds": round(self.seconds, 3),
            "estimated": list(self.estimated),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A concrete model, and the way to it.

    model: in litellm's form, `provider/name`. trusted: the address is the provider's own or the operator's (from the
    environment), so private addresses are allowed; otherwise every connection is checked. prices: USD a million tokens
    (input, output), None where the price list decides.
    """

    model: str
    profile: str
    reason: str
    api_base: str | None = None
    api_key: str | None = field(default=None, repr=False)
    trusted: bool = True
    temperature: float | None = None
    max_tokens: int | None = None
    timeout_seconds: float = 120.0
    prices: tuple[float | None, float | None] = (None, None)

    @property
    def provider(self) -> str:
        return self.model.partition("/")[0]

    @property
    def offline(self) -> bool:
        return self.provider == "offline"
