"""What a list in the output schema is made of: the name of the list says what to look for in the material.

A seed is one thing that was found: a sentence that demands something, a risk, a date, a finding in a diff, an object that
an earlier step has made. `fields.py` turns seeds into the values of the list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from agents.llm.offline import advice, diffs, labels, tables
from agents.llm.offline import text as reading
from agents.llm.offline.figures import Figure, figures, money
from agents.llm.offline.prompt import Task

JSON = Any
MOST_ITEMS = 60
_FORMAL = re.compile(r"^(?:the )?(?:bidders?|tenderers?|proposals?|applicants?|offers?|submissions?)\b", re.I)
_FILLER = re.compile(r"^(?:this (?:document|section|request)|the purpose of this|see |for questions|questions)\b", re.I)


@dataclass(frozen=True, slots=True)
class Seed:
    """text: what to quote. known: values by field name that are certain."""

    text: str
    section: str = ""
    number: str = ""
    known: Mapping[str, JSON] = field(default_factory=dict)


_MAIN_NAMES = "comment message document diff text request order notes material code change data figures".split()


class Material:
    """Everything a prompt gives to work on, read once."""

    def __init__(self, task: Task) -> None:
        self.task = task

    @cached_property
    def text(self) -> str:
        """All prose, the inputs one below the other; objects count with the text in them."""
        parts = [value for value in self.task.inputs.values() if isinstance(value, str)]
        parts += [_prose(value) for value in self.task.inputs.values() if isinstance(value, dict | list)]
        return "\n\n".join(part for part in parts if part)

    @cached_property
    def main(self) -> str:
        """What the task is about: the input of such a name, else the first of some length. The others are circumstances."""
        inputs = self.task.inputs
        for name in _MAIN_NAMES:
            if isinstance(inputs.get(name), str | int | float):
                return str(inputs[name])
        texts = [value for value in inputs.values() if isinstance(value, str)]
        first = next((value for value in texts if len(value.split()) >= 5), None)
        return first or max(texts, key=len, default="") or self.text

    @cached_property
    def side(self) -> str:
        """The text inputs besides the main one."""
        texts = [value for value in self.task.inputs.values() if isinstance(value, str) and value != self.main]
        return "\n\n".join(texts)

    @cached_property
    def reference(self) -> str:
        """What answers are looked up in: every text if the questions come as objects, else the texts besides the main one."""
        texts = [value for value in self.task.inputs.values() if isinstance(value, str)]
        return "\n\n".join(texts) if self.objects else self.side

    @cached_property
    def diff(self) -> str:
        return next(
            (value for value in self.task.inputs.values() if isinstance(value, str) and diffs.looks_like_diff(value)),
            "",
        )

    @cached_property
    def tables(self) -> list[tuple[str, tables.Table]]:
        found = [(name, tables.table_of(value)) for name, value in self.task.inputs.items()]
        return [(name, table) for name, table in found if table and table.numeric]

    @cached_property
    def objects(self) -> list[tuple[str, list[dict[str, JSON]]]]:
        """Every list of objects anywhere in the inputs, with the name it has there."""
        return [pair for name, value in self.task.inputs.items() for pair in _lists(name, value)]

    @cached_property
    def findings(self) -> list[diffs.Finding]:
        """Of the diff, in the reviewer's area if the instructions name one."""
        if not self.diff:
            return []
        area = self.review_area
        found = list(diffs.findings(self.diff))
        return [one for one in found if one.area == area] if area else found

    @cached_property
    def review_area(self) -> str:
        """Which kind of review the instructions ask for, by the earliest word; "" for all."""
        opening = self.task.instructions[:400].lower()
        places = {
            area: match.start()
            for area, pattern in {
                "security": r"secur", "performance": r"performan", "tests": r"\btests?\b|\btesting\b|test coverage",
                "docs": r"documentation|\bdocs\b", "quality": r"code quality|readab|maintainab|quality reviewer",
            }.items()
            if (match := re.search(pattern, opening))
        }  # fmt: skip
        return min(places, key=lambda area: places[area]) if places else ""

    @cached_property
    def requirements(self) -> list[Seed]:
        return _requirements(self.main)


