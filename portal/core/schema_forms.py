"""A Django form out of a JSON Schema, for whatever a schema describes: inputs of workflows and of agents.

    form = form_for(schema, data=request.POST, files=request.FILES, check=data_faults)
    if form.is_valid(): start(inputs=form.values())

| schema | control |
|---|---|
| string | one line up to `maxLength` 200, else several lines that also take a dropped text file; with a |
|        | `contentMediaType` of text, or as the only one without a limit, with a button to read a file |
| string, format date, date-time, time, email, uri | the fitting control |
| string, contentEncoding base64 | a file; its content in base64 is the value |
| enum | a choice · array of enum: checkboxes · array of strings: one a line (or JSON) |
| number, integer, boolean | number field, checkbox |
| array of flat objects | rows to add and remove, or a pasted table or JSON (`schema_tables`) |
| object with properties | its fields, one after the other, named `parent.child` |
| anything else | JSON in fixed width; where text is allowed too, what is no JSON is text |

What is left empty and not required is absent from the values. `check(schema, values)` has the last word: objects with
`path` (`$.lines[2].price`) and `message`; each is shown at the field that holds the place.
"""

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any, Protocol

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _

from portal.core.schema_tables import RowsField, columns_of

JSON = Any
PREFIX = "input"
# Attributes of components/field.html and forms.js: a bar with a button to read a file, or only dropping one.
READ_A_FILE, DROP_A_FILE = "data-file-drop", "data-file-target"
_ONE_LINE = 200
_LARGEST_FILE = 8 * 1024 * 1024
_DEEPEST = 4


class Fault(Protocol):
    @property
    def path(self) -> str: ...

    @property
    def message(self) -> str: ...


Check = Callable[[Mapping[str, JSON], JSON], Sequence[Fault]]


class SchemaForm(forms.Form):
    """Made by `form_for`; `values()` of a valid form is the JSON object."""

    def __init__(self, schema: Mapping[str, JSON], check: Check | None, **kwargs: Any) -> None:
        super().__init__(prefix=PREFIX, **kwargs)
        self.schema, self.check = schema, check
        self.places = dict(_fields(schema, schema, (), 0))
        _offer_files(list(self.places.values()))
        self.fields.update({".".join(place): field for place, field in self.places.items()})
        self.whole = not self.places
        if self.whole:
            # Nothing is named: the object itself is typed.
            self.fields["values"] = _json_field({"title": _("Inputs"), "description": _("A JSON object.")}, kind=dict)

    def values(self) -> dict[str, JSON]:
        if self.whole:
            return self.cleaned_data.get("values") or {}
        found: dict[str, JSON] = {}
        for place in self.places:
            value = self.cleaned_data.get(".".join(place))
            if value is None:
                continue
            holder = found
            for name in place[:-1]:
                holder = holder.setdefault(name, {})
            holder[place[-1]] = value
        return found

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.check and not self.errors:
            for fault in self.check(self.schema, self.values()):
                field = self._field_of(fault.path)
                text = fault.message[:1].upper() + fault.message[1:] + "."
                self.add_error(
                    field, text if field and self._is_whole_field(field, fault.path) else f"{fault.path}: {text}"
                )
        return cleaned

    def _field_of(self, path: str) -> str | None:
        """The field that holds the place of a fault: the longest whose path is a beginning of it."""
        if self.whole:
            return "values"
        names = [".".join(place) for place in self.places]
        fitting = [name for name in names if f"{path}.".startswith((f"$.{name}.", f"$.{name}["))]
        return max(fitting, key=len, default=None)

    def _is_whole_field(self, field: str, path: str) -> bool:
        return path == f"$.{field}"


def form_for(
    schema: Mapping[str, JSON],
    *,
    data: Any = None,
    files: MultiValueDict[str, UploadedFile] | None = None,
    initial: Mapping[str, JSON] | None = None,
    check: Check | None = None,
) -> SchemaForm:
    """schema: of type object. initial: values in the schema's own shape. Unbound when data is None."""
    form = SchemaForm(schema, check, data=data, files=files)
    for place, value in _initial(form, initial or {}):
        form.initial[place] = value
    return form


def _initial(form: SchemaForm, values: Mapping[str, JSON]) -> Iterator[tuple[str, JSON]]:
    if form.whole:
        if values:
            yield "values", json.dumps(values, ensure_ascii=False, indent=2)
        return
    for place, field in form.places.items():
        value: JSON = values
        for name in place:
            value = value.get(name) if isinstance(value, Mapping) else None
        if value is not None and not isinstance(field, Base64Field):
            yield ".".join(place), _as_typed(field, value)


def _as_typed(field: forms.Field, value: JSON) -> JSON:
    """A JSON value as its control shows it."""
    if isinstance(field, LinesField) and isinstance(value, list) and all(isinstance(one, str) for one in value):
        return "\n".join(value) if not any("\n" in one for one in value) else json.dumps(value, ensure_ascii=False)
    if isinstance(field, JsonField) and field.or_text and isinstance(value, str):
        return value
    if isinstance(field, JsonField | LinesField):
        return json.dumps(value, ensure_ascii=False, indent=2)
    return value


# -- fields -----------------------------------------------------------------------------------------------------------


