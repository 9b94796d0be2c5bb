"""Tables in the input (CSV text, or JSON lists of objects): columns, sums, changes, outliers, said in sentences."""

from __future__ import annotations

import csv
import io
import re
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.llm.offline.figures import number

JSON = Any
_NUMERIC = re.compile(r"^[€$£]?\s?-?\d[\d,.' ]*\s?%?$")
_TIME_COLUMN = re.compile(r"date|month|year|quarter|week|day|period|time", re.I)


# Objects with these fields are findings or demands, whose numbers (a line, an index) are no figures.
_PROSE = frozenset({"severity", "requirement", "text", "suggestion", "mitigation", "priority", "event"})


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    values: tuple[str, ...]
    numbers: tuple[float, ...]
    """Empty unless nearly all values are numbers."""


@dataclass(frozen=True, slots=True)
class Table:
    columns: tuple[Column, ...]
    rows: int

    @property
    def numeric(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.numbers)

    @property
    def label(self) -> Column | None:
        """The column that names the rows: a time, or the first that is no number."""
        texts = [column for column in self.columns if not column.numbers or _TIME_COLUMN.search(column.name)]
        return next((column for column in texts if _TIME_COLUMN.search(column.name)), texts[0] if texts else None)


def table_of(value: JSON) -> Table | None:
    """None unless it is a list of flat objects, or text that reads as CSV with a heading."""
    if isinstance(value, list) and len(value) > 1 and all(isinstance(row, Mapping) for row in value):
        if _PROSE & {name for row in value for name in row}:
            return None
        names = list(dict.fromkeys(name for row in value for name in row))
        return _table(names, [[str(row.get(name, "")) for name in names] for row in value])
    if isinstance(value, str):
        rows = _csv(value)
        return _table(rows[0], rows[1:]) if rows else None
    return None


def facts(table: Table) -> list[str]:
    """Sentences about the table, the most telling first."""
    label = table.label
    found: list[str] = []
    for column in table.numeric:
        if label is column:
            continue
        total, mean = sum(column.numbers), statistics.fmean(column.numbers)
        highest, lowest = max(column.numbers), min(column.numbers)
        names = label.values if label and len(label.values) == len(column.numbers) else ()
        at_high = f" ({names[column.numbers.index(highest)]})" if names else ""
        at_low = f" ({names[column.numbers.index(lowest)]})" if names else ""
        found.append(
            f"{column.name}: total {_show(total)}, average {_show(mean)}, highest {_show(highest)}{at_high}, "
            f"lowest {_show(lowest)}{at_low}."
        )
        if names and label and _TIME_COLUMN.search(label.name) and len(column.numbers) > 2 and column.numbers[0]:
            change = (column.numbers[-1] - column.numbers[0]) / abs(column.numbers[0]) * 100
            word = "rose" if change > 0 else "fell"
            found.append(f"{column.name} {word} by {abs(change):.1f}% from {names[0]} to {names[-1]}.")
        found.extend(_outliers(column, names))
    for column in table.columns:
        if not column.numbers and column is not label and 1 < len(set(column.values)) <= max(8, table.rows // 2):
            common = ", ".join(f"{name} ({count})" for name, count in Counter(column.values).most_common(3) if name)
            found.append(f"{column.name}: most often {common}.")
    return found


def _outliers(column: Column, names: Sequence[str]) -> list[str]:
    """Values far from all the others: judged against these alone, so that in a short column one value can stand out."""
    found = []
    for index, value in enumerate(column.numbers):
        others = column.numbers[:index] + column.numbers[index + 1 :]
        if len(others) < 3:
            return []
        mean, deviation = statistics.fmean(others), statistics.pstdev(others)
        if abs(value - mean) > max(4 * deviation, 0.3 * abs(mean)):
            where = f" ({names[index]})" if names else f" (row {index + 1})"
            found.append(f"{column.name}{where} stands out with {_show(value)}; the others average {_show(mean)}.")
    return found


def _csv(text: str) -> list[list[str]]:
    lines = [line for line in text.strip().split("\n") if line.strip()]
    if len(lines) < 3:
        return []
    for delimiter in (",", ";", "\t", "|"):
        rows = [
            [cell.strip() for cell in row] for row in csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter)
        ]
        rows = [row for row in rows if not all(set(cell) <= set("-: ") for cell in row)]
        width = len(rows[0]) if rows else 0
        even = sum(len(row) == width for row in rows)
        short = sum(len(cell) < 60 for row in rows for cell in row) / max(1, sum(map(len, rows)))
        if width > 1 and even >= 0.9 * len(rows) and short > 0.9 and not any(_NUMERIC.match(cell) for cell in rows[0]):
            return [row for row in rows if len(row) == width]
    return []


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Table | None:
    columns = []
    for index, name in enumerate(names):
        values = tuple(row[index] for row in rows)
        filled = [value for value in values if value]
        numeric = filled and sum(bool(_NUMERIC.match(value)) for value in filled) >= 0.95 * len(filled)
        numbers = tuple(_number(value) for value in values) if numeric and len(filled) == len(values) else ()
        columns.append(Column(name or f"column {index + 1}", values, numbers))
    return Table(tuple(columns), len(rows)) if columns and rows else None


def _number(text: str) -> float:
    cleaned = re.sub(r"[€$£%\s]", "", text)
    sign = -1 if cleaned.startswith("-") else 1
    return sign * number(cleaned.lstrip("-"))


def _show(value: float) -> str:
    return f"{value:,.2f}".removesuffix(".00")
