"""What a call costs, and that the models chosen by default exist."""

from datetime import date
from typing import Any

import pytest

from agents.llm import library, prices
from agents.llm.providers import PROVIDERS, PURPOSES, Provider
from agents.llm.types import Target


@pytest.fixture(scope="module")
def litellm() -> Any:
    return library.load()


def target(model: str, **values: Any) -> Target:
    return Target(model=model, profile="fast", reason="", **values)


@pytest.mark.parametrize("provider", [one for one in PROVIDERS if one.name != "openrouter"], ids=lambda one: one.name)
def test_default_models_are_on_the_price_list_and_not_withdrawn(litellm: Any, provider: Provider) -> None:
    """OpenRouter passes on what others offer; the list has none of its models."""
    for purpose in PURPOSES:
        model = provider.model(purpose)
        listed = litellm.model_cost.get(model) or litellm.model_cost.get(model.partition("/")[2])
        assert listed, model
        assert date.fromisoformat(listed.get("deprecation_date") or "9999-12-31") > date(2026, 11, 21), model


def test_list_price_counts_both_directions(litellm: Any) -> None:
    found = prices.cost(litellm, target("mistral/mistral-small-latest"), None, 1_000_000, 1_000_000)
    listed = litellm.model_cost["mistral/mistral-small-latest"]
    assert found == pytest.approx(1e6 * (listed["input_cost_per_token"] + listed["output_cost_per_token"]))


def test_profile_price_comes_first(litellm: Any) -> None:
    assert prices.cost(litellm, target("mistral/mistral-small-latest", prices=(1.0, 2.0)), None, 1000, 500) == 0.002


def test_unknown_price_is_none_and_not_zero(litellm: Any) -> None:
    assert prices.cost(litellm, target("openai/somebodys-own-model"), None, 1000, 1000) is None


@pytest.mark.parametrize("model", ["ollama_chat/llama3.2", "offline/extract"])
def test_own_machine_is_free(litellm: Any, model: str) -> None:
    assert prices.cost(litellm, target(model), None, 1000, 1000) == 0


def test_tokens_are_counted_by_length() -> None:
    assert prices.count_tokens("") == 0
    assert prices.count_tokens("a" * 400) == 100