class JsonField(forms.JSONField):
    """JSON in a text area; says line and column of a slip. With `or_text` what is no JSON is taken as text."""

    def __init__(self, *, kind: type | None = None, or_text: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind, self.or_text = kind, or_text

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and value.strip():
            try:
                found = json.loads(value)
            except json.JSONDecodeError as error:
                if self.or_text:
                    return value.replace("\r\n", "\n")
                text = _("This is not JSON: line %(line)d, column %(column)d: %(problem)s.")
                raise forms.ValidationError(
                    text % {"line": error.lineno, "column": error.colno, "problem": error.msg}
                ) from None
            if self.kind and not isinstance(found, self.kind):
                raise forms.ValidationError(_("A JSON object in braces is wanted."))
            return found
        return None

    def bound_data(self, data: Any, initial: Any) -> Any:
        return data

    def prepare_value(self, value: Any) -> Any:
        return (
            value
            if isinstance(value, str)
            else json.dumps(value, ensure_ascii=False, indent=2)
            if value is not None
            else ""
        )


class LinesField(forms.CharField):
    """A list of texts: one a line, or a JSON list for texts of several lines."""

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return None
        if text.lstrip().startswith("["):
            try:
                found = json.loads(text)
            except json.JSONDecodeError as error:
                raise forms.ValidationError(
                    _("It begins like a JSON list, but line %(line)d is not JSON: %(problem)s.")
                    % {"line": error.lineno, "problem": error.msg}
                ) from None
            if isinstance(found, list):
                return found
        return [line.strip() for line in text.splitlines() if line.strip()]


class Base64Field(forms.FileField):
    """A file whose content, in base64, is the value."""

    def to_python(self, data: Any) -> Any:
        upload = super().to_python(data)
        if upload is None:
            return None
        if upload.size > _LARGEST_FILE:
            raise forms.ValidationError(
                _("The file is larger than %(limit)d MB.") % {"limit": _LARGEST_FILE // 1024**2}
            )
        return base64.b64encode(upload.read()).decode("ascii")


class TextField(forms.CharField):
    """Text of several lines. Browsers send line ends as CR LF; the value has LF, as the file had."""

    widget = forms.Textarea

    def to_python(self, value: Any) -> Any:
        return super().to_python(value.replace("\r\n", "\n") if isinstance(value, str) else value)


class NumberField(forms.FloatField):
    """A JSON number: 5 stays 5 and does not become 5.0."""

    def to_python(self, value: Any) -> Any:
        found = super().to_python(value)
        return int(found) if found is not None and found.is_integer() else found


class IsoDateField(forms.DateField):
    def clean(self, value: Any) -> Any:
        found = super().clean(value)
        return found.isoformat() if isinstance(found, date) else None


class IsoDateTimeField(forms.DateTimeField):
    def clean(self, value: Any) -> Any:
        found = super().clean(value)
        return found.astimezone(timezone.get_current_timezone()).isoformat() if isinstance(found, datetime) else None


class IsoTimeField(forms.TimeField):
    def clean(self, value: Any) -> Any:
        found = super().clean(value)
        return found.isoformat() if isinstance(found, time) else None


class EnumField(forms.TypedChoiceField):
    """A choice among JSON values; the value chosen keeps its type."""

    def __init__(
        self, *, values: Sequence[JSON], labels: Sequence[str], required: bool, radio: bool, **kwargs: Any
    ) -> None:
        by_key = {json.dumps(value): value for value in values}
        choices = list(zip(by_key, labels, strict=True))
        if not required and not radio:
            choices.insert(0, ("", "—"))
        self.known = frozenset(by_key)
        super().__init__(
            choices=choices,
            coerce=by_key.__getitem__,
            empty_value=None,
            required=required,
            widget=forms.RadioSelect if radio else forms.Select,
            **kwargs,
        )

    def prepare_value(self, value: Any) -> Any:
        return value if value in ("", None) or value in self.known else json.dumps(value)


class EnumsField(forms.TypedMultipleChoiceField):
    def __init__(self, *, values: Sequence[JSON], labels: Sequence[str], **kwargs: Any) -> None:
        by_key = {json.dumps(value): value for value in values}
        self.known = frozenset(by_key)
        super().__init__(
            choices=list(zip(by_key, labels, strict=True)),
            coerce=by_key.__getitem__,
            empty_value=None,
            widget=forms.CheckboxSelectMultiple,
            **kwargs,
        )

    def prepare_value(self, value: Any) -> Any:
        return [one if one in self.known else json.dumps(one) for one in value or []]


# -- from schema to field ---------------------------------------------------------------------------------------------

Place = tuple[str, ...]


def _fields(
    schema: Mapping[str, JSON], root: Mapping[str, JSON], above: Place, depth: int
) -> Iterator[tuple[Place, forms.Field]]:
    required = schema.get("required", [])
    for name, raw in schema.get("properties", {}).items():
        inner = _resolved(raw, root)
        if inner.get("properties") and _kind(inner) == "object" and depth < _DEEPEST and name in required:
            yield from _fields(inner, root, (*above, name), depth + 1)
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
            return _json_field(schema, **common)


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


def _offer_files(fields: Sequence[forms.Field]) -> None:
    """Where one field alone takes much text, it is what files are for: it gets the button too."""
    open_ended = [field for field in fields if DROP_A_FILE in field.widget.attrs]
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
    return _json_field(schema, **common)


def _json_field(schema: Mapping[str, JSON], *, kind: type | None = None, **common: Any) -> JsonField:
    or_text = kind is None and _may_be_text(schema)
    note = _("Text, or JSON.") if or_text else _("As JSON.")
    values = {"label": schema.get("title", ""), "help_text": schema.get("description", ""), "required": False, **common}
    if kind is None:
        values["help_text"] = f"{values['help_text']} {note}".strip()
    example = json.dumps(schema.get("examples", [None])[0], ensure_ascii=False) if schema.get("examples") else ""
    attrs = {"rows": 3, "data-json": not or_text, DROP_A_FILE: True, "spellcheck": "false", "placeholder": example}
    return JsonField(kind=kind, or_text=or_text, widget=forms.Textarea(attrs=attrs), **values)
