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

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _

from portal.core.schema_controls import Base64Field, JsonField, LinesField
from portal.core.schema_fields import fields, json_field, offer_files

JSON = Any
PREFIX = "input"


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
        self.places = dict(fields(schema, schema, (), 0))
        offer_files(list(self.places.values()))
        self.fields.update({".".join(place): field for place, field in self.places.items()})
        self.whole = not self.places
        if self.whole:
            # Nothing is named: the object itself is typed.
            self.fields["values"] = json_field({"title": _("Inputs"), "description": _("A JSON object.")}, kind=dict)

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
                self._show(fault.path, fault.message)
        return cleaned

    def show(self, problems: Sequence[Mapping[str, str]]) -> None:
        """What a service finds wrong besides, [{"path", "message"}], each at the field that holds its place."""
        for problem in problems:
            self._show(problem["path"], problem["message"])

    def _show(self, path: str, message: str) -> None:
        field = self._field_of(path)
        text = message[:1].upper() + message[1:] + "."
        self.add_error(field, text if field and self._is_whole_field(field, path) else f"{path}: {text}")

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
