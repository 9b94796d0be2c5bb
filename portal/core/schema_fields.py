"""From a JSON Schema to the fields of a form: one for each place, by type and format (`schema_forms` has the table)."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _

from portal.core.schema_controls import (
    Base64Field,
    EnumField,
    EnumsField,
    IsoDateField,
    IsoDateTimeField,
    IsoTimeField,
    JsonField,
    LinesField,
    NumberField,
    TextField,
)
from portal.core.schema_tables import RowsField, columns_of

JSON = Any
Place = tuple[str, ...]
# Attributes of components/field.html and forms.js: a bar with a button to read a file, or only dropping one.
READ_A_FILE, DROP_A_FILE = "data-file-drop", "data-file-target"
_ONE_LINE = 200
_DEEPEST = 4


def fields(
    schema: Mapping[str, JSON], root: Mapping[str, JSON], above: Place, depth: int
) -> Iterator[tuple[Place, forms.Field]]:
    required = schema.get("required", [])
    for name, raw in schema.get("properties", {}).items():
        inner = _resolved(raw, root)
        if inner.get("properties") and _kind(inner) == "object" and depth < _DEEPEST and name in required:
            yield from fields(inner, root, (*above, name), depth + 1)
        else:
            yield (*above, name), _field(name, inner, name in required)


def _resolved(schema: JSON, root: Mapping[str, JSON]) -> Mapping[str, JSON]:
    """The schema with a reference into $defs followed."""
    seen = 0
    while isinstance(schema, Mapping) and str(schema.get("$ref", "")).startswith("#/$defs/") and seen < _DEEPEST:
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        target = root.get("$defs", {}).get(schema["$ref"].removeprefix("#/$defs/"), {})
        schema, seen = {**target, **rest}, seen + 1
    return schema if isinstance(schema, Mapping) else {}


def _kinds(schema: Mapping[str, JSON]) -> list[str]:
    """The types it may have besides null; empty when it says nothing."""
    named = schema.get("type", "object" if "properties" in schema else "array" if "items" in schema else [])
    return [one for one in ([named] if isinstance(named, str) else named) if one != "null"]


def _kind(schema: Mapping[str, JSON]) -> str:
    """Its one type, or "" where there are several or none."""
    kinds = _kinds(schema)
    return str(kinds[0]) if len(kinds) == 1 else ""


def _may_be_text(schema: Mapping[str, JSON]) -> bool:
    forms_of_it = [one for keyword in ("anyOf", "oneOf") for one in schema.get(keyword, []) if isinstance(one, Mapping)]
    if forms_of_it and not _kinds(schema):
        return any(_may_be_text(one) for one in forms_of_it)
    return not _kinds(schema) or "string" in _kinds(schema)


def _field(name: str, schema: Mapping[str, JSON], required: bool) -> forms.Field:
    common: dict[str, Any] = {
        "label": schema.get("title") or name.replace("_", " ").replace("-", " ").capitalize(),
        "help_text": schema.get("description", ""),
        "required": required,
        "initial": schema.get("default"),
    }
    if "enum" in schema:
        return EnumField(
            values=schema["enum"], labels=_labels(schema), radio=required and len(schema["enum"]) <= 4, **common
        )
    match _kind(schema):
        case "string":
            return _string(schema, common)
        case "integer":
            return forms.IntegerField(**_range(schema, whole=True), **common)
        case "number":
            return NumberField(**_range(schema, whole=False), widget=forms.NumberInput(attrs={"step": "any"}), **common)
        case "boolean":
            return forms.BooleanField(**{**common, "required": False})
        case "array":
            return _array(schema, common)
        case _:
            return json_field(schema, **common)


def _labels(schema: Mapping[str, JSON]) -> list[str]:
    """`x-labels` names the choices in words; else the values themselves."""
    named = schema.get("x-labels", [])
    values = schema["enum"]
    if isinstance(named, list) and len(named) == len(values):
        return [str(label) for label in named]
    return [str(value).replace("_", " ") if isinstance(value, str) else json.dumps(value) for value in values]


def _string(schema: Mapping[str, JSON], common: dict[str, Any]) -> forms.Field:
    if schema.get("contentEncoding") == "base64":
        return Base64Field(
            widget=forms.FileInput(attrs={"accept": schema.get("contentMediaType", "")}), **{**common, "initial": None}
        )
    match schema.get("format"):
        case "date":
            return IsoDateField(widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"), **common)
        case "date-time":
            clock = forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}, format="%Y-%m-%dT%H:%M:%S")
            return IsoDateTimeField(
                widget=clock, input_formats=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%z"], **common
            )
        case "time":
            return IsoTimeField(widget=forms.TimeInput(attrs={"type": "time", "step": "1"}), **common)
        case "email":
            return forms.EmailField(empty_value=None, **common)
        case "uri":
            return forms.URLField(empty_value=None, assume_scheme="https", **common)
    longest = schema.get("maxLength")
    limits: dict[str, Any] = {"min_length": schema.get("minLength"), "max_length": longest}
    if longest is not None and longest <= _ONE_LINE:
        return forms.CharField(empty_value=None, **limits, **common)
    if str(schema.get("contentMediaType", "")).startswith("text/"):
        widget = forms.Textarea(attrs={"rows": 5, READ_A_FILE: True})
    else:
        widget = forms.Textarea(attrs={"rows": 2, DROP_A_FILE: True})
    return TextField(widget=widget, empty_value=None, strip=False, **limits, **common)


def offer_files(made: Sequence[forms.Field]) -> None:
    """Where one field alone takes much text, it is what files are for: it gets the button too."""
    open_ended = [field for field in made if DROP_A_FILE in field.widget.attrs]
    if len(open_ended) == 1:
        attrs = open_ended[0].widget.attrs
        attrs[READ_A_FILE] = attrs.pop(DROP_A_FILE)


def _range(schema: Mapping[str, JSON], *, whole: bool) -> dict[str, Any]:
    """Limits that the control knows too; exclusive ones of numbers are left to the check."""
    step = 1 if whole else 0
    least = schema.get("minimum", schema["exclusiveMinimum"] + step if whole and "exclusiveMinimum" in schema else None)
    most = schema.get("maximum", schema["exclusiveMaximum"] - step if whole and "exclusiveMaximum" in schema else None)
    return {"min_value": least, "max_value": most}


def _array(schema: Mapping[str, JSON], common: dict[str, Any]) -> forms.Field:
    items = schema.get("items")
    items = items if isinstance(items, Mapping) else {}
    if "enum" in items:
        return EnumsField(values=items["enum"], labels=_labels(items), **common)
    if _kind(items) == "string":
        note = _("One a line, or a JSON list.")
        common["help_text"] = f"{common['help_text']} {note}".strip()
        return LinesField(widget=forms.Textarea(attrs={"rows": 3, DROP_A_FILE: True}), **common)
    if columns := columns_of(items):
        return RowsField(columns=columns, **common)
    return json_field(schema, **common)


def json_field(schema: Mapping[str, JSON], *, kind: type | None = None, **common: Any) -> JsonField:
    or_text = kind is None and _may_be_text(schema)
    note = _("Text, or JSON.") if or_text else _("As JSON.")
    values = {"label": schema.get("title", ""), "help_text": schema.get("description", ""), "required": False, **common}
    if kind is None:
        values["help_text"] = f"{values['help_text']} {note}".strip()
    example = json.dumps(schema.get("examples", [None])[0], ensure_ascii=False) if schema.get("examples") else ""
    attrs = {"rows": 3, "data-json": not or_text, DROP_A_FILE: True, "spellcheck": "false", "placeholder": example}
    return JsonField(kind=kind, or_text=or_text, widget=forms.Textarea(attrs=attrs), **values)
