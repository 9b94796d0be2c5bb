"""A seed: one thing that was found, of which an object of the answer is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.llm.offline import text as reading

JSON = Any


@dataclass(frozen=True, slots=True)
class Seed:
    """text: what to quote. known: values by field name that are certain."""

    text: str
    section: str = ""
    number: str = ""
    known: Mapping[str, JSON] = field(default_factory=dict)


def seed_of(row: Mapping[str, JSON]) -> Seed:
    longest = max((value for value in row.values() if isinstance(value, str)), key=len, default="")
    text = next(
        (str(row[key]) for key in ("text", "requirement", "description", "statement", "title", "name") if row.get(key)),
        longest,
    )
    return Seed(text, str(row.get("section") or row.get("category") or ""), str(row.get("id") or ""), dict(row))


_ALIASES = {
    "text": "statement", "requirement": "statement", "statement": "statement", "description": "statement", "detail": "statement",
    "area": "category", "category": "category", "topic": "category", "type": "category", "ref": "id", "reference": "id", "id": "id",
    "path": "file", "file": "file", "suggestion": "recommendation", "recommendation": "recommendation", "fix": "recommendation",
    "mitigation": "recommendation", "title": "title", "name": "title",
}  # fmt: skip


def meaning_of(key: str) -> str:
    return _ALIASES.get(key.lower(), key.lower())


def alias_of(known: Mapping[str, JSON], name: str) -> JSON:
    """The value of the field, or of one that means the same, or None."""
    if name in known:
        return known[name]
    wanted = meaning_of(name)
    return next((value for key, value in known.items() if key.lower() in _ALIASES and meaning_of(key) == wanted), None)


def distinct(found: Sequence[Seed]) -> list[Seed]:
    kept: list[Seed] = []
    seen: list[set[str]] = []
    for seed in found:
        bag = set(reading.words(seed.text))
        if any(len(bag & other) > 0.85 * max(len(bag), len(other)) for other in seen if other and bag):
            continue
        kept.append(seed)
        seen.append(bag)
    return kept
