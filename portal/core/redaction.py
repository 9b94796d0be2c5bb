"""Takes secrets out of whatever leaves the step that needed them: logs, events, prompts, errors, the ledger.

Two nets: the known values of the organisation's secrets (also as base64 and percent-encoded), and patterns of keys
that nobody registered. Patterns are kept narrow, since model output goes through here: prose must survive.
"""

import base64
import functools
import re
import threading
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from portal.core.models import Organisation

HIDDEN = "[redacted]"
_SHORTEST = 6  # a shorter value would tear holes into ordinary text
_FRESH_SECONDS = 15.0

# Each with words of which at least one is in any text it matches, in lower case: looking for them takes a tenth of the
# pattern's time, and most texts have none.
_PATTERNS: tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...] = (
    (("ens_",), re.compile(r"\bens_[0-9a-f]{8}_[A-Za-z0-9_-]{20,}"), HIDDEN),
    (("k-", "k_"), re.compile(r"\b(?:sk|rk|pk)[-_][A-Za-z0-9_-]{16,}"), HIDDEN),
    (("akia", "asia"), re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"), HIDDEN),
    (("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), re.compile(r"\bgh[pousr]_[A-Za-z0-9]{30,}"), HIDDEN),
    (("xox",), re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}"), HIDDEN),
    (("aiza",), re.compile(r"\bAIza[0-9A-Za-z_-]{30,}"), HIDDEN),
    (
        ("bearer", "basic"),
        re.compile(r"(?i)\b(bearer|basic)(\s+)(?=[A-Za-z._~+/=-]*[0-9])[A-Za-z0-9._~+/=-]{16,}"),
        rf"\1\2{HIDDEN}",
    ),
    (
        ("password", "passwd", "pwd", "secret", "key", "token"),
        re.compile(
            r"(?i)((?:password|passwd|pwd|secret|api[_-]?key|access[_-]?token|refresh[_-]?token|token)"
            r"(?:=|\"\s*:\s*\"|'\s*:\s*'))([^\s\"'&,;]{4,})"
        ),
        rf"\1{HIDDEN}",
    ),
    (("://",), re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://[^/\s:@]*:)([^/\s@]+)(@)"), rf"\1{HIDDEN}\3"),
    (
        ("-----begin",),
        re.compile(r"-----BEGIN ([A-Z ]*)PRIVATE KEY-----.*?-----END \1PRIVATE KEY-----", re.DOTALL),
        HIDDEN,
    ),
)
_WORDS = tuple(word for words, _, _ in _PATTERNS for word in words)
_SECRET_KEYS = re.compile(
    r"(?i)^(?:password|passwd|pwd|secret|client[_-]?secret|api[_-]?key|x-api-key|authorization|proxy-authorization"
    r"|cookie|set-cookie|access[_-]?token|refresh[_-]?token|private[_-]?key)$"
)

_lock = threading.Lock()
_values: dict[int, frozenset[str]] = {}  # organisation id -> every form of every value this process has met
_asked_at: dict[int, float] = {}
_compiled: dict[int | None, re.Pattern[str] | None] = {}


def redact(value: Any, organisation: "Organisation | None" = None) -> Any:
    """A copy of JSON-like `value` with secrets replaced by `[redacted]`.

    With an organisation: its own secrets (looked up again after 15 seconds; needs database access). Without: all that
    this process has met, which costs no query and is what logs and coroutines use.
    """
    if organisation is not None:
        _look_up(organisation)
        return _walk(value, _pattern_for(organisation.pk))
    return _walk(value, _pattern_for(None))


def remember(organisation_id: int, values: Iterable[str]) -> None:
    """Add values that must not appear; called by the secrets store whenever it holds plain text."""
    forms = frozenset(form for value in values if len(value) >= _SHORTEST for form in _forms(value))
    with _lock:
        known = _values.get(organisation_id, frozenset())
        if not forms <= known:
            _values[organisation_id] = known | forms
            _compiled.clear()


def processor(logger: object, method: str, event: Any) -> Any:
    """structlog processor: the last but one, before the line is rendered."""
    return redact(dict(event))


def _look_up(organisation: "Organisation") -> None:
    from portal.core.services import secrets

    now = time.monotonic()
    if now - _asked_at.get(organisation.pk, float("-inf")) < _FRESH_SECONDS:
        return
    _asked_at[organisation.pk] = now
    remember(organisation.pk, secrets.values_of(organisation))


def _pattern_for(organisation_id: int | None) -> re.Pattern[str] | None:
    """One alternation of all known values, the longest first, so that no remainder of a longer one shows."""
    with _lock:
        if organisation_id not in _compiled:
            sets = _values.values() if organisation_id is None else [_values.get(organisation_id, frozenset())]
            words = sorted({word for one in sets for word in one}, key=len, reverse=True)
            _compiled[organisation_id] = re.compile("|".join(map(re.escape, words))) if words else None
        return _compiled[organisation_id]


def _walk(value: Any, known: re.Pattern[str] | None) -> Any:
    if isinstance(value, str):
        return _text(value, known)
    if isinstance(value, Mapping):
        return {
            _key(key, known) if isinstance(key, str) else key: HIDDEN
            if isinstance(key, str) and isinstance(item, str) and item and _SECRET_KEYS.match(key)
            else _walk(item, known)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_walk(item, known) for item in value]
    if isinstance(value, bytes):
        return _text(value.decode(errors="replace"), known)
    return value


@functools.lru_cache(maxsize=4096)
def _key(key: str, known: re.Pattern[str] | None) -> str:
    """Keys are the same few words again and again."""
    return _text(key, known)


def _text(text: str, known: re.Pattern[str] | None) -> str:
    if len(text) < _SHORTEST:
        return text
    if known is not None:
        text = known.sub(HIDDEN, text)
    lowered = text.lower()
    for word in _WORDS:
        if word in lowered:
            break
    else:
        return text
    for words, pattern, replacement in _PATTERNS:
        if any(word in lowered for word in words):
            text = pattern.sub(replacement, text)
    return text


def _forms(value: str) -> set[str]:
    raw = value.encode()
    encoded = base64.b64encode(raw).decode()
    return {value, quote(value, safe=""), encoded, encoded.rstrip("="), base64.urlsafe_b64encode(raw).decode()}