def seeds(name: str, description: str, properties: Mapping[str, JSON], material: Material) -> list[Seed]:
    """What the list `name` is to hold; at most 60."""
    given = _given(name, properties, material)
    if given:
        return given[:MOST_ITEMS]
    words = f"{name.replace('_', ' ')}".lower()
    for pattern, find in _FINDERS:
        if re.search(pattern, words):
            found = find(material)
            if found or pattern in _NO_FALLBACK:
                return found[:MOST_ITEMS]
    for pattern, find in _FINDERS:
        if re.search(pattern, description.lower()) and (found := find(material)):
            return found[:MOST_ITEMS]
    return _sentences(material, f"{words} {description}")[:8]


# -- the finders ------------------------------------------------------------------------------------------------------


def _given(name: str, properties: Mapping[str, JSON], material: Material) -> list[Seed]:
    """Lists of earlier steps whose objects have the fields that are asked for; all of the best fitting name."""
    if not properties:
        return []
    fitting: list[tuple[float, list[dict[str, JSON]]]] = []
    for given_name, rows in material.objects:
        keys = {_alias(key) for row in rows for key in row}
        wanted = {_alias(key) for key in properties}
        share = len(keys & wanted) / max(1, len(wanted))
        near = bool(set(reading.words(name.replace("_", " "))) & set(reading.words(given_name.replace("_", " "))))
        if (share >= 0.5 and len(keys & wanted) >= 2) or (near and keys & wanted):
            fitting.append((share + near, rows))
    if not fitting:
        return []
    if _FINDING_NAME.search(name):  # reports of several reviewers belong together
        rows = [row for _, found in fitting for row in found]
    else:
        rows = max(fitting, key=lambda pair: pair[0])[1]
    return [_seed_of(row) for row in rows]


def _seed_of(row: Mapping[str, JSON]) -> Seed:
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


def _alias(key: str) -> str:
    return _ALIASES.get(key.lower(), key.lower())


def alias_of(known: Mapping[str, JSON], name: str) -> JSON:
    """The value of the field, or of one that means the same, or None."""
    if name in known:
        return known[name]
    wanted = _alias(name)
    return next((value for key, value in known.items() if key.lower() in _ALIASES and _alias(key) == wanted), None)


def _requirements(text: str) -> list[Seed]:
    """Sentences that demand something, in order. A list item under a demanding introduction is a demand as well."""
    found: list[Seed] = []
    introduced = False
    sentences = reading.sentences(text)
    coded = [sentence for sentence in sentences if _CODE.match(sentence.number)]
    if len(coded) >= 6:  # the author has numbered them: what is not numbered is no requirement
        return [Seed(one.text, one.section, one.number) for one in coded]
    for sentence in sentences:
        if " | " in sentence.text:
            continue
        if sentence.text.endswith(":"):
            introduced = labels.demands(sentence.text)
            continue
        if not sentence.item:
            introduced = False
        if len(sentence.text.split()) < 4 or _FILLER.match(sentence.text):
            continue
        if labels.demands(sentence.text) or (
            sentence.item and (introduced or _REQUIREMENT_SECTION.search(sentence.section))
        ):
            found.append(Seed(sentence.text, sentence.section, sentence.number))
    return _distinct(found)


_CODE = re.compile(r"[A-Z]{1,6}[-.]?\d{1,4}(?:\.\d+)?$")
_REQUIREMENT_SECTION = re.compile(r"requirement|specification|scope|deliverable|functional|must|obligation", re.I)


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
        for sentence in reading.sentences(material.main)
        if labels.sentiment(sentence.text).label == "negative" or labels.severity(sentence.text) in ("critical", "high")
    ]
    return _distinct(found)[:12]


