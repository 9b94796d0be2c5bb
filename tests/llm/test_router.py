"""From a profile's name to a model: what is found, in which order, and what must never happen with keys."""

from collections.abc import Iterator
from typing import Any

import pytest

from agents.errors import AgentError
from agents.llm import local, router
from agents.llm.types import Target
from agents.models import ModelProfile
from portal.core.actors import Actor
from portal.core.models import Organisation
from portal.core.services import secrets
from tests.provider import Provider


@pytest.fixture
def ollama(monkeypatch: pytest.MonkeyPatch, provider: Provider) -> Iterator[str]:
    """The fake provider answers as Ollama does, too."""
    base = provider.base.removesuffix("/v1")
    monkeypatch.setenv("OLLAMA_HOST", base.removeprefix("http://"))
    yield base


async def one(organisation: Organisation, profile: str, hints: tuple[str, ...] = ()) -> Target:
    router.forget()
    return (await router.resolve(organisation.pk, profile, hints))[0]


async def row(organisation: Organisation, name: str, **values: Any) -> None:
    await ModelProfile.objects.acreate(organisation=organisation, name=name, **values)


async def test_with_nothing_everything_is_offline(organisation: Organisation) -> None:
    for name in ("fast", "quality", "code", "auto", "offline", ""):
        target = await one(organisation, name)
        assert target.offline
    assert "no key and no local model found" in (await one(organisation, "quality")).reason


