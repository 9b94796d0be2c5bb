"""Free text: a Markdown document put together from the inputs, by the outline that the prompt gives if it gives one.

Nothing is worded that was not given, apart from connecting words; a note at the end says who wrote it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agents.llm.columns import columns_of
from agents.llm.offline import diffs, labels, review, tables
from agents.llm.offline import text as reading
from agents.llm.offline.prompt import Task

if TYPE_CHECKING:
    from agents.llm.offline.material import Material

JSON = Any
NOTE = "_Put together by the offline model, which is not a language model: it arranges what it was given. Connect a model for written prose._"
_OUTLINE = re.compile(r"^\s*##\s+(?P<heading>[^\n#]+?)\s*$", re.MULTILINE)
_MOST_ROWS = 60
_LONGEST_CELL = 400
# What belongs under a heading: a pattern for the heading, and the names of fields.
_SECTIONS = tuple(
    (re.compile(heading, re.I), frozenset(reading.stem(word) for word in words.split()))
    for heading, words in (
        (r"summary|overview|introduction", "summary overview recommendation message"),
        (r"understanding|task|background|situation", "requirements objectives goals situation analysis needs"),
        (r"approach|solution|architecture|method", "approach components architecture solution technical method"),
        (r"price|cost|budget|commercial", "price pricing quote cost total budget lines packages"),
        (r"plan|timeline|delivery|schedule", "plan timeline milestones deadlines dates schedule delivery phases steps"),
        (r"risk", "risks legal mitigation"),
        (r"assumption|question|open", "assumptions questions open exclusions notes review comment feedback"),
        (r"finding|issue", "findings issues reports"),
        (r"about us|company|reference|team", "profile company references experience team"),
        (r"next step|action", "actions recommendation steps"),
        (r"detail|how to", "material details facts data"),
        (r"letter", "purpose facts recipient"),
    )
)


def document(task: Task) -> str:
    """Markdown. With an outline (`## Heading` lines in the prompt) by it; otherwise one section an input."""
    outline = [match["heading"].strip() for match in _OUTLINE.finditer(task.instructions)]
    if outline == ["Letter"]:
        return letter(task)
    parts = _by_outline(outline, task) if outline else _by_input(task)
    title = "" if outline else _title(task)  # an outline is part of a document that somebody else heads
    body = "\n\n".join(part for part in parts if part.strip())
    return "\n\n".join(filter(None, (f"# {title}" if title else "", body or "There was nothing to write about.", NOTE)))


def _title(task: Task) -> str:
    for value in task.inputs.values():
        if isinstance(value, Mapping) and isinstance(value.get("title"), str):
            return reading.shorten(value["title"], 120)
    named = task.inputs.get("title") or task.inputs.get("subject") or task.inputs.get("topic")
    if isinstance(named, str):
        return reading.shorten(named, 120)
    texts = task.texts
    if not texts or any(diffs.looks_like_diff(text) for text in texts.values()):
        return ""
    return reading.shorten(reading.title(max(texts.values(), key=len)), 120)


# -- by outline -------------------------------------------------------------------------------------------------------


def _by_outline(outline: Sequence[str], task: Task) -> list[str]:
    """Every piece of the inputs goes to the heading it fits best; what fits none to where details belong."""
    placed: dict[str, list[tuple[str, JSON]]] = {heading: [] for heading in outline}
    catch_all = next(
        (one for one in outline if re.search(r"detail|annex|appendix|background|understanding", one, re.I)), outline[-1]
    )
    for name, value in _pieces(task):
        best = max(outline, key=lambda one: (_fit(one, name), -outline.index(one)))
        placed[best if _fit(best, name) else catch_all].append((name, value))
    parts = []
    for heading in outline:
        pieces = placed[heading]
        texts = [_render(name, value, 3, bare=len(pieces) == 1 or _is_summary(name)) for name, value in pieces]
        inside = "\n\n".join(text for text in texts if text.strip())
        if not inside and re.search(r"summary|overview|introduction", heading, re.I):
            inside = _summary(task)
        if inside:
            parts.append(f"## {heading}\n\n{inside}")
    return parts


def _pieces(task: Task) -> Iterable[tuple[str, JSON]]:
    """The inputs, objects taken apart into their fields: `analysis.risks` counts as risks of the analysis. The title is none."""
    for name, value in task.inputs.items():
        if value in ("", None, [], {}) or name in ("title", "subject", "client"):
            continue
        if isinstance(value, Mapping):
            yield from (
                (f"{name} {key}", inner)
                for key, inner in value.items()
                if inner not in ("", None, [], {}) and key != "title"
            )
        else:
            yield name, value


def _is_summary(name: str) -> bool:
    return name.split(" ")[-1] == "summary"


def _scalar(value: JSON) -> bool:
    return not isinstance(value, Mapping | list) and len(str(value)) < 120


def _fit(heading: str, name: str) -> int:
    """How well a piece belongs under a heading. The field's own name says more than that of the object it is in."""
    own = {reading.stem(word) for word in re.findall(r"[a-z]+", heading.lower())}
    near = frozenset().union(*(words for pattern, words in _SECTIONS if pattern.search(heading)))
    words = [reading.stem(word) for word in re.split(r"[\s_]+", name.lower())]
    return 3 * len(own & set(words)) + 2 * len(near & set(words[-1:])) + len(near & set(words[:-1]))


