"""Everything a prompt gives to work on, read once and shared by all that fill the answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from agents.llm.offline import demands, diffs, review, tables
from agents.llm.offline.prompt import Task
from agents.llm.offline.seed import Seed

JSON = Any


_MAIN_NAMES = (
    "comment", "message", "document", "diff", "text", "request", "order", "notes", "material", "code", "change", "data", "figures",
)  # fmt: skip


FINDING_NAME = re.compile(r"finding|issue|problem|defect|vulnerab|bug|violation|smell|comment|hotspot|bottleneck")


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
    def nothing_found(self) -> bool:
        """Whether an earlier step has looked for findings and found none."""
        return any(value == [] and FINDING_NAME.search(name) for name, value in self.task.inputs.items())

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
    def findings(self) -> list[review.Finding]:
        """Of the diff, in the reviewer's area if the instructions name one."""
        if not self.diff:
            return []
        area = self.review_area
        found = list(review.findings(self.diff))
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
        return demands.requirements(self.main)


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
