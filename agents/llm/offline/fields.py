"""One value of the answer: from the name, type and description of its field, and from what was found.

`in_item` fills a field of an object that stands for one seed; `at_root` fills a field that is about the whole material.
None means: the material says nothing; `fill.py` then leaves the field out or says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from agents.llm.offline import compose, diffs, labels, tables
from agents.llm.offline import text as reading
from agents.llm.offline.figures import Figure, figures, money
from agents.llm.offline.seeds import Material, Seed, alias_of

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


# -- fields of an item ------------------------------------------------------------------------------------------------


def in_item(name: str, schema: Mapping[str, JSON], seed: Seed, index: int, list_name: str, material: Material) -> JSON:
    """The value of `name` for the seed, or None."""
    low = name.lower()
    choices = schema.get("enum")
    if choices:
        return _choice(low, choices, seed, schema, material)
    known = alias_of(seed.known, low)
    kind = _type(schema)
    if known not in (None, "") and _suits(known, kind):
        return known
    match kind:
        case "string":
            return _text(low, schema, seed, index, list_name, material)
        case "integer" | "number":
            return _number(low, seed, index)
        case "boolean":
            return _truth(low, seed.text)
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
        return str(seed.known.get("area") or labels.area(seed.text, seed.section))
    if name in ("severity", "impact", "level"):
        return labels.severity(seed.text)
    if name in ("priority", "importance", "obligation"):
        return labels.priority(seed.text)
    if name in ("likelihood", "probability"):
        return "medium"
    if schema.get("format") == "date" or re.search(r"date|deadline|due\b|when\b", name):
        return _date_in(seed.text, schema)
    if re.search(r"response|answer|how_|coverage|compliance|comment|fit\b", name):
        return _response(seed, material)
    if re.search(r"evidence|proof|quote|excerpt|basis", name):
        return str(seed.known.get("quote") or seed.text)
    if re.search(r"mitigation|recommendation|suggestion|fix|remedy|action|advice|approach", name):
        return str(seed.known.get("recommendation") or seed.known.get("approach") or "") or None
    if re.search(r"owner|responsible|assignee|who\b", name):
        return None
    return seed.text


OPEN, PARTLY, COVERED = range(3)
_OPEN_ANSWER = "To be confirmed: the material given says nothing about this."


def _response(seed: Seed, material: Material) -> str:
    """What the circumstances (a company profile, a knowledge base) say about it; nothing is promised that is not there."""
    degree, sentence = _coverage(seed, material)
    if degree == OPEN:
        return _OPEN_ANSWER
    return sentence if degree == COVERED else f"{sentence} To be confirmed: whether this covers all of it."


def _coverage(seed: Seed, material: Material) -> tuple[int, str]:
    """How far a sentence of the reference answers the demand, by the share of its meaningful words."""
    wanted = _roots(seed.text)
    best, share, text = 0, 0.0, ""
    for sentence in reading.sentences(material.reference):
        shared = len(wanted & _roots(sentence.text))
        if shared and (shared, shared / len(wanted)) > (best, share):
            best, share, text = shared, shared / len(wanted), sentence.text
    if best >= 3 and share >= 0.45:
        return COVERED, text
    return (PARTLY, text) if best >= 2 else (OPEN, "")


def _roots(text: str) -> set[str]:
    """Words without what grammar adds, so that "saved" meets "save" and "registering" meets "registration"."""
    words = set(reading.words(text)) - _EMPTY_WORDS
    return {re.sub(r"(?:ations?|ings?|ions?|ed|es|er|ly|e)$", "", word)[:6] if len(word) > 4 else word for word in words}


# Words that every demand has and that answer none.
_EMPTY_WORDS = frozenset("must shall should able allow provide portal system contractor supplier city client user data".split())


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
    if isinstance(known, str) and (same := _same(known, words)):
        return same
    if re.search(r"status|coverage|compliance|fit\b|answer", name) or {
        "covered",
        "met",
        "compliant",
        "fulfilled",
    } & set(words):
        degree = _coverage(seed, material)[0]
        if status := _status(words, degree):
            return status
    return _label(name, words, seed.text, seed.section, schema) if words else choices[0]


def _status(words: list[str], degree: int) -> str | None:
    """covered | partly | open by whatever names the schema has for them."""
    patterns = {
        COVERED: r"(?:fully_?)?(?:covered|met|compliant|fulfilled|yes|full)",
        PARTLY: r"part|limited|mostly",
        OPEN: r"open|unclear|gap|to_be|unknown|clarif|missing|not_|no$",
    }
    found = {one: next((word for word in words if re.match(pattern, word)), None) for one, pattern in patterns.items()}
    if not found[COVERED] or not (found[PARTLY] or found[OPEN]):
        return None
    return found[degree] or found[PARTLY] or found[OPEN] or found[COVERED]


def _label(name: str, words: list[str], text: str, section: str, schema: Mapping[str, JSON]) -> str:
    """One of `words` for a text: by the scale they belong to, else by their own meaning."""
    levels = {word.lower(): word for word in words}
    if set(levels) <= {*labels.SEVERITY, "none", "informational", "blocker", "major", "minor", "trivial"}:
        found = labels.severity(text)
        same = {"critical": "blocker", "high": "major", "medium": "minor", "low": "trivial", "info": "informational"}
        return levels.get(found) or levels.get(same[found]) or _nearest(found, levels, words)
    if {"must", "should"} & set(levels):
        return levels.get(labels.priority(text), words[0])
    if {"positive", "negative"} <= set(levels):
        return levels.get(labels.sentiment(text).label, levels.get("neutral", words[0]))
    if {"p1", "p2"} <= set(levels) or {"urgent", "normal"} <= set(levels):
        rank = labels.SEVERITY.index(labels.severity(text))
        return words[min(rank, len(words) - 1)]
    area = labels.area(text, section)
    if same_area := _same(area, words):
        return same_area
    near = [word for word in words if set(reading.words(word.replace("_", " "))) & set(reading.words(area))]
    chosen = labels.by_labels(f"{text} {section}", words, _meanings(schema))
    return near[0] if near and chosen.score < 0.6 else chosen.label


def _nearest(severity: str, levels: Mapping[str, str], words: list[str]) -> str:
    order = [word for word in labels.SEVERITY if word in levels]
    rank = labels.SEVERITY.index(severity)
    return levels[min(order, key=lambda word: abs(labels.SEVERITY.index(word) - rank))] if order else words[0]


def _same(value: str, words: list[str]) -> str | None:
    plain = re.sub(r"\W+", "_", value.lower())
    return next((word for word in words if re.sub(r"\W+", "_", word.lower()) == plain), None)


def _meanings(schema: Mapping[str, JSON]) -> dict[str, str]:
    """What the field's description says of its values: "spam: advertising; threat: ..."."""
    return {
        match[1].strip(): match[2].strip()
        for match in re.finditer(r"([\w-]+)\s*(?:=|:|–|\()\s*([^;,.)]+)", str(schema.get("description", "")))
    }


