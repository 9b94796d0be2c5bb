"""From the name of a profile to the models to ask, in order, each with the reason why.

1. A profile that names a model is taken at its word, with its own address and key; its fallbacks come after it. It
   never becomes the offline model by itself: an answer that is no model's must be asked for.
2. A profile whose model is `auto`, and the built-in names `fast`, `quality`, `code`, `auto` without a row, take the
   best that is found: a key among the organisation's secrets, a key in the environment, the server of
   `MODEL_API_BASE`, a local Ollama, else the offline model. `MODEL_PROVIDERS=offline` (or `openai,ollama`, ...) limits
   the search.

Keys of the environment are the operator's: they go to the provider itself or to an address the operator names, never to
an address that an organisation typed in.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace

from agents.errors import AgentError
from agents.llm import connections, local
from agents.llm.providers import BY_NAME, CODE, FAST, KEY_NAMES, MOVABLE, PROVIDERS, PURPOSES, QUALITY, purpose_of
from agents.llm.types import Target
from agents.models import ModelProfile
from portal.core import redaction
from portal.core.in_threads import in_database
from portal.core.models import Organisation, Secret
from portal.core.services import secrets

AUTO, OFFLINE = "auto", "offline"
BUILT_IN = (FAST, QUALITY, CODE, AUTO, OFFLINE)
OFFLINE_MODEL = "offline/extract"
NO_KEY = "not-needed"  # litellm would otherwise look for a key of its own in the environment

_FRESH_SECONDS = 5.0
_MOST_TARGETS = 6


@dataclass(frozen=True, slots=True)
class Settings:
    """What the database says about one organisation; read in one go, kept for some seconds."""

    profiles: dict[str, ModelProfile]
    default: str | None
    keys: dict[str, str]
    """By secret name: those that profiles name, and those that are called as a provider's variable."""
    read_at: float


_settings: dict[int, Settings] = {}


def forget() -> None:
    """Drop what is remembered of databases and servers (after a change, and between tests)."""
    _settings.clear()
    local.forget()


async def resolve(organisation_id: int, profile: str, hints: tuple[str, ...] = ()) -> list[Target]:
    """Targets to try in order, at least one. Raises AgentError: profile_unknown, profile_disabled, ..."""
    settings = await _settings_of(organisation_id)
    name = profile or settings.default or AUTO
    targets: list[Target] = []
    problem: AgentError | None = None
    queue, seen = [name], set[str]()
    while queue and len(targets) < _MOST_TARGETS:
        current = queue.pop(0)
        if current in seen:
            continue
        seen.add(current)
        row = settings.profiles.get(current)
        try:
            targets.append(await _target(current, row, settings, hints))
        except AgentError as error:
            problem = problem or error
        queue.extend(str(other) for other in (row.fallbacks if row else []))
    redaction.remember(organisation_id, [target.api_key for target in targets if target.api_key not in (None, NO_KEY)])
    if not targets:
        raise problem or AgentError(f"There is no model profile {name!r}.", code="profile_unknown")
    if problem is not None:
        first = targets[0]
        targets[0] = replace(first, reason=f"{first.reason}; before it: {problem.message}")
    return targets


async def _target(name: str, row: ModelProfile | None, settings: Settings, hints: tuple[str, ...]) -> Target:
    if row is None:
        if name not in BUILT_IN:
            known = ", ".join(sorted({*settings.profiles, *BUILT_IN}))
            raise AgentError(
                f"There is no model profile {name!r} (there are: {known}).", code="profile_unknown", retryable=False
            )
        return await _found(name, name, settings, hints)
    if not row.enabled:
        raise AgentError(f"The model profile {name!r} is switched off.", code="profile_disabled")
    if row.model == AUTO:
        target = await _found(name, name if name in BUILT_IN else AUTO, settings, hints)
    else:
        target = _named(row, settings)
    return replace(
        target,
        temperature=row.temperature,
        max_tokens=row.max_tokens,
        timeout_seconds=float(row.timeout_seconds),
        prices=(_number(row.input_price_usd), _number(row.output_price_usd)),
    )


def _named(row: ModelProfile, settings: Settings) -> Target:
    """The model that a profile names. A bare model name means OpenAI's."""
    model = row.model if "/" in row.model else f"openai/{row.model}"
    provider = model.partition("/")[0]
    reason = f"the profile {row.name} names it"
    if provider == OFFLINE:
        return Target(model=OFFLINE_MODEL, profile=row.name, reason=reason)
    secret = None
    if row.api_key_secret:
        secret = settings.keys.get(row.api_key_secret)
        if not secret:
            raise AgentError(
                f"The model profile {row.name!r} takes its key from the secret {row.api_key_secret!r}, which "
                "cannot be read.",
                code="authentication",
            )
    if row.api_base:
        return _at_address(row, model, provider, secret, reason)
    if provider.startswith("ollama"):
        model = f"ollama_chat/{model.partition('/')[2]}"
        return Target(model=model, profile=row.name, reason=reason, api_base=local.ollama_base(), api_key=NO_KEY)
    known = BY_NAME.get(provider)
    if known is None:  # litellm knows it and finds its credentials in the environment (Bedrock, Vertex, Azure, ...)
        return Target(model=model, profile=row.name, reason=reason, api_key=secret)
    key = secret or _key(known.key_names, settings)[0]
    if not key:
        raise AgentError(
            f"The model profile {row.name!r} names {model}, and there is no key for {known.label}: set "
            f"{known.key_names[0]} as a secret of the organisation or in the environment.",
            code="authentication",
        )
    return Target(model=model, profile=row.name, reason=reason, api_key=key, api_base=_base(known.base_names))


