"""A list of objects as rows of a form: typed cell by cell, pasted as a table (CSV, or out of a spreadsheet) or as JSON.

    field = RowsField(columns=columns_of(items), label="Contacts", required=True)
    field.clean([{"name": "Ann", "age": "7"}]) == [{"name": "Ann", "age": 7}]

Cells left empty are absent from their object, rows left empty from the list.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.core import reading

JSON = Any
MOST_COLUMNS = 8
_KINDS = {"string": "text", "number": "number", "integer": "integer", "boolean": "checkbox"}
_INPUT_TYPES = {"date": "date", "date-time": "text", "email": "email", "uri": "url", "time": "time"}
_TRUE, _FALSE = {"true", "yes", "on", "1", "x"}, {"false", "no", "off", "0", ""}


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    label: str
    kind: str
    """text, number, integer, checkbox or choice"""
    required: bool
    input_type: str = "text"
    choices: tuple[tuple[str, str], ...] = ()
    values: tuple[JSON, ...] = ()


def columns_of(items: Mapping[str, JSON]) -> tuple[Column, ...] | None:
    """The columns for objects of this schema; None when they are not flat or too wide for a row."""
    properties = items.get("properties")
    if items.get("type") != "object" or not isinstance(properties, Mapping) or not 0 < len(properties) <= MOST_COLUMNS:
        return None
    if items.get("additionalProperties") not in (None, False, True):
        return None
    required = items.get("required", [])
    found = [_column(name, raw, name in required) for name, raw in properties.items()]
    return tuple(column for column in found if column is not None) if all(found) else None


def _column(name: str, schema: JSON, required: bool) -> Column | None:
    if not isinstance(schema, Mapping):
        return None
    label = str(schema.get("title") or name.replace("_", " ").capitalize())
    values = schema.get("enum")
    if isinstance(values, list) and values:
        choices = tuple((json.dumps(value), str(value)) for value in values)
        return Column(name, label, "choice", required, choices=choices, values=tuple(values))
    kind = _KINDS.get(str(schema.get("type")))
    if kind is None:
        return None
    typed = "number" if kind in ("number", "integer") else _INPUT_TYPES.get(str(schema.get("format")), "text")
    return Column(name, label, kind, required, input_type=typed)


class RowsWidget(forms.Widget):
    """Inputs `name-<row>-<column>`, and `name-text` (a script: `name`) for a whole text, which goes first."""

    template_name = "components/rows_input.html"

    def __init__(self, columns: Sequence[Column], attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        self.columns = tuple(columns)

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> JSON:
        text = str(data.get(f"{name}-text") or data.get(name) or "")
        if text.strip():
            return text
        pattern = re.compile(rf"{re.escape(name)}-(\d{{1,6}})-")
        numbers = sorted({int(match[1]) for key in data if (match := pattern.match(key))})
        rows = [
            {column.name: str(data.get(f"{name}-{number}-{column.name}") or "") for column in self.columns}
            for number in numbers
        ]
        return [row for row in rows if any(cell.strip() for cell in row.values())]

    def value_omitted_from_data(self, data: Mapping[str, Any], files: Any, name: str) -> bool:
        return not any(key.startswith(f"{name}-") for key in data)

    def render(self, name: str, value: JSON, attrs: Any = None, renderer: Any = None) -> SafeString:
        return render_to_string(self.template_name, self.get_context(name, value, attrs))

    def id_for_label(self, id_: str) -> str:
        return f"{id_}-0-{self.columns[0].name}" if id_ else id_

    def get_context(self, name: str, value: JSON, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        rows = value if isinstance(value, list) else []
        given = [row if isinstance(row, Mapping) else {} for row in rows] or [{}]
        context["widget"] |= {
            "columns": self.columns,
            "rows": [self._row(str(number), row) for number, row in enumerate(given)],
            "blank": self._row("__row__", {}),
            "text": value if isinstance(value, str) else "",
        }
        return context

    def _row(self, number: str, row: Mapping[str, JSON]) -> dict[str, Any]:
        shown = int(number) + 1 if number.isdecimal() else "__number__"
        return {"number": number, "shown": shown, "cells": [(c, _shown(c, row.get(c.name))) for c in self.columns]}


def _shown(column: Column, value: JSON) -> JSON:
    """As its control takes it: what was typed stays, JSON values are written out."""
    if column.kind == "checkbox":
        return value is True or str(value).lower() in _TRUE
    if column.kind == "choice":
        known = {key for key, _label in column.choices}
        return value if value in known else json.dumps(value)
    return "" if value is None else value


class RowsField(forms.Field):
    widget = RowsWidget
    default_error_messages = {"required": gettext_lazy("At least one row is needed.")}

    def __init__(self, *, columns: Sequence[Column], **kwargs: Any) -> None:
        self.columns = tuple(columns)
        super().__init__(widget=RowsWidget(columns), **kwargs)

    def to_python(self, value: JSON) -> list[dict[str, JSON]] | None:
        """Raises ValidationError with every faulty cell (at most 10)."""
        rows = self._pasted(value) if isinstance(value, str) else list(value or [])
        faults: list[str] = []
        found = [self._typed(number, row, faults) for number, row in enumerate(rows, start=1)]
        if faults:
            more = [_("… and %d more.") % (len(faults) - 10)] if len(faults) > 10 else []
            raise forms.ValidationError([*faults[:10], *more])
        return found or None

    def _typed(self, number: int, row: Mapping[str, JSON], faults: list[str]) -> dict[str, JSON]:
        typed: dict[str, JSON] = {}
        for column in self.columns:
            try:
                value = _cell(column, row.get(column.name))
            except ValueError as error:
                faults.append(_("Row %(row)d, %(column)s: %(problem)s") % _place(number, column, str(error)))
                continue
            if value is not None:
                typed[column.name] = value
            elif column.required:
                faults.append(_("Row %(row)d, %(column)s is required.") % _place(number, column, ""))
        extra = [name for name in row if name not in {column.name for column in self.columns}]
        faults.extend(_("Row %(row)d: there is no column %(name)s.") % {"row": number, "name": name} for name in extra)
        return typed

    def _pasted(self, text: str) -> list[Mapping[str, JSON]]:
        if text.lstrip().startswith(("[", "{")):
            return _from_json(text)
        return list(_from_table(text, self.columns))


def _place(number: int, column: Column, problem: str) -> dict[str, Any]:
    return {"row": number, "column": column.label, "problem": problem}


def _cell(column: Column, value: JSON) -> JSON:
    """Raises ValueError with a sentence."""
    if column.kind == "choice":
        return _chosen(column, value)
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value)
    text = text.strip()
    if column.kind == "checkbox":
        if text.lower() in _TRUE | _FALSE:
            return text.lower() in _TRUE
        raise ValueError(_("yes or no is wanted, not %s.") % text)
    if not text:
        return None
    if column.kind == "text":
        return text
    try:
        number = float(text)
    except ValueError:
        raise ValueError(_("a number is wanted, not %s.") % text) from None
    if column.kind == "integer" and not number.is_integer():
        raise ValueError(_("a whole number is wanted, not %s.") % text)
    if number in (float("inf"), float("-inf")) or number != number:
        raise ValueError(_("a number is wanted, not %s.") % text)
    return int(number) if number.is_integer() else number


def _chosen(column: Column, value: JSON) -> JSON:
    if value in (None, ""):
        return None
    for (key, label), known in zip(column.choices, column.values, strict=True):
        if value in (key, label) or (value == known and type(value) is type(known)):
            return known
    raise ValueError(_("one of %s is wanted.") % ", ".join(label for _key, label in column.choices))


def _from_json(text: str) -> list[Mapping[str, JSON]]:
    try:
        found = reading.json_of(text)
    except json.JSONDecodeError as error:
        raise forms.ValidationError(reading.not_json(error)) from None
    rows = found if isinstance(found, list) else [found]
    if not all(isinstance(row, dict) for row in rows):
        raise forms.ValidationError(_("A JSON list of objects is wanted."))
    return rows


def _from_table(text: str, columns: Sequence[Column]) -> Iterable[Mapping[str, JSON]]:
    """The first line names the columns, by name or label; they are parted by tab, semicolon or comma."""
    first = text.strip("\r\n").split("\n", 1)[0]
    separator = max("\t;,", key=first.count)
    lines = [
        row for row in csv.reader(io.StringIO(text.strip("\r\n")), delimiter=separator) if any(map(str.strip, row))
    ]
    known = {spelling.lower(): column.name for column in columns for spelling in (column.label, column.name)}
    heads = [known.get(head.strip().lower()) for head in lines[0]] if lines else []
    unknown = [head.strip() for head, name in zip(lines[0], heads, strict=True) if name is None] if lines else []
    if unknown:
        wanted = ", ".join(column.name for column in columns)
        raise forms.ValidationError(
            _("The first line must name the columns (%(wanted)s); %(unknown)s is none.")
            % {"wanted": wanted, "unknown": unknown[0][:60] or _("an empty one")}
        )
    for line in lines[1:]:
        yield {str(name): cell for name, cell in zip(heads, line, strict=False)}
