"""A field that is about the whole material: its text, number, truth or verdict. None means that the material says nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from agents.llm.offline import diffs, labels, moderation
from agents.llm.offline import text as reading
from agents.llm.offline.field_values import amount_of, suits, truth, type_of
from agents.llm.offline.figures import figures
from agents.llm.offline.material import Material
from agents.llm.offline.root_texts import root_text
from agents.llm.offline.verdicts import Found, how_bad, verdict

JSON = Any


def at_root(name: str, schema: Mapping[str, JSON], material: Material, found: Found) -> JSON:
    """The value of a field that is about everything, or None."""
    low, kind = name.lower(), type_of(schema)
    given = material.task.inputs.get(name)
    if given is not None and suits(given, kind) and not (isinstance(given, str) and len(given) > 200):
        return given
    if schema.get("enum"):
        return verdict(low, schema, material, found)
    match kind:
        case "string":
            return root_text(low, schema, material, found)
        case "integer" | "number":
            return _root_number(low, schema, material, found)
        case "boolean":
            return _root_truth(low, str(schema.get("description", "")), material, found)
    return None


def _root_number(name: str, schema: Mapping[str, JSON], material: Material, found: Found) -> float | None:
    if re.search(r"confidence|certainty|probability|likelihood", name):
        flags = moderation.flags(material.main)
        if flags:
            return flags[0].score
        return 0.9 if re.search(r"moderat|toxic|spam", material.task.instructions, re.I) else 0.5
    if re.search(r"toxicity|harm|spam|risk_score", name):
        flags = moderation.flags(material.main)
        return _scaled(flags[0].score if flags else 0.0, schema)
    if re.search(r"score|rating|grade|quality|health", name):
        worst = found.worst()
        good = {"critical": 0.2, "high": 0.4, "medium": 0.65, "low": 0.85, "info": 0.95}[worst] if worst else 0.9
        return _scaled(good, schema)
    if re.search(r"count|number_of|^n_|files|added|removed", name):
        return _count(name, material, found)
    if re.search(r"total|sum|hours|effort|subtotal", name):
        return _sum(name, found)
    if re.search(r"budget|price|amount|cost|value|fee|revenue", name):
        amounts = [one for one in figures(material.main) if one.kind == "money"]
        near = [one for one in amounts if re.search(r"budget|maximum|total|ceiling", one.sentence.text, re.I)]
        return max((amount_of(one) for one in near or amounts), default=None)
    if re.search(r"days|weeks|months|years|duration", name):
        days = next((amount_of(one) for one in figures(material.main) if one.kind == "duration"), None)
        factor = 365 if "year" in name else 30 if "month" in name else 7 if "week" in name else 1
        return round(days / factor, 1) if days is not None else None
    return None


def _count(name: str, material: Material, found: Found) -> float | None:
    if material.diff:
        statistics = diffs.statistics(material.diff)
        for key, value in statistics.items():
            if key in name:
                return value
    for key, rows in found.lists.items():
        if set(reading.words(key.replace("_", " "))) & set(reading.words(name.replace("_", " "))):
            return len(rows)
    return len(next(iter(found.lists.values()))) if len(found.lists) == 1 else None


def _sum(name: str, found: Found) -> float | None:
    """The sum of the field of the rows that the name speaks of: total_hours of hours, total of amount."""
    word = re.sub(r"total_?|sum_?(of_)?|estimated_?|subtotal_?", "", name)
    for key in filter(None, (word, "amount", "total", "cost", "price", "hours", "value")):
        values = [row[key] for row in found.rows() if isinstance(row.get(key), int | float)]
        if values:
            return round(sum(values), 2)
    return None


def _scaled(share: float, schema: Mapping[str, JSON]) -> float:
    """From 0-1 to the field's own range."""
    low, high = float(schema.get("minimum", 0)), float(schema.get("maximum", 1 if type_of(schema) == "number" else 100))
    return round(low + share * (high - low), 2)


def _root_truth(name: str, description: str, material: Material, found: Found) -> bool:
    flags = {one.label: one.score for one in moderation.flags(material.main)}
    words = f"{name} {description}".lower()
    if re.search(r"block|must_fix|stop|critical", name):
        return how_bad(material, found) == 2
    if re.search(r"doubt|uncertain|needs?_(?:review|human|person)|human|manual|escalat", words) and re.search(
        r"moderat|comment|toxic", material.task.instructions, re.I
    ):
        return how_bad(material, found) == 1
    if re.search(r"approval|review|escalat|human", name):
        return how_bad(material, found) >= 1
    if re.search(r"personal|pii", name):
        return "personal_data" in flags
    if re.search(r"toxic|abus|offens|harass", name):
        return bool({"harassment", "hate", "threat"} & set(flags))
    if "spam" in name:
        return "spam" in flags
    if re.search(r"urgent|emergency", name):
        return labels.severity(material.main) in ("critical", "high")
    if re.search(r"^(?:is_)?(?:ok|safe|allowed|approved|compliant|valid|complete|passed?)", name):
        return how_bad(material, found) == 0
    return truth(re.sub(r"^(?:is|has|needs|requires|contains|should|can)_", "", name), material.main)
