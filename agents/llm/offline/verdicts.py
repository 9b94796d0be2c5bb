"""Judging the whole: verdicts, categories and severities, from what was found."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agents.llm.offline import labels, moderation
from agents.llm.offline.field_values import label_for, language_of, nearest, same_label
from agents.llm.offline.material import Material

JSON = Any


@dataclass(slots=True)
class Found:
    """What the answer holds so far: lists come first, so that sums and verdicts can look at them."""

    lists: dict[str, list[JSON]] = field(default_factory=dict)
    values: dict[str, JSON] = field(default_factory=dict)

    def rows(self) -> list[Mapping[str, JSON]]:
        return [row for rows in self.lists.values() for row in rows if isinstance(row, Mapping)]

    def worst(self) -> str | None:
        """The gravest severity among the rows."""
        found = [str(row.get("severity") or row.get("impact") or "").lower() for row in self.rows()]
        known = [word for word in found if word in labels.SEVERITY]
        return min(known, key=labels.SEVERITY.index) if known else None


def verdict(name: str, schema: Mapping[str, JSON], material: Material, found: Found) -> JSON:
    words = [choice for choice in schema["enum"] if isinstance(choice, str)]
    if not words:
        return schema["enum"][0]
    moderated = [moderation.category_of(word) for word in words]
    flags = moderation.flags(material.main)
    if sum(one is not None and one != "ok" for one in moderated) >= 2:
        wanted = flags[0].label if flags else "ok"
        return next((word for word, one in zip(words, moderated, strict=True) if one == wanted), _other(words))
    scale = labels.scale(words)
    if scale:
        badness = how_bad(material, found)
        rework = scale.doubtful[0] if scale.doubtful and _REWORK.match(scale.doubtful[0]) else None
        if rework and badness == 2 and not re.search(r"moderat", material.task.instructions, re.I):
            return rework  # what can be repaired or negotiated is not thrown away
        return scale.pick(badness) or words[0]
    worst = found.worst()
    if worst and {word.lower() for word in words} & set(labels.SEVERITY):
        return nearest(worst, {word.lower(): word for word in words}, words)
    if {"none", "low"} & set(words) and re.search(r"severity|toxicity|harm", name):
        return _severity_of_flags(words, flags)
    if name in ("language", "lang"):
        return same_label(language_of(material.main), words) or words[0]
    return label_for(name, words, material.main, "", schema)


_REWORK = re.compile(r"request_changes|changes_requested|negotiate|revise|clarify|needs_(?:work|changes)", re.I)


def _other(words: list[str]) -> str:
    return next((word for word in words if word.lower() in ("other", "ok", "none", "unknown")), words[0])


def _severity_of_flags(words: list[str], flags: list[labels.Verdict]) -> str:
    score = flags[0].score if flags else 0.0
    level = "none" if score < 0.3 else "low" if score < 0.5 else "medium" if score < 0.75 else "high"
    return level if level in words else words[-1] if score > 0.75 else words[0]


def how_bad(material: Material, found: Found) -> int:
    """0 good, 1 doubtful, 2 bad: by what was found, else by what the text is."""
    worst = found.worst()
    given = [str(row.get("severity", "")).lower() for _, rows in material.objects for row in rows]
    worst = min([word for word in (worst, *given) if word in labels.SEVERITY], key=labels.SEVERITY.index, default=None)
    if worst:
        return {"critical": 2, "high": 2, "medium": 1, "low": 0, "info": 0}[worst]
    if material.diff:
        return 0
    flags = moderation.flags(material.main)
    if flags:
        return 2 if flags[0].score >= 0.75 and flags[0].label not in _FOR_PEOPLE else 1
    return 0


# Somebody in need is neither deleted nor left alone, and whether a claim is true no word list can say: a person looks.
_FOR_PEOPLE = frozenset({"self_harm", "misinformation"})