# -- fields of the whole ----------------------------------------------------------------------------------------------


def at_root(name: str, schema: Mapping[str, JSON], material: Material, found: Found) -> JSON:
    """The value of a field that is about everything, or None."""
    low, kind = name.lower(), _type(schema)
    given = material.task.inputs.get(name)
    if given is not None and _suits(given, kind) and not (isinstance(given, str) and len(given) > 200):
        return given
    if schema.get("enum"):
        return _verdict(low, schema, material, found)
    match kind:
        case "string":
            return _root_text(low, schema, material, found)
        case "integer" | "number":
            return _root_number(low, schema, material, found)
        case "boolean":
            return _root_truth(low, str(schema.get("description", "")), material, found)
    return None


def _verdict(name: str, schema: Mapping[str, JSON], material: Material, found: Found) -> JSON:
    words = [choice for choice in schema["enum"] if isinstance(choice, str)]
    if not words:
        return schema["enum"][0]
    moderated = [labels.moderation_label(word) for word in words]
    flags = labels.moderation(material.main)
    if sum(one is not None and one != "ok" for one in moderated) >= 2:
        wanted = flags[0].label if flags else "ok"
        return next((word for word, one in zip(words, moderated, strict=True) if one == wanted), _other(words))
    scale = labels.scale(words)
    if scale:
        badness = _badness(material, found)
        rework = scale.doubtful[0] if scale.doubtful and _REWORK.match(scale.doubtful[0]) else None
        if rework and badness == 2 and not re.search(r"moderat", material.task.instructions, re.I):
            return rework  # what can be repaired or negotiated is not thrown away
        return scale.pick(badness) or words[0]
    worst = found.worst()
    if worst and set(word.lower() for word in words) & set(labels.SEVERITY):
        return _nearest(worst, {word.lower(): word for word in words}, words)
    if {"none", "low"} & set(words) and re.search(r"severity|toxicity|harm", name):
        return _severity_of_flags(words, flags)
    if name in ("language", "lang"):
        return _same(_language(material.main), words) or words[0]
    return _label(name, words, material.main, "", schema)


