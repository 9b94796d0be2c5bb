"""The providers found by a key alone, and which of their models stands for which purpose.

Chosen for price and strength as litellm's price list of the required version shows them; a model profile overrides any
of it. Providers are listed in the order in which they are preferred when several keys are there.
"""

from __future__ import annotations

from dataclasses import dataclass

FAST, QUALITY, CODE = "fast", "quality", "code"
PURPOSES = (FAST, QUALITY, CODE)


@dataclass(frozen=True, slots=True)
class Provider:
    name: str
    """litellm's prefix of the model name."""
    label: str
    key_names: tuple[str, ...]
    """Environment variables, and secrets of the organisation, that hold the key."""
    fast: str
    quality: str
    code: str
    base_names: tuple[str, ...] = ()
    """Environment variables by which the operator may name another address."""

    def model(self, purpose: str) -> str:
        return f"{self.name}/{getattr(self, purpose)}"


PROVIDERS = (
    Provider(
        name="anthropic",
        label="Anthropic",
        key_names=("ANTHROPIC_API_KEY",),
        fast="claude-haiku-4-5",
        quality="claude-opus-4-6",
        code="claude-sonnet-4-6",
        base_names=("ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL"),
    ),
    Provider(
        name="openai",
        label="OpenAI",
        key_names=("OPENAI_API_KEY",),
        fast="gpt-5.4-mini",
        quality="gpt-5.4",
        code="gpt-5.4",
        base_names=("OPENAI_API_BASE", "OPENAI_BASE_URL"),
    ),
    Provider(
        name="gemini",
        label="Google Gemini",
        key_names=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        fast="gemini-flash-latest",
        quality="gemini-2.5-pro",
        code="gemini-2.5-pro",
    ),
    Provider(
        name="mistral",
        label="Mistral",
        key_names=("MISTRAL_API_KEY",),
        fast="mistral-small-latest",
        quality="mistral-large-latest",
        code="codestral-latest",
    ),
    Provider(
        name="deepseek",
        label="DeepSeek",
        key_names=("DEEPSEEK_API_KEY",),
        fast="deepseek-v4-flash",
        quality="deepseek-v4-pro",
        code="deepseek-v4-flash",
    ),
    Provider(
        name="xai",
        label="xAI",
        key_names=("XAI_API_KEY",),
        fast="grok-4.20-non-reasoning",
        quality="grok-4.20-reasoning",
        code="grok-code-fast-1",
    ),
    Provider(
        name="groq",
        label="Groq",
        key_names=("GROQ_API_KEY",),
        fast="openai/gpt-oss-20b",
        quality="openai/gpt-oss-120b",
        code="openai/gpt-oss-120b",
    ),
    Provider(
        name="cerebras",
        label="Cerebras",
        key_names=("CEREBRAS_API_KEY",),
        fast="gpt-oss-120b",
        quality="gpt-oss-120b",
        code="gpt-oss-120b",
    ),
    Provider(
        name="openrouter",
        label="OpenRouter",
        key_names=("OPENROUTER_API_KEY",),
        fast="openai/gpt-oss-20b",
        quality="openai/gpt-oss-120b",
        code="openai/gpt-oss-120b",
    ),
)
BY_NAME = {provider.name: provider for provider in PROVIDERS}
KEY_NAMES = tuple(name for provider in PROVIDERS for name in provider.key_names)

# Providers that may be pointed at an address an organisation typed in: their only credential is the key passed with the
# call, so nothing of the operator's environment can be lured there, and they connect through our checked session.
MOVABLE = frozenset({"openai", "hosted_vllm", "ollama_chat", "anthropic"})


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CODE_HINTS = _words(
    """
    code coding engineering programming review diff refactoring testing debugging sql database frontend
    backend devops ci deployment security infrastructure
    """
)
_QUALITY_HINTS = _words(
    """
    legal law contract proposal strategy analysis architecture finance pricing writing risk audit research
    planning negotiation compliance
    """
)


def purpose_of(hints: tuple[str, ...]) -> tuple[str, str]:
    """What the profile `auto` takes for a task with these hints (domain and skills), and by which word."""
    words = [word for hint in hints for word in hint.lower().replace("-", " ").replace("_", " ").split()]
    for word in words:  # the first that says anything: the domain comes before the skills
        if word in _CODE_HINTS:
            return CODE, word
        if word in _QUALITY_HINTS:
            return QUALITY, word
    return FAST, ""