def _by_input(task: Task) -> list[str]:
    parts = []
    for name, value in task.inputs.items():
        if isinstance(value, str) and diffs.looks_like_diff(value):
            parts.append(_diff_report(value))
        elif value not in ("", None, [], {}):
            heading = f"## {_label(name)}\n\n" if len(task.inputs) > 1 else ""
            parts.append(heading + (_digest(value) if isinstance(value, str) else _render(name, value, 3, bare=True)))
    return parts


def _summary(task: Task) -> str:
    for value in task.inputs.values():
        if isinstance(value, Mapping) and isinstance(value.get("summary"), str):
            return str(value["summary"])
    text = max(task.texts.values(), key=len, default="")
    return " ".join(one.text for one in reading.best(text, 4))


# -- values as Markdown -----------------------------------------------------------------------------------------------


def _render(name: str, value: JSON, level: int, bare: bool = False) -> str:
    """One value. `bare`: the heading above says already what it is."""
    head = "" if bare else f"{'#' * level} {_label(name)}\n\n"
    if isinstance(value, str):
        return head + _shifted(value, level)
    if isinstance(value, Mapping):
        short = [
            f"- **{_label(key)}:** {_inline(inner)}"
            for key, inner in value.items()
            if _scalar(inner) and inner not in ("", None)
        ]
        long = [
            _render(key, inner, level + 1)
            for key, inner in value.items()
            if not _scalar(inner) and inner not in ("", [], {})
        ]
        return head + "\n\n".join(filter(None, ("\n".join(short), *long)))
    if isinstance(value, list):
        if value and all(isinstance(row, Mapping) for row in value):
            return head + table(value)
        return head + "\n".join(f"- {_inline(item)}" for item in value)
    return head + _inline(value)


def table(rows: Sequence[Mapping[str, JSON]]) -> str:
    """A Markdown table of the columns that hold something; long ones are cut with their number told."""
    names = columns_of(rows)
    # Of two columns that say the same, one is enough.
    names = [
        name
        for index, name in enumerate(names)
        if not any(all(row.get(name) == row.get(other) for row in rows) for other in names[:index])
    ]
    lines = ["| " + " | ".join(_label(name) for name in names) + " |", "|" + " --- |" * len(names)]
    lines += ["| " + " | ".join(_cell(row.get(name)) for name in names) + " |" for row in rows[:_MOST_ROWS]]
    more = f"\n\n… and {len(rows) - _MOST_ROWS} more." if len(rows) > _MOST_ROWS else ""
    return "\n".join(lines) + more


def _cell(value: JSON) -> str:
    return reading.shorten(_inline(value), _LONGEST_CELL).replace("|", "\\|")


def _inline(value: JSON) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.2f}".removesuffix(".00")
    if isinstance(value, list):
        return ", ".join(_inline(item) for item in value)
    if isinstance(value, Mapping):
        return "; ".join(f"{_label(key)}: {_inline(inner)}" for key, inner in value.items())
    return re.sub(r"\s*\n\s*", " ", str(value)).strip()


def _shifted(text: str, level: int) -> str:
    """Markdown of an input, its headings put below ours."""
    found = [len(match[1]) for match in re.finditer(r"^(#{1,6}) ", text, re.M)]
    if not found:
        return text.replace(NOTE, "").strip()
    shift = max(0, level - min(found))
    return re.sub(
        r"^(#{1,6}) ", lambda match: "#" * min(6, len(match[1]) + shift) + " ", text.replace(NOTE, ""), flags=re.M
    ).strip()


def _digest(text: str) -> str:
    """A text in short: its key sentences, by section where it has some."""
    if len(text) < 600:
        return text
    if found := tables.table_of(text):
        return "\n".join(f"- {fact}" for fact in tables.facts(found))
    chosen = reading.best(text, 8)
    parts, section = [], None
    for sentence in chosen:
        if sentence.section != section and sentence.section:
            parts.append(f"\n**{sentence.section}**\n")
            section = sentence.section
        parts.append(f"- {sentence.text}")
    return "\n".join(parts).strip()