_REWORK = re.compile(r"request_changes|changes_requested|negotiate|revise|clarify|needs_(?:work|changes)", re.I)


def _other(words: list[str]) -> str:
    return next((word for word in words if word.lower() in ("other", "ok", "none", "unknown")), words[0])


def _severity_of_flags(words: list[str], flags: list[labels.Verdict]) -> str:
    score = flags[0].score if flags else 0.0
    level = "none" if score < 0.3 else "low" if score < 0.5 else "medium" if score < 0.75 else "high"
    return level if level in words else words[-1] if score > 0.75 else words[0]


def _badness(material: Material, found: Found) -> int:
    """0 good, 1 doubtful, 2 bad: by what was found, else by what the text is."""
    worst = found.worst()
    given = [str(row.get("severity", "")).lower() for _, rows in material.objects for row in rows]
    worst = min([word for word in (worst, *given) if word in labels.SEVERITY], key=labels.SEVERITY.index, default=None)
    if worst:
        return {"critical": 2, "high": 2, "medium": 1, "low": 0, "info": 0}[worst]
    if material.diff:
        return 0
    flags = labels.moderation(material.main)
    if flags:
        return 2 if flags[0].score >= 0.75 and flags[0].label not in _FOR_PEOPLE else 1
    return 0


# Somebody in need is neither deleted nor left alone, and whether a claim is true no word list can say: a person looks.
_FOR_PEOPLE = frozenset({"self_harm", "misinformation"})


def _root_text(name: str, schema: Mapping[str, JSON], material: Material, found: Found) -> str | None:
    for pattern, write in _WRITERS:
        if re.search(pattern, name):
            return write(material, schema, found)
    if schema.get("format") == "date":
        return _date_in(material.main, schema)
    return _best_about(f"{name.replace('_', ' ')} {schema.get('description', '')}", material)


def _summary(material: Material, schema: Mapping[str, JSON], found: Found) -> str | None:
    if material.diff:
        return compose.diff_summary(material.diff, material.review_area)
    if material.tables:
        return " ".join(fact for name, table in material.tables for fact in tables.facts(table)[:4])
    graded = [row for row in found.rows() if row.get("severity")]
    if graded and (not material.task.texts or _ABOUT_RISKS.search(material.task.instructions[:250])):
        return compose.graded_summary(graded)
    reviewing = re.search(r"\breview|findings", material.task.instructions[:250])
    if (reviewing or not material.task.texts) and (given := [row for _, rows in material.objects for row in rows if row.get("severity")]):
        return compose.graded_summary(given)
    wanted = (
        2 if re.search(r"\bone\b|short|brief|single|two sentences", str(schema.get("description", "")), re.I) else 5
    )
    source = material.main if len(material.main) > 200 else material.text
    chosen = reading.best(source, wanted)
    return " ".join(one.text if one.text[-1:] in ".!?" else f"{one.text}." for one in chosen) or None


_ABOUT_RISKS = re.compile(r"contract|clause|legal|risk|weak point|incident|slow", re.I)


def _title(material: Material, schema: Mapping[str, JSON], found: Found) -> str | None:
    return reading.shorten(reading.title(material.main), 120) or None


_CLIENT = re.compile(
    r"(?i:issued by|on behalf of|contracting authority(?: is)?:?|client(?: is)?:|customer:|buyer:|purchaser:|published by)\s+(?P<name>(?:[Tt]he )?[A-Z][\w&.' -]{2,70})"
)
_PUBLIC_BODY = re.compile(
    r"(?P<name>(?:The )?(?:City|Municipality|County|Ministry|Department|University|Region|Port|District|State|Office) of(?: the)? (?:[A-Z][\w-]+ ?){1,4})",
)


