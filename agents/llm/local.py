"""Models on this machine or in this network: Ollama, and one OpenAI-compatible server that the operator names.

Both are the operator's choice (the environment), so private addresses are allowed. The answer to "is it there, and with
which models?" is remembered for a minute; asking takes at most a third of a second.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from agents.llm.providers import CODE, FAST

_PROBE_SECONDS = 0.35
_FRESH_SECONDS = 60.0
_CODE_NAMES = re.compile(r"code|coder|devstral|starcoder", re.I)
_NO_CHAT = re.compile(r"embed|rerank|bge-|minilm|whisper|ocr|guard", re.I)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*b\b", re.I)


@dataclass(frozen=True, slots=True)
class LocalModel:
    name: str
    size: float
    """Bytes, or billions of parameters, or 0: only compared within one server."""


@dataclass(frozen=True, slots=True)
class Server:
    prefix: str
    """litellm's provider: ollama_chat or openai."""
    label: str
    base: str
    models: tuple[LocalModel, ...]

    def model(self, purpose: str) -> str:
        """The smallest for `fast`, one made for code for `code`, the largest otherwise."""
        chosen = min(self.models, key=lambda one: (one.size, one.name))
        if purpose != FAST:
            coders = [one for one in self.models if _CODE_NAMES.search(one.name)] if purpose == CODE else []
            chosen = max(coders or self.models, key=lambda one: (one.size, one.name))
        return f"{self.prefix}/{chosen.name}"


_found: dict[str, tuple[float, Server | None]] = {}


def forget() -> None:
    _found.clear()


def configured_base() -> str:
    """`MODEL_API_BASE`: an OpenAI-compatible server (vLLM, llama.cpp, LM Studio, a gateway)."""
    return os.environ.get("MODEL_API_BASE", "").rstrip("/")


def configured_key() -> str:
    return os.environ.get("MODEL_API_KEY", "")


def ollama_base() -> str:
    """`OLLAMA_HOST` as Ollama itself reads it: with or without scheme and port; 0.0.0.0 means here."""
    raw = os.environ.get("OLLAMA_HOST", "") or "127.0.0.1:11434"
    if "://" not in raw:
        raw = f"http://{raw}"
    parts = urlsplit(raw)
    host = parts.hostname or "127.0.0.1"
    host = "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104 - read, not bound
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}:{parts.port or 11434}"


def trusted_bases() -> set[str]:
    """Addresses that the operator vouches for."""
    named = [os.environ.get(name, "") for name in ("OPENAI_API_BASE", "OPENAI_BASE_URL")]
    return {base.rstrip("/") for base in (configured_base(), ollama_base(), f"{ollama_base()}/v1", *named) if base}


async def endpoint() -> Server | None:
    """The server of `MODEL_API_BASE`. `MODEL_NAME` says the model; otherwise the server is asked for its list."""
    base = configured_base()
    if not base:
        return None
    if name := os.environ.get("MODEL_NAME", ""):
        return Server("openai", "MODEL_API_BASE", base, (LocalModel(name, 0.0),))
    return await _ask(f"{base}/models", "openai", "MODEL_API_BASE", base)


async def ollama() -> Server | None:
    base = ollama_base()
    return await _ask(f"{base}/api/tags", "ollama_chat", "Ollama", base)


async def _ask(url: str, prefix: str, label: str, base: str) -> Server | None:
    known = _found.get(url)
    if known and time.monotonic() - known[0] < _FRESH_SECONDS:
        return known[1]
    headers = {"Authorization": f"Bearer {configured_key()}"} if configured_key() and prefix == "openai" else {}
    server = None
    try:
        # A proxy of the environment is for the world outside, not for this.
        async with httpx.AsyncClient(timeout=_PROBE_SECONDS, trust_env=False, follow_redirects=False) as client:
            answer = await client.get(url, headers=headers)
        if answer.status_code == httpx.codes.OK:
            models = _models(answer.json())
            server = Server(prefix, label, base, models) if models else None
    except (httpx.HTTPError, ValueError):
        server = None  # nothing there, or nothing we know how to talk to
    _found[url] = (time.monotonic(), server)
    return server


def _models(answer: object) -> tuple[LocalModel, ...]:
    """Of Ollama's `/api/tags` (`{"models": [{"name", "size"}]}`) or OpenAI's `/models` (`{"data": [{"id"}]}`)."""
    if not isinstance(answer, dict):
        return ()
    rows = [row for row in answer.get("models") or answer.get("data") or [] if isinstance(row, dict)]
    models = []
    for row in rows:
        name = str(row.get("name") or row.get("id") or "")
        size = row.get("size")
        if not name or _NO_CHAT.search(name):
            continue
        guess = _SIZE.search(name)
        models.append(
            LocalModel(name, float(size) if isinstance(size, int | float) else float(guess[1]) if guess else 0.0)
        )
    return tuple(models)
