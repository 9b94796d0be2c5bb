"""What a call cost: the profile's own prices, else litellm's price list, else unknown (None), never a guess of zero."""

from __future__ import annotations

from typing import Any

from agents.llm.types import Target

_MILLION = 1_000_000
_CHARACTERS_A_TOKEN = 4.0
_LOCAL = frozenset({"ollama", "ollama_chat"})


def count_tokens(text: str) -> int:
    """An estimate for replies without usage figures: four characters a token, as OpenAI advises for English."""
    return max(1, round(len(text) / _CHARACTERS_A_TOKEN)) if text else 0


def cost(litellm: Any, target: Target, usage: Any, input_tokens: int, output_tokens: int) -> float | None:
    """USD. `usage` is the reply's own object, so that cached tokens are priced as such."""
    if target.offline or target.provider in _LOCAL:
        return 0.0
    price_in, price_out = target.prices
    if price_in is not None and price_out is not None:
        return (input_tokens * price_in + output_tokens * price_out) / _MILLION
    try:
        known_in, known_out = litellm.cost_per_token(
            model=target.model, prompt_tokens=input_tokens, completion_tokens=output_tokens, usage_object=usage
        )
    except Exception:  # noqa: BLE001 - litellm raises plain exceptions of many kinds for models without a price
        return None
    if known_in + known_out == 0 and input_tokens + output_tokens > 0 and not _listed(litellm, target):
        return None
    if price_in is not None:
        known_in = input_tokens * price_in / _MILLION
    if price_out is not None:
        known_out = output_tokens * price_out / _MILLION
    return float(known_in + known_out)


def _listed(litellm: Any, target: Target) -> bool:
    return target.model in litellm.model_cost or target.model.partition("/")[2] in litellm.model_cost
