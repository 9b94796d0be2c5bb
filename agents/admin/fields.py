"""Form fields of the registry's admin."""

import json
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from portal.core import reading


class WordsField(forms.Field):
    """A list of short words, written with commas between them."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", UnfoldAdminTextInputWidget)
        super().__init__(required=False, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:
        if isinstance(value, list):
            return value
        return list(dict.fromkeys(word.strip() for word in str(value or "").split(",") if word.strip()))


class JsonTextField(forms.Field):
    """A JSON object in fixed width; a slip is told with its line and column."""

    def __init__(self, *, rows: int = 14, **kwargs: Any) -> None:
        attrs = {"rows": rows, "spellcheck": "false", "class": "agent-json", "wrap": "off"}
        super().__init__(required=False, widget=UnfoldAdminTextareaWidget(attrs=attrs), **kwargs)

    def prepare_value(self, value: Any) -> Any:
        if value in (None, {}):
            return ""
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)

    def to_python(self, value: Any) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        text = str(value or "").strip()
        if not text:
            return {}
        try:
            found = reading.json_of(text)
        except json.JSONDecodeError as error:
            raise forms.ValidationError(reading.not_json(error)) from None
        if not isinstance(found, dict):
            raise forms.ValidationError("This must be a JSON object, in braces.")
        return found


def prompt_field(**kwargs: Any) -> forms.CharField:
    """A prompt: a tall text area whose white space is kept."""
    widget = UnfoldAdminTextareaWidget(attrs={"rows": kwargs.pop("rows"), "spellcheck": "true"})
    return forms.CharField(required=False, strip=False, widget=widget, **kwargs)
