"""A field of an object that stands for one seed: from the field's name and type and what the seed holds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from agents.llm.offline import areas, labels
from agents.llm.offline import text as reading
from agents.llm.offline.coverage import coverage, response, status_label
from agents.llm.offline.field_values import date_in, label_for, same_label, suits, truth, type_of
from agents.llm.offline.figures import figures
from agents.llm.offline.material import Material
from agents.llm.offline.seed import Seed, alias_of

JSON = Any


def in_item(name: str, schema: Mapping[str, JSON], seed: Seed, index: int, list_name: str, material: Material) -> JSON:
    """The value of `name` for the seed, or None."""
    low = name.lower()
    choices = schema.get("enum")
    if choices:
        return _choice(low, choices, seed, schema, material)
    known = alias_of(seed.known, low)
    kind = type_of(schema)
    if known not in (None, "") and suits(known, kind):
        return known
    match kind:
        case "string":
            return _text(low, schema, seed, index, list_name, material)
        case "integer" | "number":
            return _number(low, seed, index)
        case "boolean":
            return truth(low, seed.text)
        case "array":
            return _inner_list(low, seed, material)
    return None


def _text(
    name: str, schema: Mapping[str, JSON], seed: Seed, index: int, list_name: str, material: Material
) -> str | None:
    if name in ("id", "ref", "reference", "key", "number", "code_id", "no"):
        return seed.number or str(seed.known.get("id") or "") or f"{_prefix(list_name)}-{index + 1:02d}"
    if name in ("title", "name", "headline", "label", "subject", "short"):
        return reading.shorten(str(seed.known.get("title") or seed.text), 110)
    if name in ("section", "source", "where", "location", "chapter", "heading", "origin"):
        place = seed.section or seed.number
        return place or None
    if name in ("category", "area", "topic", "theme", "type", "kind", "group"):
        return str(seed.known.get("area") or areas.area_of(seed.text, seed.section))
    if name in ("severity", "impact", "level"):
        return labels.severity(seed.text)
    if name in ("priority", "importance", "obligation"):
        return labels.priority(seed.text)
    if name in ("likelihood", "probability"):
        return "medium"
    if schema.get("format") == "date" or re.search(r"date|deadline|due\b|when\b", name):
        return date_in(seed.text, schema)
    if re.search(r"response|answer|how_|coverage|compliance|comment|fit\b", name):
        return response(seed, material)
    if re.search(r"evidence|proof|quote|excerpt|basis", name):
        return str(seed.known.get("quote") or seed.text)
    if re.search(r"mitigation|recommendation|suggestion|fix|remedy|action|advice|approach", name):
        return str(seed.known.get("recommendation") or seed.known.get("approach") or "") or None
    if re.search(r"owner|responsible|assignee|who\b", name):
        return None
    return seed.text


def _number(name: str, seed: Seed, index: int) -> float | None:
    if name in ("index", "position", "order", "rank", "step"):
        return index + 1
    if re.search(r"confidence|score|probability|likelihood", name):
        return {"critical": 0.95, "high": 0.8, "medium": 0.6, "low": 0.4}[labels.severity(seed.text)]
    wanted = (
        "percent"
        if re.search(r"percent|share|rate_pct", name)
        else "money"
        if re.search(r"amount|cost|price|budget|value|usd|eur|fee", name)
        else ""
    )
    values = [one for one in figures(seed.text) if not wanted or one.kind == wanted]
    number = next((one.value for one in values if isinstance(one.value, int | float)), None)
    return float(number) if number is not None else None


def _inner_list(name: str, seed: Seed, material: Material) -> list[str] | None:
    known = alias_of(seed.known, name)
    if isinstance(known, list):
        return [str(one) for one in known]
    if re.search(r"keyword|tag|topic", name):
        return reading.keywords(seed.text, 5)
    if re.search(r"requirement|cover|source|reference", name):
        return [seed.number or reading.shorten(seed.text, 120)]
    return None


def _choice(name: str, choices: list[JSON], seed: Seed, schema: Mapping[str, JSON], material: Material) -> JSON:
    words = [choice for choice in choices if isinstance(choice, str)]
    known = alias_of(seed.known, name)
    if known in choices:
        return known
    if isinstance(known, str) and (same := same_label(known, words)):
        return same
    if re.search(r"status|coverage|compliance|fit\b|answer", name) or {
        "covered",
        "met",
        "compliant",
        "fulfilled",
    } & set(words):
        degree = coverage(seed, material)[0]
        if status := status_label(words, degree):
            return status
    return label_for(name, words, seed.text, seed.section, schema) if words else choices[0]


def _prefix(list_name: str) -> str:
    """R for requirements, WP for work_packages."""
    parts = [part for part in re.split(r"[_\W]+", list_name) if part]
    return "".join(part[0] for part in parts).upper()[:3] or "N"