async def test_key_of_the_environment_is_found(organisation: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MISTRAL_API_KEY", "m-key")
    target = await one(organisation, "code")
    assert (target.model, target.api_key) == ("mistral/codestral-latest", "m-key")
    assert "MISTRAL_API_KEY" in target.reason
    assert "m-key" not in repr(target)


async def test_own_secret_comes_before_the_operators_key(
    organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "of-the-operator")
    await _secret(organisation, "OPENAI_API_KEY", "of-the-organisation")
    target = await one(organisation, "fast")
    assert target.api_key == "of-the-organisation"
    assert "secrets" in target.reason


async def test_search_can_be_limited(organisation: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("MODEL_PROVIDERS", "offline")
    assert (await one(organisation, "fast")).offline
    monkeypatch.setenv("MODEL_PROVIDERS", "mistral, openai")
    assert (await one(organisation, "fast")).provider == "openai"


async def test_ollama_is_found_and_its_models_chosen_by_size(
    organisation: Organisation, ollama: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = [
        local.LocalModel("llama3.2:3b", 2e9),
        local.LocalModel("llama3.3:70b", 4e10),
        local.LocalModel("qwen2.5-coder:7b", 5e9),
    ]

    async def asked(*_: Any) -> local.Server:
        return local.Server("ollama_chat", "Ollama", ollama, tuple(models))

    monkeypatch.setattr(local, "_ask", asked)
    assert (await one(organisation, "fast")).model == "ollama_chat/llama3.2:3b"
    assert (await one(organisation, "quality")).model == "ollama_chat/llama3.3:70b"
    assert (await one(organisation, "code")).model == "ollama_chat/qwen2.5-coder:7b"
    assert (await one(organisation, "code")).api_base == ollama


async def test_openai_compatible_server_is_asked_for_its_models(
    organisation: Organisation, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_API_BASE", provider.base)
    target = await one(organisation, "quality")
    assert (target.model, target.api_base, target.trusted) == ("openai/ok", provider.base, True)


@pytest.mark.parametrize(
    ("hints", "purpose"),
    [
        (("engineering", "code review"), "code"),
        (("legal", "contract review"), "quality"),
        (("support", "triage"), "fast"),
        ((), "fast"),
    ],
)
async def test_auto_chooses_by_the_task(
    organisation: Organisation, monkeypatch: pytest.MonkeyPatch, hints: tuple[str, ...], purpose: str
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    chosen, wanted = await one(organisation, "auto", hints), await one(organisation, purpose)
    assert chosen.model == wanted.model
    assert f"auto took {purpose}" in chosen.reason


async def test_unknown_profile_names_those_there_are(organisation: Organisation) -> None:
    with pytest.raises(AgentError) as caught:
        await one(organisation, "qualty")
    assert caught.value.code == "profile_unknown"
    assert "quality" in caught.value.message


async def test_profile_without_key_is_an_error_and_not_silently_offline(organisation: Organisation) -> None:
    await row(organisation, "mine", model="openai/gpt-5.4")
    with pytest.raises(AgentError) as caught:
        await one(organisation, "mine")
    assert caught.value.code == "authentication"
    assert "OPENAI_API_KEY" in caught.value.message


async def test_fallback_says_why_it_was_taken(organisation: Organisation) -> None:
    await row(organisation, "mine", model="openai/gpt-5.4", fallbacks=["offline"])
    target = await one(organisation, "mine")
    assert target.offline
    assert "no key for OpenAI" in target.reason


async def test_disabled_profile_goes_to_its_fallbacks(organisation: Organisation) -> None:
    await row(organisation, "mine", model="offline/extract", enabled=False, fallbacks=["offline"])
    assert (await one(organisation, "mine")).profile == "offline"


async def test_circle_of_fallbacks_ends(organisation: Organisation) -> None:
    await row(organisation, "a", model="offline/extract", fallbacks=["b"])
    await row(organisation, "b", model="offline/extract", fallbacks=["a"])
    assert [target.profile for target in await router.resolve(organisation.pk, "a")] == ["a", "b"]


# -- keys and addresses -----------------------------------------------------------------------------------------------


async def test_operators_key_never_goes_to_an_address_somebody_typed(
    organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "of-the-operator")
    await row(organisation, "evil", model="openai/gpt-5.4", api_base="https://evil.example/v1")
    target = await one(organisation, "evil")
    assert target.api_key == router.NO_KEY
    assert not target.trusted


@pytest.mark.parametrize("model", ["bedrock/claude", "azure/gpt", "vertex_ai/gemini", "gemini/gemini-2.5-pro"])
async def test_providers_with_credentials_of_the_environment_take_no_address(
    organisation: Organisation, model: str
) -> None:
    await row(organisation, "evil", model=model, api_base="https://evil.example/v1")
    with pytest.raises(AgentError) as caught:
        await one(organisation, "evil")
    assert caught.value.code == "invalid_request"


@pytest.mark.parametrize(
    "base",
    [
        "http://127.0.0.1:9000/v1",
        "http://[::1]/v1",
        "http://10.1.2.3/v1",
        "http://169.254.169.254/latest",
        "http://[::ffff:127.0.0.1]/v1",
        "http://0.0.0.0/v1",
        "http://[64:ff9b::7f00:1]/v1",
        "ftp://example.org",
        "file:///etc/passwd",
        "https://user:password@example.org/v1",
    ],
)
async def test_addresses_inside_the_network_are_refused(organisation: Organisation, base: str) -> None:
    await row(organisation, "inside", model="openai/x", api_base=base)
    with pytest.raises(AgentError) as caught:
        await one(organisation, "inside")
    assert caught.value.code == "address_refused"


async def test_operator_can_allow_an_address(organisation: Organisation, settings: Any) -> None:
    settings.OUTGOING_ALLOW = ["models.internal:8000"]
    await row(organisation, "inside", model="openai/x", api_base="http://models.internal:8000/v1")
    assert (await one(organisation, "inside")).trusted


async def test_secret_that_is_missing_is_named(organisation: Organisation) -> None:
    await row(organisation, "mine", model="openai/gpt-5.4", api_key_secret="OUR_KEY")
    with pytest.raises(AgentError) as caught:
        await one(organisation, "mine")
    assert "OUR_KEY" in caught.value.message


async def test_secret_of_another_organisation_is_not_seen(organisation: Organisation) -> None:
    other = await Organisation.objects.acreate(slug="other", name="Other")
    await _secret(other, "OPENAI_API_KEY", "theirs")
    assert (await one(organisation, "fast")).offline
    assert (await one(other, "fast")).api_key == "theirs"


async def _secret(organisation: Organisation, name: str, value: str) -> None:
    from portal.core.in_threads import in_database

    await in_database(secrets.set_secret, organisation=organisation, name=name, value=value, actor=Actor.command())