def _at_address(row: ModelProfile, model: str, provider: str, secret: str | None, reason: str) -> Target:
    base = row.api_base.rstrip("/")
    trusted = base in local.trusted_bases()
    if not trusted:
        if provider not in MOVABLE:
            raise AgentError(
                f"The model profile {row.name!r} gives an address, which {provider} models cannot have. For an "
                "OpenAI-compatible server write the model as openai/<name>.",
                code="invalid_request",
            )
        try:
            trusted = connections.check(base)
        except ValueError as error:
            raise AgentError(f"Model profile {row.name!r}: {error}", code="address_refused") from error
    key = secret or (local.configured_key() if trusted and base == local.configured_base() else "") or NO_KEY
    return Target(model=model, profile=row.name, reason=reason, api_base=base, api_key=key, trusted=trusted)


async def _found(profile: str, wish: str, settings: Settings, hints: tuple[str, ...]) -> Target:
    """The best model there is for `wish`: fast, quality, code, auto or offline."""
    if wish == OFFLINE:
        return Target(model=OFFLINE_MODEL, profile=profile, reason="the profile offline asks for it")
    purpose, why = wish, ""
    if wish not in PURPOSES:
        purpose, word = purpose_of(hints)
        why = f"auto took {purpose}" + (f" because of “{word}”; " if word else "; ")
    allowed = _allowed()
    for provider in PROVIDERS:
        if allowed and provider.name not in allowed:
            continue
        key, where = _key(provider.key_names, settings)
        if key:
            return Target(
                model=provider.model(purpose),
                profile=profile,
                reason=f"{why}{provider.label}: a key is in {where}",
                api_key=key,
                api_base=_base(provider.base_names),
            )
    if not allowed or "local" in allowed or "ollama" in allowed:
        for server in (await local.endpoint(), await local.ollama()):
            if server:
                key = local.configured_key() if server.prefix == "openai" else ""
                return Target(
                    model=server.model(purpose),
                    profile=profile,
                    reason=f"{why}{server.label} answers at {server.base}",
                    api_base=server.base,
                    api_key=key or NO_KEY,
                )
    limit = f" (MODEL_PROVIDERS allows only {', '.join(sorted(allowed))})" if allowed else ""
    return Target(model=OFFLINE_MODEL, profile=profile, reason=f"{why}no key and no local model found{limit}: offline")


def _allowed() -> frozenset[str]:
    """`MODEL_PROVIDERS`: names of providers to look for, `local`, `ollama` or `offline`; empty means all."""
    return frozenset(word.strip() for word in os.environ.get("MODEL_PROVIDERS", "").lower().split(",") if word.strip())


def _key(names: tuple[str, ...], settings: Settings) -> tuple[str, str]:
    """A key and where it was: the organisation's own comes before the operator's."""
    for name in names:
        if value := settings.keys.get(name):
            return value, "the organisation's secrets"
    for name in names:
        if value := os.environ.get(name, "").strip():
            return value, f"the environment ({name})"
    return "", ""


def _base(names: tuple[str, ...]) -> str | None:
    return next((base for name in names if (base := os.environ.get(name, "").rstrip("/"))), None)


async def _settings_of(organisation_id: int) -> Settings:
    known = _settings.get(organisation_id)
    if known and time.monotonic() - known.read_at < _FRESH_SECONDS:
        return known
    fresh = await in_database(lambda: _read(organisation_id))
    _settings[organisation_id] = fresh
    return fresh


def _read(organisation_id: int) -> Settings:
    """Three queries and one more a key. A secret that cannot be read counts as missing; using it says so."""
    organisation = Organisation.objects.get(pk=organisation_id)
    rows = {row.name: row for row in ModelProfile.objects.filter(organisation=organisation)}
    wanted = {row.api_key_secret for row in rows.values() if row.api_key_secret} | set(KEY_NAMES)
    there = Secret.objects.filter(organisation=organisation, name__in=wanted).values_list("name", flat=True)
    keys = {}
    for name in there:
        try:
            keys[name] = secrets.read(organisation, name)
        except (secrets.SecretMissing, secrets.SecretUnreadable):
            continue
    default = next((row.name for row in rows.values() if row.is_default), None)
    return Settings(profiles=rows, default=default, keys=keys, read_at=time.monotonic())


def _number(value: object) -> float | None:
    return None if value is None else float(str(value))
