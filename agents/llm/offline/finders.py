"""One finder for each kind of list an answer may hold: demands, risks, dates, figures, questions, actions, ..."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agents.llm.offline import advice, areas, labels, review, tables
from agents.llm.offline import text as reading
from agents.llm.offline.figures import Figure, figures, money
from agents.llm.offline.material import FINDING_NAME, Material
from agents.llm.offline.packages import by_area
from agents.llm.offline.seed import Seed, alias_of, distinct

JSON = Any


def _demands(material: Material) -> list[Seed]:
    return material.requirements


def _risks(material: Material) -> list[Seed]:
    """Clauses that experience has a remark on, one for each kind of risk, the gravest first."""
    found: dict[str, Seed] = {}
    for sentence in reading.sentences(material.main):
        remark = advice.risk(sentence.text)
        if remark is None or len(sentence.text.split()) < 4 or (not sentence.item and sentence.text[-1:] not in ".;!"):
            continue
        known = {
            "title": remark.title,
            "name": remark.title,
            "risk": remark.title,
            "severity": remark.severity,
            "mitigation": remark.advice,
            "recommendation": remark.advice,
            "suggestion": remark.advice,
            "response": remark.advice,
            "advice": remark.advice,
            "quote": sentence.text,
            "clause": sentence.text,
            "evidence": sentence.text,
            "description": sentence.text,
            "impact": remark.severity,
        }
        seed = Seed(sentence.text, sentence.section, sentence.number, known)
        known_before = found.get(remark.title)
        # A clause of the contract says more than a word of it elsewhere.
        if known_before is None or (_CONTRACT.search(sentence.section) and not _CONTRACT.search(known_before.section)):
            found[remark.title] = seed
    ranked = sorted(found.values(), key=lambda seed: labels.SEVERITY.index(seed.known["severity"]))
    return ranked[:15]


_CONTRACT = re.compile(r"contract|terms|legal|condition|liabil|warrant", re.I)


def _findings(material: Material) -> list[Seed]:
    if not material.diff:
        return _risks(material) or _problems(material)
    return [
        Seed(f"{one.title}: {one.detail}", one.file, "", {
            "title": one.title, "severity": one.severity, "file": one.file, "path": one.file, "line": one.line, "detail": one.detail,
            "description": one.detail, "why": one.detail, "suggestion": one.suggestion, "recommendation": one.suggestion,
            "fix": one.suggestion, "code": one.code, "evidence": one.code, "area": one.area, "category": one.area, "rule": one.rule,
        })
        for one in material.findings
    ]  # fmt: skip


def _problems(material: Material) -> list[Seed]:
    found = [
        Seed(sentence.text, sentence.section)
        for sentence in reading.sentences(material.text)
        if labels.sentiment(sentence.text).label == "negative" or labels.severity(sentence.text) in ("critical", "high")
    ]
    return distinct(found)[:12]


def _dates(material: Material) -> list[Seed]:
    found = [
        _figure_seed(one, dict.fromkeys(("date", "due", "deadline", "when"), one.value))
        for one in figures(material.main)
        if one.kind == "date"
    ]
    kept: list[Seed] = []
    for seed in found:  # a date that a table and a sentence both tell of is one date
        bag = set(reading.words(str(seed.known["event"])))
        same = [one for one in kept if one.known["date"] == seed.known["date"]]
        if not any(bag & set(reading.words(str(one.known["event"]))) for one in same):
            kept.append(seed)
    return sorted(kept, key=lambda seed: str(seed.known["date"]))[:20]


def _figure_seed(figure: Figure, known: dict[str, JSON]) -> Seed:
    event = _around(figure)
    more = {
        "event": event,
        "title": event,
        "name": event,
        "milestone": event,
        "description": figure.sentence.text,
        "label": event,
    }
    return Seed(figure.sentence.text, figure.sentence.section, figure.sentence.number, {**more, **known})


def _around(figure: Figure) -> str:
    """The sentence without the figure, short: what the date or the amount is of."""
    cells = [cell.strip() for cell in figure.sentence.text.split(" | ")]
    if len(cells) > 1:
        return reading.shorten(next((cell for cell in cells if figure.text not in cell), cells[0]), 90)
    before = figure.sentence.text.split(figure.text)[0].strip(" ,;:–-(")
    clause = re.split(r"[;:]|, (?=and|but|which)", before)[-1].strip() if len(before) > 90 else before
    if len(clause) < 12:
        clause = figure.sentence.text
    clause = re.sub(r"\s+(?:by|on|at|of|until|before|is|no later than|to|from|for)$", "", clause, flags=re.I)
    return reading.sentence_case(reading.shorten(clause, 90))


def _anomalies(material: Material) -> list[Seed]:
    """Values of tables that stand out; in prose, what is said to be wrong."""
    if material.tables:
        facts = [(name, fact) for name, table in material.tables for fact in tables.facts(table)]
        return [Seed(fact, name) for name, fact in facts if " stands out " in fact]
    return _problems(material)


def _amounts(material: Material) -> list[Seed]:
    if material.tables:
        return [Seed(fact, name) for name, table in material.tables for fact in tables.facts(table)]
    kinds = ("money", "percent", "quantity", "duration")
    return [
        _figure_seed(
            figure,
            {
                "value": figure.value,
                "amount": figure.value,
                "figure": figure.text,
                "unit": figure.unit,
                "currency": figure.unit,
                "metric": _around(figure),
                "kind": figure.kind,
            },
        )
        for figure in figures(material.main)
        if figure.kind in kinds
    ][:25]


def _budget(material: Material) -> list[Seed]:
    return [
        _figure_seed(
            figure,
            {
                "amount": figure.value,
                "value": figure.value,
                "currency": figure.unit,
                "text": money(float(figure.value), figure.unit),
            },
        )
        for figure in figures(material.main)
        if figure.kind == "money"
    ]


def _contacts(material: Material) -> list[Seed]:
    found = [figure for figure in figures(material.text) if figure.kind in ("email", "phone", "url")]
    return [
        Seed(
            str(one.value),
            one.sentence.section,
            "",
            {one.kind: one.value, "contact": one.value, "context": one.sentence.text},
        )
        for one in found
    ]


def _questions(material: Material) -> list[Seed]:
    """Questions in the text, and what a demand leaves open."""
    asked = [
        Seed(sentence.text, sentence.section)
        for sentence in reading.sentences(material.text)
        if sentence.text.endswith("?")
    ]
    vague = re.compile(
        r"\b(appropriate|adequate|sufficiently|reasonable|user-friendly|as needed|if necessary|timely|state of the art|modern|high quality|and so on|etc\.?|suitable|where possible|if possible|as required|to be (?:defined|agreed|confirmed))\b",
        re.I,
    )
    for seed in material.requirements or [Seed(one.text, one.section) for one in reading.sentences(material.main)]:
        match = vague.search(seed.text)
        if match:
            asked.append(
                Seed(
                    f"What exactly does “{match[0]}” mean in: “{reading.shorten(seed.text, 140)}”?",
                    seed.section,
                    seed.number,
                )
            )
    return distinct(asked + _missing_annexes(material))[:10]


def _missing_annexes(material: Material) -> list[Seed]:
    """Annexes that the text names and does not hold."""
    headings = " ".join(reading.headings(material.main)).lower()
    named: dict[str, reading.Sentence] = {}
    for sentence in reading.sentences(material.main):
        for match in re.finditer(r"\b(?:Annex|Appendix|Attachment|Exhibit|Schedule) [A-Z0-9]{1,2}\b", sentence.text):
            named.setdefault(match[0], sentence)
    return [
        Seed(
            f"{name} is named (“{reading.shorten(one.text, 120)}”) but is not part of the text. Can it be provided?",
            one.section,
        )
        for name, one in named.items()
        if name.lower() not in headings
    ]


def _sections(material: Material) -> list[Seed]:
    found = []
    for heading in dict.fromkeys(reading.headings(material.main)):
        inside = " ".join(one.text for one in reading.sentences(material.main) if one.section == heading)
        if inside:
            gist = " ".join(one.text for one in reading.best(inside, 2))
            found.append(
                Seed(
                    heading,
                    heading,
                    "",
                    {"title": heading, "heading": heading, "summary": reading.shorten(gist, 300), "content": gist},
                )
            )
    return found


def _keywords(material: Material) -> list[Seed]:
    return [Seed(word) for word in reading.keywords(material.main, 12)]


def _actions(material: Material) -> list[Seed]:
    """What to do: for findings their remedies, for risks their advice, else sentences that ask for action."""
    if material.nothing_found:
        return []
    remedies: dict[str, list[Mapping[str, JSON]]] = {}
    for _, rows in material.objects:
        for row in rows:
            if remedy := alias_of(row, "recommendation"):
                remedies.setdefault(f"{row.get('title') or ''}\n{remedy}", []).append(row)
    if remedies:
        return [_remedy(key, rows) for key, rows in remedies.items()][:15]
    if material.diff:
        by_rule = {one.rule: one for one in material.findings}
        return [
            Seed(
                f"{one.title} ({one.file}:{one.line}): {one.suggestion}",
                one.file,
                "",
                {"severity": one.severity, "priority": one.severity},
            )
            for one in by_rule.values()
        ][:12]
    verbs = re.compile(
        r"\b(?:need(?:s)? to|must|should|please|let's|we will|will have to|action|recommend|plan to|next step|to do|follow up|ensure|agree)\b",
        re.I,
    )
    found = [Seed(one.text, one.section) for one in reading.sentences(material.main) if verbs.search(one.text)]
    risks = [
        Seed(seed.known["mitigation"], seed.section, "", {**seed.known, "title": seed.known["title"]})
        for seed in _risks(material)
    ]
    return distinct(risks + found if len(found) < 3 else found)[:10]


def _remedy(key: str, rows: Sequence[Mapping[str, JSON]]) -> Seed:
    """One action for all places that need the same."""
    title, _, remedy = key.partition("\n")
    places = [
        f"{row['file']}:{row['line']}" if row.get("line") else str(row["file"]) for row in rows if row.get("file")
    ]
    where = f" ({', '.join(places[:4])}{' and others' if len(places) > 4 else ''})" if places else ""
    return Seed(f"{title}{where}: {remedy}" if title else remedy, "", "", {"severity": rows[0].get("severity")})


def _tests(material: Material) -> list[Seed]:
    if material.diff:
        return [
            Seed(
                f"{one.title}: {one.detail}",
                one.file,
                "",
                {
                    "title": one.title,
                    "file": one.file,
                    "given": f"the code in {one.file}",
                    "when": "it is called with normal, limiting and wrong values",
                    "then": "it answers or fails as documented",
                    "expected": "it answers or fails as documented",
                    "severity": one.severity,
                },
            )
            for one in review.findings(material.diff)
            if one.area == "tests"
        ]
    demands = material.requirements or sentences_about(material, "")
    return [
        Seed(
            f"Check that {one.text[:1].lower()}{one.text[1:]}",
            one.section,
            one.number,
            {
                "title": reading.shorten(f"Check: {one.text}", 110),
                "given": "the system is set up with test data",
                "when": "the described function is used",
                "then": one.text,
                "expected": one.text,
                "steps": [
                    "Set up the test data.",
                    "Use the described function.",
                    "Compare the result with the requirement.",
                ],
                "priority": labels.priority(one.text),
            },
        )
        for one in demands
    ][:25]


def _assumptions(material: Material) -> list[Seed]:
    pattern = re.compile(
        r"\bassum\w+|provided that|on condition|subject to|depends on|if the (?:client|customer|city|authority)|will be provided|is expected to|subject of change",
        re.I,
    )
    found = [Seed(one.text, one.section) for one in reading.sentences(material.text) if pattern.search(one.text)]
    effort = (
        [Seed(advice.RULE_OF_THUMB)] if re.search(r"hour|effort|estimat|pric", material.task.instructions, re.I) else []
    )
    return effort + distinct(found)[:6]


def _clauses(material: Material) -> list[Seed]:
    found = [
        Seed(one.text, one.section, one.number)
        for one in reading.sentences(material.main)
        if areas.area_of(one.text, one.section) == "Legal and contract"
    ]
    return _risks(material) or found[:20]


def _positive(material: Material) -> list[Seed]:
    return [
        Seed(one.text, one.section)
        for one in reading.sentences(material.text)
        if labels.sentiment(one.text).label == "positive"
    ][:8]


def sentences_about(material: Material, question: str) -> list[Seed]:
    if material.tables:
        return [Seed(fact, name) for name, table in material.tables for fact in tables.facts(table)]
    if material.diff:
        return _findings(material)
    focus = [word for word in reading.words(question) if len(word) > 3]
    return [Seed(one.text, one.section, one.number) for one in reading.best(material.main, 8, focus)]


def _points(material: Material) -> list[Seed]:
    return sentences_about(material, "")[:7]


FINDERS: tuple[tuple[str, Callable[[Material], list[Seed]]], ...] = (
    (r"anomal|odd.?value|outlier|stands?.?out", _anomalies),
    (r"work.?package|package|line.?item|estimate|effort|component|module|building.?block|service\b|services|approach|solution|architecture|phase|stream|capabilit|offer", by_area),
    (r"test|scenario|acceptance", _tests),
    (r"requirement|demand|obligation|must.?have|criteria|criterion|deliverable|user.?stor|need\b|needs", _demands),
    (FINDING_NAME.pattern, _findings),
    (r"clause|term|legal|deviation", _clauses),
    (r"risk|concern|threat|red.?flag|exposure|danger|warning|weakness", _risks),
    (r"deadline|date|milestone|timeline|schedule|event|calendar|due", _dates),
    (r"budget|price|cost|payment|amount|money", _budget),
    (r"figure|metric|kpi|number|statistic|quantit|measure\b|trend|insight|fact\b|facts|variance|driver", _amounts),
    (r"contact|email|people|person|part(?:y|ies)\b|stakeholder", _contacts),
    (r"question|clarification|gap|unknown|missing|unclear|open.?point", _questions),
    (r"section|chapter|outline|heading|toc|agenda|page", _sections),
    (r"keyword|topic|tag|theme|subject|hashtag|segment|audience", _keywords),
    (r"action|step|recommendation|task|mitigation|todo|measure|remed|improvement|optimi|change|plan|checklist|index|indexes|control", _actions),
    (r"assumption|precondition|dependenc|prerequisite|constraint|limitation", _assumptions),
    (r"strength|benefit|positive|opportunit|advantage|praise|value.?proposition|differentiator|win.?theme", _positive),
    (r"point|highlight|summary|bullet|quote|evidence|reason|takeaway|message|claim|citation|source|argument|note", _points),
)  # fmt: skip


# An empty list is the right answer to these, rather than sentences that are something else.
NO_FALLBACK = {
    pattern
    for pattern, find in FINDERS
    if find in (_anomalies, _tests, _findings, _risks, _dates, _contacts, _questions, _actions)
}
