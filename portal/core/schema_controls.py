"""Fields of Django forms whose values are JSON: what `schema_fields` makes of a schema's types."""

import base64
import json
from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.core import reading

JSON = Any
_LARGEST_FILE = 8 * 1024 * 1024


class JsonField(forms.JSONField):
    """JSON in a text area; says line and column of a slip. With `or_text` what is no JSON is taken as text."""

    def __init__(self, *, kind: type | None = None, or_text: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind, self.or_text = kind, or_text

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and value.strip():
            try:
                found = reading.json_of(value)
            except json.JSONDecodeError as error:
                if self.or_text:
                    return value.replace("\r\n", "\n")
                raise forms.ValidationError(reading.not_json(error)) from None
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
                found = reading.json_of(text)
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
