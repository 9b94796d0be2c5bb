"""Takes secrets out of whatever leaves the step that needed them: logs, events, prompts, errors, the ledger.

Two nets: the known values of the organisation's secrets (also as base64 and percent-encoded), and patterns of keys
that nobody registered. Patterns are kept narrow, since model output goes through here: prose must survive.
"""

import base64
import functools
import json
import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ahocorasick_rs import AhoCorasick, Implementation, MatchKind

if TYPE_CHECKING:
    from portal.core.models import Organisation

HIDDEN = "[redacted]"
_SHORTEST = 6  # a shorter value would tear holes into ordinary text
_FRESH_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class _Sign:
    """A secret that nobody registered, known by what stands before it or by how it begins.

    One of `words` (in lower case) is in any text that holds it; `pattern` is tried only where one begins, or `before`
    so many characters earlier, and never searched for: what is met at each place of a text of 100 MiB must cost little,
    whatever the text says. `group` is what is taken out.
    """

    words: tuple[str, ...]
    pattern: re.Pattern[str]
    group: int = 0
    before: tuple[int, ...] = (0,)


_GIVEN = r"(?:=|\"\s*:\s*\"|'\s*:\s*')([^\s\"'&,;]{4,})"
_PATTERNS: tuple[_Sign, ...] = (
    _Sign(("ens_",), re.compile(r"\bens_[0-9a-f]{8}_[A-Za-z0-9_-]{20,}")),
    _Sign(("k-", "k_"), re.compile(r"\b(?:sk|rk|pk)[-_][A-Za-z0-9_-]{16,}"), before=(1,)),
    _Sign(("akia", "asia"), re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    _Sign(("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), re.compile(r"\bgh[pousr]_[A-Za-z0-9]{30,}")),
    _Sign(("xox",), re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}")),
    _Sign(("aiza",), re.compile(r"\bAIza[0-9A-Za-z_-]{30,}")),
    _Sign(
        ("bearer", "basic"),
        re.compile(r"(?i)\b(?:bearer|basic)\s+(?=[A-Za-z._~+/=-]*[0-9])([A-Za-z0-9._~+/=-]{16,})"),
        group=1,
    ),
    _Sign(
        ("password", "passwd", "pwd", "secret", "token"),
        re.compile(rf"(?i)(?:password|passwd|pwd|secret|token){_GIVEN}"),
        group=1,
    ),
    _Sign(("key",), re.compile(rf"(?i)api[_-]?key{_GIVEN}"), group=1, before=(3, 4)),
    _Sign(("://",), re.compile(r"(?<=[A-Za-z0-9+.-])://[^/\s:@]*:([^/\s@]+)@"), group=1),
    _Sign(("-----begin",), re.compile(r"-----BEGIN ([A-Z ]{0,40})PRIVATE KEY-----")),
)
_PRIVATE_KEY = _PATTERNS[-1]
_SIGNS = {word: sign for sign in _PATTERNS for word in sign.words}
_SORTED = sorted(_SIGNS)
_PIECE, _LONGEST_KEY = 256 * 1024, 32 * 1024
_ASCII_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_WORDS = AhoCorasick(_SORTED, implementation=Implementation.DFA)
_LONGEST_WORD = max(map(len, _SORTED))
_WORDS_IN_JSON: dict[str, re.Pattern[str] | None] = {
    **dict.fromkeys(_SORTED),
    **dict.fromkeys(("k-", "k_"), re.compile(r"k[-_][A-Za-z0-9_-]{16}")),  # and not each benchmark-step
    "authorization": None,
    "cookie": None,  # the rest of _SECRET_KEYS has a word of _PATTERNS
    "\\u212a": None,  # the Kelvin sign, which is a k in lower case
}
"""Words of which a JSON text that holds a secret has one, and what must then be in it besides (no `\\b`: escapes)."""
_SIGNS_IN_JSON = AhoCorasick(list(_WORDS_IN_JSON), implementation=Implementation.DFA)

_SECRET_KEYS = re.compile(
    r"(?i)^(?:password|passwd|pwd|secret|client[_-]?secret|api[_-]?key|x-api-key|authorization|proxy-authorization"
    r"|cookie|set-cookie|access[_-]?token|refresh[_-]?token|private[_-]?key)$"
)

_lock = threading.Lock()
_values: dict[int, frozenset[str]] = {}  # organisation id -> every form of every value this process has met
_asked_at: dict[int, float] = {}
_known: dict[int | None, "_Known"] = {}


class _Known:
    """Values that must not appear. However many there are, one look at a text finds all of them."""

    def __init__(self, values: Iterable[str]) -> None:
        self._any = words = sorted(values)
        longest = MatchKind.LeftmostLongest  # so that no remainder of a longer one shows
        self._in_text = AhoCorasick(words, matchkind=longest)
        self._in_json = AhoCorasick([json.dumps(word)[1:-1] for word in words])

    def taken_out(self, text: str) -> str:
        if not self._any:
            return text
        parts, end = [], 0
        for _, start, after in self._in_text.find_matches_as_indexes(text):
            parts += [text[end:start], HIDDEN]
            end = after
        return "".join([*parts, text[end:]]) if parts else text

    def within(self, json_text: str) -> bool:
        """Whether any is in the JSON."""
        return bool(self._any) and bool(self._in_json.find_matches_as_indexes(json_text))


def redact(value: Any, organisation: "Organisation | None" = None) -> Any:
    """A copy of JSON-like `value` with secrets replaced by `[redacted]`.

    With an organisation: its own secrets (looked up again after 15 seconds; needs database access). Without: all that
    this process has met, which costs no query and is what logs and coroutines use.
    """
    if organisation is not None:
        _look_up(organisation)
        return _walk(value, _known_of(organisation.pk))
    return _walk(value, _known_of(None))


def surely_clean(text: str) -> bool:
    """Whether `redact` would change nothing in the JSON that `text` is (as `json.dumps` writes it, in ASCII).

    True is certain; False says nothing. One look at the whole text, where `redact` looks at each of its parts.
    """
    if _known_of(None).within(text):
        return False
    signs = [_WORDS_IN_JSON[word] for word in _SIGNS_IN_JSON.find_matches_as_strings(text.lower(), overlapping=True)]
    return not any(sign is None or sign.search(text) for sign in signs)


def known_secrets() -> object:
    """Another object whenever this process knows of more secrets: what was worked out before may be clean no more."""
    return _known_of(None)


def remember(organisation_id: int, values: Iterable[str]) -> None:
    """Add values that must not appear; called by the secrets store whenever it holds plain text."""
    forms = frozenset(form for value in values if len(value) >= _SHORTEST for form in _forms(value))
    with _lock:
        known = _values.get(organisation_id, frozenset())
        if not forms <= known:
            _values[organisation_id] = known | forms
            _known.clear()


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


def _known_of(organisation_id: int | None) -> _Known:
    """Of one organisation; of all with None."""
    known = _known.get(organisation_id)
    if known is not None:
        return known
    with _lock:
        if organisation_id not in _known:
            sets = _values.values() if organisation_id is None else [_values.get(organisation_id, frozenset())]
            _known[organisation_id] = _Known({word for one in sets for word in one})
        return _known[organisation_id]


def _walk(value: Any, known: _Known) -> Any:
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
def _key(key: str, known: _Known) -> str:
    """Keys are the same few words again and again."""
    return _text(key, known)


def _text(text: str, known: _Known) -> str:
    if len(text) < _SHORTEST:
        return text
    text = known.taken_out(text)
    parts, end = [], 0
    for start, after in _signs(text):
        if start >= end:
            parts += [text[end:start], HIDDEN]
        end = max(end, after)
    return "".join([*parts, text[end:]]) if parts else text


def _signs(text: str) -> Iterator[tuple[int, int]]:
    """Where secrets by their looks are: (start, end), in order; they may overlap."""
    covered: dict[_Sign, int] = {}
    for words in _words(text):
        spans = list[tuple[int, int]]()
        for word, at in words:
            sign = _SIGNS[word]
            if at >= covered.get(sign, 0) and (span := _span(sign, text, at)):
                covered[sign] = span[1]
                spans.append(span)
        yield from sorted(spans)


def _span(sign: _Sign, text: str, at: int) -> tuple[int, int] | None:
    """Of the secret whose word is there."""
    tried = (sign.pattern.match(text, at - back) for back in sign.before if at >= back)
    found = next(filter(None, tried), None)
    if found is None or sign is not _PRIVATE_KEY:
        return found.span(sign.group) if found else None
    ending = f"-----END {found[1]}PRIVATE KEY-----"
    end = text.find(ending, found.end(), found.end() + _LONGEST_KEY)
    return (at, end + len(ending)) if end >= 0 else None


def _words(text: str) -> Iterator[list[tuple[str, int]]]:
    """Each word of `_SIGNS` in the text with its place, a piece at a time: there may be millions of them."""
    for begin in range(0, len(text), _PIECE):
        piece = text[begin : begin + _PIECE + _LONGEST_WORD - 1]
        lowered = piece.lower()
        if len(lowered) != len(piece):  # a capital that is two characters when it is small
            lowered = piece.translate(_ASCII_LOWER)
        if found := _WORDS.find_matches_as_indexes(lowered, overlapping=True):
            yield [(_SORTED[number], begin + start) for number, start, _ in found if start < _PIECE]


def _forms(value: str) -> set[str]:
    raw = value.encode()
    encoded = base64.b64encode(raw).decode()
    return {value, quote(value, safe=""), encoded, encoded.rstrip("="), base64.urlsafe_b64encode(raw).decode()}