def _label(name: str) -> str:
    words = re.sub(r"[_\-]+", " ", name.split(" ")[-1] if " " in name else name).strip()
    return reading.sentence_case({"id": "No.", "usd": "USD"}.get(words.lower(), words))


# -- particular texts -------------------------------------------------------------------------------------------------


def severity_sentence(severities: Sequence[str], noun: str = "finding") -> str:
    """`12 findings: 2 critical, 3 high, 7 low.`"""
    counts = Counter(severities)
    listed = ", ".join(f"{counts[word]} {word}" for word in labels.SEVERITY if counts[word])
    return f"{len(severities)} {noun}{'s' if len(severities) != 1 else ''}: {listed}." if severities else f"No {noun}s."


def graded_summary(rows: Sequence[Mapping[str, JSON]]) -> str:
    """How many of which weight, and the gravest by name."""
    severities = [str(row["severity"]).lower() for row in rows]
    worst = [row for row in rows if str(row["severity"]).lower() in ("critical", "high")]
    named = list(dict.fromkeys(str(row.get("title") or row.get("name") or "") for row in worst))
    told = f" The gravest: {'; '.join(name for name in named[:6] if name)}." if any(named) else ""
    noun = "finding" if any(row.get("file") for row in rows) else "point"
    return severity_sentence(severities, noun) + told


def diff_summary(diff: str, area: str = "") -> str:
    statistics = diffs.statistics(diff)
    found = [one for one in review.findings(diff) if not area or one.area == area]
    files = ", ".join(file.path for file in diffs.parse(diff)[:6])
    grave = [one for one in found if one.severity in ("critical", "high")]
    told = "; ".join(f"{one.title} in {one.file}:{one.line}" for one in grave[:4])
    what = f"{statistics['files']} file{'s' if statistics['files'] != 1 else ''} changed ({files}), {statistics['added']} lines added, {statistics['removed']} removed."
    if area:
        return (severity_sentence([one.severity for one in found]) if found else "No findings of this kind.") + (
            f" Most important: {told}." if told else ""
        )
    result = f" {severity_sentence([one.severity for one in found])}" if found else " No findings of this kind."
    return what + result + (f" Most important: {told}." if told else "")


def _diff_report(diff: str) -> str:
    found = review.findings(diff)
    rows = [
        {
            "severity": one.severity,
            "where": f"{one.file}:{one.line}",
            "finding": one.title,
            "suggestion": one.suggestion,
        }
        for one in found
    ]
    return f"{diff_summary(diff)}\n\n{table(rows) if rows else ''}"


_TOLD = re.compile(r"^(?:tell|inform|let|write)\b.*?\bthat\s+(?P<what>.+?)(?:,? with thanks.*)?[.]?$", re.I | re.DOTALL)


def letter(task: Task) -> str:
    """A short business letter: subject, thanks, what the purpose says, a friendly end."""
    purpose = str(task.inputs.get("purpose") or "")
    facts = str(task.inputs.get("facts") or "")
    subject = re.search(r"^Subject:\s*(.+)$", facts, re.M)
    rest = facts.replace(subject[0], "").strip() if subject else facts.strip()
    told = _TOLD.match(purpose)
    message = reading.sentence_case((told["what"] if told else purpose).strip().rstrip(".")) + "."
    parts = [
        f"To: {task.inputs['recipient']}" if task.inputs.get("recipient") else "",
        f"**{subject[1].strip()}**" if subject else "",
        "Dear Sir or Madam,",
        "Thank you for your invitation." if "thank" in purpose.lower() else "",
        message,
        rest,
        "We would be glad to hear from you again." if "thank" in purpose.lower() else "",
        "Kind regards",
        NOTE,
    ]
    return "\n\n".join(part for part in parts if part)


def reply(material: Material) -> str:
    """A letter that takes up what was asked and promises nothing that was not given."""
    message = material.main
    topics = reading.keywords(message, 3)
    known = reading.about(material.side, message, 3) if material.side else []
    questions = [one.text for one in reading.sentences(message) if one.text.endswith("?")]
    parts = ["Hello,", f"Thank you for your message{' about ' + ' and '.join(topics[:2]) if topics else ''}."]
    if labels.sentiment(message).label == "negative":
        parts.append("We are sorry for the trouble this has caused you.")
    if questions:
        parts.append("You asked:\n" + "\n".join(f"- {question}" for question in questions[:4]))
    if known:
        parts.append("What we can tell you now:\n" + "\n".join(f"- {one.text}" for one in known))
    else:
        parts.append(
            "A colleague will look into it and come back to you; please send us anything that helps, such as your order or customer number."
        )
    parts.append("Kind regards")
    return "\n\n".join(parts)
