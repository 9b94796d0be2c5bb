"""Texts and values of others: Markdown, JSON, code and diffs, made safe."""

import json
from typing import Any

from django import template
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString

from portal.core.ui import json_tree, markdown

register = template.Library()


@register.filter
def model_markdown(text: str | None) -> SafeString:
    """Markdown of a model or a person as safe HTML. htmx is off inside."""
    return format_html('<div class="model-output prose" hx-disable data-hx-disable>{}</div>', markdown.to_html(text))


@register.simple_tag
def json_view(value: Any, label: str = "", open_depth: int = json_tree.OPEN_DEPTH) -> SafeString:
    """A JSON value as a collapsible tree with types and a copy button. Everything in it is escaped."""
    context = {"root": json_tree.entry(value, open_depth=open_depth), "text": json_tree.pretty(value), "label": label}
    return render_to_string("components/json_view.html", context)


@register.filter
def as_json(value: Any) -> str:
    """The value as JSON text, to be escaped by the template; for textareas and data- attributes."""
    return json.dumps(value, ensure_ascii=False, default=str)


@register.simple_tag
def code(text: object, language: str = "", label: str = "", lines: bool = False) -> SafeString:
    """Text in fixed width with a copy button; `lines` numbers its lines, `language` is shown, "diff" colours them."""
    source = text if isinstance(text, str) else json_tree.pretty(text)
    rows = source.splitlines() or [""]
    context = {
        "text": source,
        "rows": rows,
        "language": language,
        "label": label,
        "lines": lines,
        "rich": lines or language == "diff",
    }
    return render_to_string("components/code.html", context)


@register.filter
def is_short(value: object) -> bool:
    """Whether a value reads well within a line: a number, a short text."""
    return isinstance(value, int | float) or (isinstance(value, str) and len(value) <= 120 and "\n" not in value)


@register.filter
def is_diff(text: object) -> bool:
    """Whether a text is a unified diff, to be shown by {% code text language="diff" %}."""
    return isinstance(text, str) and (text.startswith("diff --git ") or "\n@@ -" in text[:20_000])


@register.filter
def diff_class(line: str) -> str:
    """The CSS class of one line of a unified diff."""
    if line.startswith(("+++", "---", "diff ", "index ")):
        return "diff-file"
    return {"+": "diff-added", "-": "diff-removed", "@": "diff-hunk"}.get(line[:1], "")
