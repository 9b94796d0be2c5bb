"""Text fields about the whole: summaries, titles, reasons, letters, by the name of the field."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from agents.llm.offline import compose, moderation, tables
from agents.llm.offline import text as reading
from agents.llm.offline.field_values import amount_of, best_about, date_in, language_of
from agents.llm.offline.figures import figures, money
from agents.llm.offline.material import Material
from agents.llm.offline.verdicts import Found, how_bad

JSON = Any


def root_text(name: str, schema: Mapping[str, JSON], material: Material, found: Found) -> str | None:
    for pattern, write in _WRITERS:
        if re.search(pattern, name):
            return write(material, schema, found)
    if schema.get("format") == "date":
        return date_in(material.main, schema)
    return best_about(f"{name.replace('_', ' ')} {schema.get('description', '')}", material)


def _summary(material: Material, schema: Mapping[str, JSON], found: Found) -> str | None:
    if material.diff:
        return compose.diff_summary(material.diff, material.review_area)
    if material.nothing_found:
        return "No findings: nothing speaks against it."
    if material.tables:
        return " ".join(fact for name, table in material.tables for fact in tables.facts(table)[:4])
    graded = [row for row in found.rows() if row.get("severity")]
    if graded and (not material.task.texts or _ABOUT_RISKS.search(material.task.instructions[:250])):
        return compose.graded_summary(graded)
    reviewing = re.search(r"\breview|findings", material.task.instructions[:250])
    if (reviewing or not material.task.texts) and (
        given := [row for _, rows in material.objects for row in rows if row.get("severity")]
    ):
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
    chosen = max(near or amounts, key=amount_of, default=None)
    return money(amount_of(chosen), chosen.unit) if chosen else None


def _reason(material: Material, schema: Mapping[str, JSON], found: Found) -> str | None:
    flags = moderation.flags(material.main)
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
    badness = how_bad(material, found)
    open_points = len([row for row in found.rows() if str(row.get("severity", "")).lower() in ("critical", "high")])
    if found.worst() or material.diff:
        return (
            "Go ahead; what was found is minor.",
            "Settle the points of medium weight first, then go ahead.",
            f"Do not go ahead before the {open_points or 'grave'} point{'s' if open_points != 1 else ''} of high or critical weight "
            f"{'are' if open_points != 1 else 'is'} settled.",
        )[badness]
    pattern = re.compile(r"recommend|should|propose|suggest|advis|next", re.I)
    return next((one.text for one in reading.best(material.main, 12) if pattern.search(one.text)), None) or best_about(
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
    return language_of(material.main)


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