def _dates(material: Material) -> list[Seed]:
    found: list[Seed] = []
    for figure in figures(material.main):
        if figure.kind == "date":
            found.append(
                _figure_seed(
                    figure, {"date": figure.value, "due": figure.value, "deadline": figure.value, "when": figure.value}
                )
            )
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
    return _distinct(asked + _missing_annexes(material))[:10]


def _missing_annexes(material: Material) -> list[Seed]:
    """Annexes that the text names and does not hold."""
    headings = " ".join(reading.headings(material.main)).lower()
    named: dict[str, reading.Sentence] = {}
    for sentence in reading.sentences(material.main):
        for match in re.finditer(r"\b(?:Annex|Appendix|Attachment|Exhibit|Schedule) [A-Z0-9]{1,2}\b", sentence.text):
            named.setdefault(match[0], sentence)
    return [
        Seed(f"{name} is named (“{reading.shorten(one.text, 120)}”) but is not part of the text. Can it be provided?", one.section)
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
    return _distinct(risks + found if len(found) < 3 else found)[:10]


def _remedy(key: str, rows: Sequence[Mapping[str, JSON]]) -> Seed:
    """One action for all places that need the same."""
    title, _, remedy = key.partition("\n")
    places = [f"{row['file']}:{row['line']}" if row.get("line") else str(row["file"]) for row in rows if row.get("file")]
    where = f" ({', '.join(places[:4])}{' and others' if len(places) > 4 else ''})" if places else ""
    return Seed(f"{title}{where}: {remedy}" if title else remedy, "", "", {"severity": rows[0].get("severity")})


def _areas(material: Material) -> list[Seed]:
    """Demands grouped by what they are about: work packages, components, parts of an approach."""
    rows = [
        _seed_of(row)
        for name, found in material.objects
        for row in found
        if re.search(r"requirement|demand|item|matrix|need", name)
    ]
    demands = rows or material.requirements or _sentences(material, "")
    groups: dict[str, list[Seed]] = {}
    for seed in demands:
        area = str(seed.known.get("category") or "") if seed.known else ""
        area = area if area in labels.AREAS else labels.area(seed.text, seed.section)
        groups.setdefault(area, []).append(seed)
    found = [_group(area, groups[area]) for area in sorted(groups, key=advice.ORDER.index)]
    return [*found, _management(found)] if _ESTIMATES.search(material.task.instructions) and len(found) > 1 else found


_ESTIMATES = re.compile(r"estimat\w* (?:software|hours|projects)|work packages", re.I)


def _management(groups: Sequence[Seed]) -> Seed:
    """Project management and acceptance, as a share of the other packages."""
    hours = 4.0 * round(sum(one.known["hours"] for one in groups) * advice.MANAGEMENT_SHARE / 4)
    name, share = "Project management and acceptance", f"{advice.MANAGEMENT_SHARE:.0%}"
    text = f"Steering, planning, reports, tests of acceptance and the start: {share} of the other packages."
    return Seed(text, name, "", {"name": name, "title": name, "hours": hours, "effort_hours": hours, "scope": text, "description": text, "approach": advice.APPROACH["Project and delivery"], "requirement_ids": [], "covers": []})


def _group(area: str, members: Sequence[Seed]) -> Seed:
    effort = sum(
        advice.hours(one.text, area, str(one.known.get("priority") or labels.priority(one.text))) for one in members
    )
    ids = [str(one.number or one.known.get("id")) for one in members if one.number or one.known.get("id")]
    # The weightiest demands speak for the group, without their repetitive beginnings.
    lead = [reading.shorten(one.text, 160) for one in members[:4]]
    what = f"{len(members)} requirement{'s' if len(members) != 1 else ''}" + (
        f" ({', '.join(ids[:12])})" if ids else ""
    )
    return Seed(
        " ".join(lead), area, "",
        {
            "name": area, "title": area, "area": area, "category": area, "component": area, "hours": effort, "effort_hours": effort, "effort": effort,
            "estimated_hours": effort, "days": round(effort / 8, 1), "requirements": ids or lead, "requirement_ids": ids, "description": f"{what}: {' '.join(lead)}",
            "scope": what, "approach": advice.APPROACH[area], "how": advice.APPROACH[area], "responsibility": f"{what}.", "basis": what,
            "assumption": advice.RULE_OF_THUMB, "responsibilities": lead, "covers": ids or lead,
        },
    )  # fmt: skip


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
            for one in diffs.findings(material.diff)
            if one.area == "tests"
        ]
    demands = material.requirements or _sentences(material, "")
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
    return effort + _distinct(found)[:6]


