"""Functions behind the starter agents of kind `python`: what must be exact is computed, not asked of a model.

Sums of a quote, counts, tables and the order of findings come out right whichever model the other steps use.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from agents.catalogue.entries import anything, form, lines, markdown, number, objects, rows, text, whole
from agents.llm.columns import columns_of
from agents.python_callables import CallFacts, callable_agent

JSON = Any
SEVERITIES = ("critical", "high", "medium", "low", "info")
_CENT = Decimal("0.01")
_MOST_CELL = 500


# -- quote ------------------------------------------------------------------------------------------------------------


@callable_agent(
    "quote",
    label="Quote calculator",
    effects=False,
    description="Multiplies hours by the rate, adds contingency and tax, rounds to the cent.",
    input_schema=form(
        ("work_packages", "hourly_rate"),
        work_packages=objects("Work packages", "Objects with name, hours and, if wanted, description and rate."),
        hourly_rate=number("Hourly rate", "Price of an hour where a package names no rate of its own.", minimum=0),
        currency=text("Currency", "Three letters, such as EUR.", default="EUR", maxLength=3),
        contingency_percent=number("Contingency", "Per cent added for the unforeseen.", default=0, minimum=0, maximum=100),
        tax_percent=number("Tax", "Per cent of tax added at the end.", default=0, minimum=0, maximum=100),
    ),
    output_schema=form(
        lines=rows(
            "Lines", "One a work package.", 500, ("name", "hours", "rate", "amount"),
            name=text("Work package", "Its name."), description=text("Description", "What it covers."),
            hours=number("Hours", "Estimated hours."), rate=number("Rate", "Price of an hour."), amount=number("Amount", "Hours times rate."),
        ),
        hours=number("Hours", "Sum of hours."),
        subtotal=number("Subtotal", "Sum of the lines."),
        contingency=number("Contingency", "What is added for the unforeseen."),
        tax=number("Tax", "What is added as tax."),
        total=number("Total", "What is to be paid."),
        currency=text("Currency", "Three letters."),
        total_text=text("Total in words of figures", "Such as EUR 125,400.00."),
        table=text("Table", "The quote as a Markdown table.", contentMediaType="text/markdown"),
    ),
)  # fmt: skip
def quote(inputs: dict[str, JSON], call: CallFacts) -> dict[str, JSON]:
    rate, currency = _decimal(inputs["hourly_rate"]), inputs.get("currency", "EUR")
    priced = []
    for package in inputs["work_packages"]:
        hours = _decimal(package.get("hours") or package.get("effort_hours") or 0)
        own = _decimal(package["rate"]) if package.get("rate") else rate
        name = str(package.get("name") or package.get("title") or "Work package")
        description = str(package.get("scope") or package.get("description") or "")
        priced.append((name, description, hours, own, _cents(hours * own)))
    subtotal = sum((line[4] for line in priced), Decimal(0))
    contingency = _cents(subtotal * _decimal(inputs.get("contingency_percent", 0)) / 100)
    tax = _cents((subtotal + contingency) * _decimal(inputs.get("tax_percent", 0)) / 100)
    total = subtotal + contingency + tax
    hours = sum((line[2] for line in priced), Decimal(0))

    shown = [[name, _plain(amount_hours), _money(own), _money(amount)] for name, _, amount_hours, own, amount in priced]
    shown.append(["**Subtotal**", f"**{_plain(hours)}**", "", f"**{_money(subtotal)}**"])
    if contingency:
        shown.append(
            [f"Contingency ({_plain(_decimal(inputs['contingency_percent']))} %)", "", "", _money(contingency)]
        )
    if tax:
        shown.append([f"Tax ({_plain(_decimal(inputs['tax_percent']))} %)", "", "", _money(tax)])
    shown.append(["**Total**", "", "", f"**{_money(total)}**"])
    return {
        "lines": [
            {"name": name, "description": description, "hours": float(h), "rate": float(own), "amount": float(amount)}
            for name, description, h, own, amount in priced
        ],
        "hours": float(hours),
        "subtotal": float(subtotal),
        "contingency": float(contingency),
        "tax": float(tax),
        "total": float(total),
        "currency": currency,
        "total_text": f"{currency} {_money(total)}",
        "table": table(["Work package", "Hours", f"Rate ({currency})", f"Amount ({currency})"], shown, right=(1, 2, 3)),
    }


# -- findings ---------------------------------------------------------------------------------------------------------


@callable_agent(
    "merge-findings",
    label="Findings merger",
    effects=False,
    description="Puts the findings of several reviewers together: doubles out, the gravest first, counted.",
    input_schema=form(
        ("reports",), reports=objects("Reports", "Objects with a list `findings` and, if wanted, the name of the `reviewer`.")
    ),
    output_schema=form(
        findings=objects("Findings", "All of them, the gravest first, each with the reviewers who saw it."),
        counts={"type": "object", "title": "Counts", "description": "How many of each severity.", "additionalProperties": {"type": "integer"}},
        total=whole("Total", "How many findings there are."),
        worst=text("Worst", "The gravest severity; none without findings."),
        blocking=whole("Blocking", "How many are critical or high."),
        table=text("Table", "The findings as a Markdown table.", contentMediaType="text/markdown"),
        summaries=lines("Summaries", "What each reviewer said in short."),
    ),
)  # fmt: skip
def merge_findings(inputs: dict[str, JSON], call: CallFacts) -> dict[str, JSON]:
    merged: dict[tuple[str, int, str], dict[str, JSON]] = {}
    summaries = []
    for report in inputs["reports"]:
        reviewer = str(report.get("reviewer") or "")
        if report.get("summary"):
            summaries.append(f"{reviewer}: {report['summary']}" if reviewer else str(report["summary"]))
        for finding in report.get("findings") or []:
            key = (str(finding.get("file") or ""), int(finding.get("line") or 0), _key(str(finding.get("title") or "")))
            known = merged.setdefault(key, {**finding, "severity": _severity(finding), "reviewers": []})
            if reviewer and reviewer not in known["reviewers"]:
                known["reviewers"].append(reviewer)
            known["severity"] = min(known["severity"], _severity(finding), key=SEVERITIES.index)
    found = sorted(
        merged.values(),
        key=lambda one: (SEVERITIES.index(one["severity"]), str(one.get("file") or ""), int(one.get("line") or 0)),
    )
    counts = Counter(one["severity"] for one in found)
    cells = [
        [one["severity"], _place(one), str(one.get("title") or ""), str(one.get("suggestion") or one.get("detail") or ""), ", ".join(one["reviewers"])]
        for one in found
    ]  # fmt: skip
    return {
        "findings": found,
        "counts": {name: counts[name] for name in SEVERITIES if counts[name]},
        "total": len(found),
        "worst": found[0]["severity"] if found else "none",
        "blocking": counts["critical"] + counts["high"],
        "table": table(["Severity", "Where", "Finding", "What to do", "Seen by"], cells) if cells else "No findings.",
        "summaries": summaries,
    }


# -- counting ---------------------------------------------------------------------------------------------------------


@callable_agent(
    "tally",
    label="Tally",
    effects=False,
    description="Counts a list of objects by fields and shows it as a table.",
    input_schema=form(
        ("items", "by"),
        items=objects("Items", "What is to be counted."),
        by=lines("Count by", "Names of the fields to count by."),
        columns=lines("Columns", "Fields to show in the table; all if empty."),
    ),
    output_schema=form(
        total=whole("Total", "How many items there are."),
        counts={"type": "object", "title": "Counts", "description": "For each field: how many of each value.", "additionalProperties": {"type": "object"}},
        counts_table=text("Table of counts", "As Markdown.", contentMediaType="text/markdown"),
        table=text("Table of items", "As Markdown.", contentMediaType="text/markdown"),
    ),
)  # fmt: skip
def tally(inputs: dict[str, JSON], call: CallFacts) -> dict[str, JSON]:
    items: list[dict[str, JSON]] = [item for item in inputs["items"] if isinstance(item, dict)]
    counts = {name: dict(Counter(str(item.get(name)) for item in items).most_common()) for name in inputs["by"]}
    counted = [[_label(name), value, str(count)] for name, found in counts.items() for value, count in found.items()]
    columns = inputs.get("columns") or list(dict.fromkeys(key for item in items for key in item))
    cells = [[_cell(item.get(name)) for name in columns] for item in items]
    return {
        "total": len(items),
        "counts": counts,
        "counts_table": table(["By", "Value", "Count"], counted, right=(2,)) if counted else "Nothing to count.",
        "table": table([_label(name) for name in columns], cells) if cells else "No items.",
    }


# -- documents --------------------------------------------------------------------------------------------------------


@callable_agent(
    "build-document",
    label="Document builder",
    effects=False,
    description="Puts sections together to one Markdown document; lists of objects become tables. Nothing is reworded.",
    input_schema=form(
        ("sections",),
        title=text("Title", "Heading of the document."),
        sections=rows(
            "Sections", "In order; empty ones are left out.", 100, (),
            heading=text("Heading", "Empty: the body follows without one."), body=anything("Body", "Markdown, or a list of objects for a table."),
        ),
    ),
    output_schema=markdown("The document."),
)  # fmt: skip
def build_document(inputs: dict[str, JSON], call: CallFacts) -> dict[str, JSON]:
    parts = [f"# {inputs['title']}"] if inputs.get("title") else []
    for section in inputs["sections"]:
        body = _body(section.get("body"))
        if body:
            heading = section.get("heading")
            parts.append(f"## {heading}\n\n{body}" if heading else body)
    return {"text": "\n\n".join(parts)}


def _body(value: JSON) -> str:
    if value in (None, "", [], {}):
        return ""
    if isinstance(value, str):
        # A heading of the section's own level or above would break the document's order.
        found = [len(match[1]) for match in re.finditer(r"^(#{1,6}) ", value, re.MULTILINE)]
        shift = max(0, 2 - min(found, default=2))
        return re.sub(r"^(#{1,6}) ", lambda match: "#" * min(6, len(match[1]) + shift) + " ", value, flags=re.M).strip()
    if isinstance(value, list) and all(isinstance(row, Mapping) for row in value):
        names = columns_of(value)
        return table([_label(name) for name in names], [[_cell(row.get(name)) for name in names] for row in value])
    if isinstance(value, list):
        return "\n".join(f"- {_cell(item)}" for item in value)
    if isinstance(value, Mapping):
        return "\n".join(f"- **{_label(str(name))}:** {_cell(item)}" for name, item in value.items())
    return str(value)


# -- helpers ----------------------------------------------------------------------------------------------------------


def table(heads: Sequence[str], cells: Iterable[Sequence[str]], right: Sequence[int] = ()) -> str:
    """A Markdown table; `right`: columns of figures."""
    rule = ["---:" if index in right else "---" for index in range(len(heads))]
    lines_ = [heads, rule, *([_escaped(cell) for cell in row] for row in cells)]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines_)


def _escaped(cell: str) -> str:
    flat = re.sub(r"\s*\n\s*", " ", cell).strip()
    flat = flat if len(flat) <= _MOST_CELL else f"{flat[: _MOST_CELL - 1]}…"
    return re.sub(r"(?<!\\)\|", r"\\|", flat)


def _cell(value: JSON) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return _plain(_decimal(value))
    if isinstance(value, list):
        return ", ".join(_cell(item) for item in value)
    if isinstance(value, Mapping):
        return "; ".join(f"{_label(str(name))}: {_cell(item)}" for name, item in value.items())
    return str(value)


def _place(finding: Mapping[str, JSON]) -> str:
    file, line = finding.get("file"), finding.get("line")
    return f"`{file}:{line}`" if file and line else f"`{file}`" if file else ""


def _severity(finding: Mapping[str, JSON]) -> str:
    named = str(finding.get("severity") or "").lower()
    return named if named in SEVERITIES else "medium"


def _key(title: str) -> str:
    return re.sub(r"\W+", " ", title.lower()).strip()


def _label(name: str) -> str:
    words = name.replace("_", " ").strip()
    return {"id": "No."}.get(words, words[:1].upper() + words[1:])


def _decimal(value: JSON) -> Decimal:
    return Decimal(str(value or 0))


def _cents(value: Decimal) -> Decimal:
    return value.quantize(_CENT, ROUND_HALF_UP)


def _money(value: Decimal) -> str:
    return f"{value:,.2f}"


def _plain(value: Decimal) -> str:
    return f"{value:,.2f}".removesuffix(".00").removesuffix(",00")
