"""What comes back from a provider: a reply read whole or as a stream, counted, priced, and refused if it is empty.

litellm takes `choices: []` for a success, and its own count for the provider's where the provider sends none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from agents.errors import AgentError
from agents.llm import errors, offline, prices
from agents.llm.types import JSON, ModelRequest, Target

_LARGEST_ANSWER = 4_000_000  # characters; a server that never stops must not fill the memory


@dataclass(frozen=True, slots=True)
class Answer:
    """One reply of a provider."""

    text: str
    model: str
    finish_reason: str
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    estimated: frozenset[str]


@dataclass(slots=True)
class Spent:
    """What the requests of one call have cost so far; it is told even when the call fails."""

    target: Target
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = 0.0
    calls: int = 0
    estimated: set[str] = field(default_factory=set)

    def add(self, answer: Answer) -> None:
        self.input_tokens += answer.input_tokens
        self.output_tokens += answer.output_tokens
        self.cost_usd = None if self.cost_usd is None or answer.cost_usd is None else self.cost_usd + answer.cost_usd
        self.estimated |= answer.estimated

    def usage(self) -> dict[str, JSON]:
        return {
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cost_usd": self.cost_usd,
            "model": self.target.model,
            "profile": self.target.profile,
            "reason": self.target.reason,
            "calls": self.calls,
        }


@dataclass(slots=True)
class Raw:
    """A provider's reply as litellm hands it on, before anything was judged."""

    text: str = ""
    finish_reason: str = ""
    model: str = ""
    usage: Any = None
    counted: bool = False
    """The usage figures are litellm's own count, the provider sent none."""


def whole(reply: Any) -> Raw:
    """Of a reply that came in one piece."""
    choices = getattr(reply, "choices", None) or []
    if not choices:
        return Raw(model=reply.model or "", usage=getattr(reply, "usage", None))
    return Raw(
        text=choices[0].message.content or "",
        finish_reason=choices[0].finish_reason or "",
        model=reply.model or "",
        usage=getattr(reply, "usage", None),
    )


async def streamed(reply: Any, request: ModelRequest) -> Raw:
    """Of a reply that comes in chunks; each text goes to `request.on_text`. Raises ValueError when it does not end."""
    raw, parts, length = Raw(), list[str](), 0
    async for chunk in reply:
        raw.model = raw.model or chunk.model or ""
        raw.usage = getattr(chunk, "usage", None) or raw.usage
        if not chunk.choices:
            continue
        raw.finish_reason = chunk.choices[0].finish_reason or raw.finish_reason
        text = chunk.choices[0].delta.content
        if text:
            parts.append(text)
            length += len(text)
            if length > _LARGEST_ANSWER:
                raise ValueError("the answer does not end")
            if request.on_text is not None:
                request.on_text(text)
    raw.text = "".join(parts)
    raw.counted = not any(getattr(chunk, "usage", None) for chunk in getattr(reply, "chunks", []))
    return raw


def priced(litellm: Any, target: Target, raw: Raw, messages: list[dict[str, str]]) -> Answer:
    """With tokens and cost: the reported ones, else counted here and named in `estimated`."""
    input_tokens = int(getattr(raw.usage, "prompt_tokens", 0) or 0)
    output_tokens = int(getattr(raw.usage, "completion_tokens", 0) or 0)
    estimated = {"tokens"} if raw.counted and not target.offline else set()
    if not input_tokens:
        input_tokens = sum(prices.count_tokens(message["content"]) for message in messages)
        output_tokens = output_tokens or prices.count_tokens(raw.text)
        estimated.add("tokens")
    cost = prices.cost(litellm, target, raw.usage, input_tokens, output_tokens)
    if estimated and cost:
        estimated.add("cost")
    return Answer(
        text=raw.text,
        model=offline.NAME if target.offline else target.model,
        finish_reason=raw.finish_reason,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cost_usd=cost,
        estimated=frozenset(estimated),
    )


def refuse_empty(answer: Answer, target: Target, spent: Spent) -> None:
    """Raises AgentError for a reply without text, and for one that the provider's filter has cut."""
    if answer.finish_reason == "content_filter":
        meaning = errors.CONTENT_FILTER
    elif not answer.text.strip():
        meaning = errors.BAD_RESPONSE
    else:
        return
    raise AgentError(
        meaning.message.format(model=target.model) if answer.text.strip() else f"{target.model} sent an empty answer.",
        code=meaning.code,
        retryable=meaning.retryable,
        detail={"model": target.model, "finish_reason": answer.finish_reason},
        usage=spent.usage(),
    )