def _client(material: Material, schema: Mapping[str, JSON], found: Found) -> str | None:
    start = material.main[:6000]
    match = _CLIENT.search(start) or _PUBLIC_BODY.search(start)
    if not match:
        return None
    name = re.split(
        r"[.,;(]| on \d| (?:invites|intends|is|has|seeks|hereby|requests)\b", match["name"].strip().split("\n")[0]
    )[0]
    return name.strip().removeprefix("the ") or None


def _deadline(material: Material, schema: Mapping[str, JSON], found: Found) -> str | None:
    """The date nearest to words of handing in; the sentence with it if the field takes prose."""
    dates = [one for one in figures(material.main) if one.kind == "date"]
    submit = re.compile(r"submi|deadline|no later than|due|closing|received by|at the latest", re.I)
    ranked = sorted(dates, key=lambda one: -len({match.lower() for match in submit.findall(one.sentence.text)}))
    if not ranked:
        return None
    return str(ranked[0].value) if schema.get("format") == "date" else ranked[0].text


def _budget(material: Material, schema: Mapping[str, JSON], found: Found) -> str | None:
    amounts = [one for one in figures(material.main) if one.kind == "money"]
    near = [
        one
        for one in amounts
        if re.search(
            r"budget|maximum|ceiling|estimated value|not exceed|value of the contract|total", one.sentence.text, re.I
        )
    ]
    chosen = max(near or amounts, key=_value, default=None)
    return money(_value(chosen), chosen.unit) if chosen else None


def _value(figure: Figure) -> float:
    return float(figure.value) if isinstance(figure.value, int | float) else 0.0


def _reason(material: Material, schema: Mapping[str, JSON], found: Found) -> str | None:
    flags = labels.moderation(material.main)
    severities = [str(row.get("severity", "")).lower() for row in found.rows() if row.get("severity")]
    given = [
        str(row.get("severity", "")).lower() for _, rows in material.objects for row in rows if row.get("severity")
    ]
    if severities or given:
        return compose.severity_sentence(severities or given)
    if flags:
        first = flags[0]
        return f"{reading.sentence_case(first.label.replace('_', ' '))}: {'; '.join(first.evidence)}."
    if re.search(r"moderat|toxic|spam|harass", material.task.instructions, re.I):
        return "Nothing objectionable was found."
    if material.diff:
        return compose.diff_summary(material.diff, material.review_area)
    best = reading.best(material.main, 1)
    return f"The text says: “{reading.shorten(best[0].text, 220)}”" if best else None


def _recommendation(material: Material, schema: Mapping[str, JSON], found: Found) -> str | None:
    badness = _badness(material, found)
    open_points = len([row for row in found.rows() if str(row.get("severity", "")).lower() in ("critical", "high")])
    if found.worst() or material.diff:
        return (
            "Go ahead; what was found is minor.",
            "Settle the points of medium weight first, then go ahead.",
            f"Do not go ahead before the {open_points or 'grave'} point{'s' if open_points != 1 else ''} of high or critical weight "
            f"{'are' if open_points != 1 else 'is'} settled.",
        )[badness]
    pattern = re.compile(r"recommend|should|propose|suggest|advis|next", re.I)
    return next((one.text for one in reading.best(material.main, 12) if pattern.search(one.text)), None) or _best_about(
        "recommendation next step", material
    )


def _written(material: Material, schema: Mapping[str, JSON], found: Found) -> str | None:
    return compose.document(material.task)


def _letter(material: Material, schema: Mapping[str, JSON], found: Found) -> str | None:
    return compose.reply(material)


def _translated(material: Material, schema: Mapping[str, JSON], found: Found) -> str | None:
    return f"[Not translated: the offline model is not a language model.]\n\n{material.main}"


def _excerpt(material: Material, schema: Mapping[str, JSON], found: Found) -> str | None:
    best = reading.best(material.main, 1)
    return reading.shorten(best[0].text if best else material.main, 200) or None


def _language_field(material: Material, schema: Mapping[str, JSON], found: Found) -> str | None:
    return _language(material.main)


def _figure_field(kind: str) -> Callable[[Material, Mapping[str, JSON], Found], str | None]:
    def find(material: Material, schema: Mapping[str, JSON], found: Found) -> str | None:
        return next((str(one.value) for one in figures(material.main) if one.kind == kind), None)

    return find


