"""What fields of items and of the whole share: labels, dates, languages, types."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from agents.llm.offline import areas, labels
from agents.llm.offline import text as reading
from agents.llm.offline.figures import Figure, figures
from agents.llm.offline.material import Material

JSON = Any


def label_for(name: str, words: list[str], text: str, section: str, schema: Mapping[str, JSON]) -> str:
    """One of `words` for a text: by the scale they belong to, else by their own meaning."""
    levels = {word.lower(): word for word in words}
    if set(levels) <= {*labels.SEVERITY, "none", "informational", "blocker", "major", "minor", "trivial"}:
        found = labels.severity(text)
        same = {"critical": "blocker", "high": "major", "medium": "minor", "low": "trivial", "info": "informational"}
        return levels.get(found) or levels.get(same[found]) or nearest(found, levels, words)
    if {"must", "should"} & set(levels):
        return levels.get(labels.priority(text), words[0])
    if {"positive", "negative"} <= set(levels):
        return levels.get(labels.sentiment(text).label, levels.get("neutral", words[0]))
    if {"p1", "p2"} <= set(levels) or {"urgent", "normal"} <= set(levels):
        rank = labels.SEVERITY.index(labels.severity(text))
        return words[min(rank, len(words) - 1)]
    area = areas.area_of(text, section)
    if same_area := same_label(area, words):
        return same_area
    near = [word for word in words if set(reading.words(word.replace("_", " "))) & set(reading.words(area))]
    chosen = labels.by_labels(f"{text} {section}", words, _meanings(schema))
    return near[0] if near and chosen.score < 0.6 else chosen.label


def nearest(severity: str, levels: Mapping[str, str], words: list[str]) -> str:
    order = [word for word in labels.SEVERITY if word in levels]
    rank = labels.SEVERITY.index(severity)
    return levels[min(order, key=lambda word: abs(labels.SEVERITY.index(word) - rank))] if order else words[0]


def same_label(value: str, words: list[str]) -> str | None:
    plain = re.sub(r"\W+", "_", value.lower())
    return next((word for word in words if re.sub(r"\W+", "_", word.lower()) == plain), None)


def _meanings(schema: Mapping[str, JSON]) -> dict[str, str]:
    """What the field's description says of its values: "spam: advertising; threat: ..."."""
    return {
        match[1].strip(): match[2].strip()
        for match in re.finditer(r"([\w-]+)\s*(?:=|:|–|\()\s*([^;,.)]+)", str(schema.get("description", "")))
    }


def amount_of(figure: Figure) -> float:
    return float(figure.value) if isinstance(figure.value, int | float) else 0.0


def truth(name: str, text: str) -> bool:
    wanted = set(reading.words(name.replace("_", " ")))
    return bool(wanted) and wanted <= set(reading.words(text))


def best_about(question: str, material: Material) -> str | None:
    found = reading.about(material.main, question, 2) or reading.about(material.side, question, 2)
    return " ".join(one.text for one in found) or None


def date_in(text: str, schema: Mapping[str, JSON]) -> str | None:
    found = next((one for one in figures(text) if one.kind == "date"), None)
    if found is None:
        return None
    return str(found.value) if schema.get("format") == "date" else found.text


_LANGUAGES = {
    "english": ["the", "and", "of", "to", "is", "in", "that", "for", "with", "are", "this"],
    "german": ["der", "die", "das", "und", "ist", "nicht", "mit", "ein", "eine", "zu", "für"],
    "french": ["le", "la", "les", "et", "est", "une", "des", "pour", "dans", "que", "qui"],
    "spanish": ["el", "la", "los", "y", "es", "una", "para", "que", "por", "con", "del"],
    "italian": ["il", "la", "che", "di", "e", "un", "una", "per", "con", "non", "sono"],
}


def language_of(text: str) -> str:
    found = re.findall(r"[a-zà-ÿ]+", text.lower())
    counts = {name: sum(found.count(word) for word in common) for name, common in _LANGUAGES.items()}
    return max(counts, key=lambda name: counts[name]) if any(counts.values()) else "english"


def type_of(schema: Mapping[str, JSON]) -> str:
    kind = schema.get("type", "string")
    return next((one for one in kind if one != "null"), "string") if isinstance(kind, list) else str(kind)


def suits(value: JSON, kind: str) -> bool:
    match kind:
        case "string":
            return isinstance(value, str)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "array":
            return isinstance(value, list)
    return isinstance(value, dict)