def _clauses(material: Material) -> list[Seed]:
    found = [
        Seed(one.text, one.section, one.number)
        for one in reading.sentences(material.main)
        if labels.area(one.text, one.section) == "Legal and contract"
    ]
    return _risks(material) or found[:20]


def _positive(material: Material) -> list[Seed]:
    return [
        Seed(one.text, one.section)
        for one in reading.sentences(material.text)
        if labels.sentiment(one.text).label == "positive"
    ][:8]


def _sentences(material: Material, question: str) -> list[Seed]:
    if material.tables:
        return [Seed(fact, name) for name, table in material.tables for fact in tables.facts(table)]
    if material.diff:
        return _findings(material)
    focus = [word for word in reading.words(question) if len(word) > 3]
    return [Seed(one.text, one.section, one.number) for one in reading.best(material.main, 8, focus)]


def _points(material: Material) -> list[Seed]:
    return _sentences(material, "")[:7]


_FINDING_NAME = re.compile(r"finding|issue|problem|defect|vulnerab|bug|violation|smell|comment|hotspot|bottleneck")
_FINDERS: tuple[tuple[str, Callable[[Material], list[Seed]]], ...] = (
    (r"work.?package|package|line.?item|estimate|effort|component|module|building.?block|service\b|services|approach|solution|architecture|phase|stream|capabilit|offer", _areas),
    (r"test|scenario|acceptance", _tests),
    (r"requirement|demand|obligation|must.?have|criteria|criterion|deliverable|user.?stor|need\b|needs", _demands),
    (_FINDING_NAME.pattern, _findings),
    (r"clause|term|legal|deviation", _clauses),
    (r"risk|concern|threat|red.?flag|exposure|danger|warning|weakness", _risks),
    (r"deadline|date|milestone|timeline|schedule|event|calendar|due", _dates),
    (r"budget|price|cost|payment|amount|money", _budget),
    (r"figure|metric|kpi|number|statistic|quantit|measure\b|trend|insight|fact\b|facts|anomal|variance|driver", _amounts),
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
_NO_FALLBACK = {_FINDING_NAME.pattern, _FINDERS[1][0], _FINDERS[5][0], _FINDERS[6][0], _FINDERS[9][0], _FINDERS[10][0]}


def _distinct(found: Sequence[Seed]) -> list[Seed]:
    kept: list[Seed] = []
    seen: list[set[str]] = []
    for seed in found:
        bag = set(reading.words(seed.text))
        if any(len(bag & other) > 0.85 * max(len(bag), len(other)) for other in seen if other and bag):
            continue
        kept.append(seed)
        seen.append(bag)
    return kept


def _prose(value: JSON) -> str:
    if isinstance(value, str):
        return value if len(value.split()) > 3 else ""
    if isinstance(value, Mapping):
        return "\n".join(filter(None, (_prose(item) for item in value.values())))
    if isinstance(value, list):
        return "\n".join(filter(None, (_prose(item) for item in value)))
    return ""


def _lists(name: str, value: JSON) -> list[tuple[str, list[dict[str, JSON]]]]:
    found: list[tuple[str, list[dict[str, JSON]]]] = []
    if isinstance(value, list):
        rows = [row for row in value if isinstance(row, dict)]
        if rows and len(rows) == len(value):
            found.append((name, rows))
            # A list of reports, each with a list in it.
            found += [pair for row in rows for key, inner in row.items() for pair in _lists(key, inner)]
    elif isinstance(value, Mapping):
        found += [pair for key, inner in value.items() for pair in _lists(str(key), inner)]
    return found