_WRITERS: tuple[tuple[str, Callable[[Material, Mapping[str, JSON], Found], str | None]], ...] = (
    (r"^translat", _translated),
    (r"^(?:reply|response|answer|email_body|letter|message|draft_reply|body)$", _letter),
    (
        r"^(?:text|markdown|report|proposal|document|content|draft|article|post|copy|memo|brief|code|plan_text|runbook|script)$",
        _written,
    ),
    (r"summary|overview|abstract|gist|synopsis|tl_?dr|situation|background|description|understanding", _summary),
    (r"title|subject|headline|^name$", _title),
    (r"client|customer|buyer|authority|issuer|organisation|organization|company", _client),
    (r"deadline|due|submission", _deadline),
    (r"budget|price|amount|total|cost|value$", _budget),
    (r"reason|rationale|explanation|justification|why|because", _reason),
    (r"recommendation|advice|conclusion|next_step|decision", _recommendation),
    (r"excerpt|quote|snippet", _excerpt),
    (r"language|locale", _language_field),
    (r"e_?mail", _figure_field("email")),
    (r"phone|telephone", _figure_field("phone")),
    (r"url|link|website", _figure_field("url")),
)


def _root_number(name: str, schema: Mapping[str, JSON], material: Material, found: Found) -> float | None:
    if re.search(r"confidence|certainty|probability|likelihood", name):
        flags = labels.moderation(material.main)
        if flags:
            return flags[0].score
        return 0.9 if re.search(r"moderat|toxic|spam", material.task.instructions, re.I) else 0.5
    if re.search(r"toxicity|harm|spam|risk_score", name):
        flags = labels.moderation(material.main)
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
        return max((_value(one) for one in near or amounts), default=None)
    if re.search(r"days|weeks|months|years|duration", name):
        days = next((_value(one) for one in figures(material.main) if one.kind == "duration"), None)
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
    low, high = float(schema.get("minimum", 0)), float(schema.get("maximum", 1 if _type(schema) == "number" else 100))
    return round(low + share * (high - low), 2)


def _root_truth(name: str, description: str, material: Material, found: Found) -> bool:
    flags = {one.label: one.score for one in labels.moderation(material.main)}
    words = f"{name} {description}".lower()
    if re.search(r"block|must_fix|stop|critical", name):
        return _badness(material, found) == 2
    if re.search(r"doubt|uncertain|needs?_(?:review|human|person)|human|manual|escalat", words) and re.search(
        r"moderat|comment|toxic", material.task.instructions, re.I
    ):
        return _badness(material, found) == 1
    if re.search(r"approval|review|escalat|human", name):
        return _badness(material, found) >= 1
    if re.search(r"personal|pii", name):
        return "personal_data" in flags
    if re.search(r"toxic|abus|offens|harass", name):
        return bool({"harassment", "hate", "threat"} & set(flags))
    if "spam" in name:
        return "spam" in flags
    if re.search(r"urgent|emergency", name):
        return labels.severity(material.main) in ("critical", "high")
    if re.search(r"^(?:is_)?(?:ok|safe|allowed|approved|compliant|valid|complete|passed?)", name):
        return _badness(material, found) == 0
    return _truth(re.sub(r"^(?:is|has|needs|requires|contains|should|can)_", "", name), material.main)


def _truth(name: str, text: str) -> bool:
    wanted = set(reading.words(name.replace("_", " ")))
    return bool(wanted) and wanted <= set(reading.words(text))


# -- helpers ----------------------------------------------------------------------------------------------------------


def _best_about(question: str, material: Material) -> str | None:
    found = reading.about(material.main, question, 2) or reading.about(material.side, question, 2)
    return " ".join(one.text for one in found) or None


def _date_in(text: str, schema: Mapping[str, JSON]) -> str | None:
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


def _language(text: str) -> str:
    found = re.findall(r"[a-zà-ÿ]+", text.lower())
    counts = {name: sum(found.count(word) for word in common) for name, common in _LANGUAGES.items()}
    return max(counts, key=lambda name: counts[name]) if any(counts.values()) else "english"


def _type(schema: Mapping[str, JSON]) -> str:
    kind = schema.get("type", "string")
    return next((one for one in kind if one != "null"), "string") if isinstance(kind, list) else str(kind)


def _suits(value: JSON, kind: str) -> bool:
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


def _prefix(list_name: str) -> str:
    """R for requirements, WP for work_packages."""
    parts = [part for part in re.split(r"[_\W]+", list_name) if part]
    return "".join(part[0] for part in parts).upper()[:3] or "N"
