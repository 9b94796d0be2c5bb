"""Forms: a field with its label, help and errors, a whole form, and the filters of a list."""

from typing import Any

from django import template
from django.forms import BaseForm, BoundField, CheckboxInput, CheckboxSelectMultiple, RadioSelect, Textarea
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag
def field(bound: BoundField, **options: Any) -> SafeString:
    """A field of a Django form with label, help and errors tied to it. Other keywords become attributes of the input.

    label_hidden=True keeps the label for screen readers; file_drop=True lets a textarea take a dropped text file.
    """
    label_hidden = options.pop("label_hidden", False)
    file_drop = options.pop("file_drop", bound.field.widget.attrs.get("data-file-drop", False))
    widget = bound.field.widget
    kind = "input"
    if isinstance(widget, CheckboxInput):
        kind = "checkbox"
    elif isinstance(widget, RadioSelect | CheckboxSelectMultiple):
        kind = "choices"
    attributes = {key.rstrip("_").replace("_", "-"): value for key, value in options.items()}
    help_id, error_id = f"{bound.auto_id}_help", f"{bound.auto_id}_error"
    described = " ".join(filter(None, (help_id if bound.help_text else "", error_id if bound.errors else "")))
    if described:
        attributes["aria-describedby"] = described
    if bound.errors:
        attributes["aria-invalid"] = "true"
    if isinstance(widget, Textarea):
        attributes.setdefault("data-autosize", True)
    context = {
        "field": bound,
        "kind": kind,
        "control": bound.as_widget(attrs=attributes),
        "help_id": help_id,
        "error_id": error_id,
        "label_hidden": label_hidden,
        "file_drop": file_drop,
        "optional": not bound.field.required and kind != "checkbox" and getattr(bound.field, "says_optional", True),
    }
    return render_to_string("components/field.html", context)


@register.simple_tag
def form_fields(form: BaseForm) -> SafeString:
    """All of a form: its hidden fields, a summary of errors that belong to no field, then each field."""
    return render_to_string("components/form_fields.html", {"form": form})


@register.simple_block_tag(takes_context=True)
def filters(context: template.Context, content: str, target: str, *, label: str = "Filter the list") -> SafeString:
    """A row of filters: a GET form that works by itself; htmx fills `target` (a CSS selector) as one types.

    The view answers a partial request with the inside of `target`.
    """
    request = context["request"]
    return render_to_string(
        "components/filters.html", {"content": content, "target": target, "label": label, "path": request.path}
    )
