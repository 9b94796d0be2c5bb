"""Buttons, and links that look like them."""

from collections.abc import Mapping
from typing import Any

from django import template
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from portal.core.ui import icons

register = template.Library()


def _attributes(values: Mapping[str, Any]) -> SafeString:
    """Keywords as HTML attributes: data_copy → data-copy, class_ → class; True stands alone, None and False vanish."""
    parts = []
    for key, value in values.items():
        name = key.rstrip("_").replace("_", "-")
        if value is True:
            parts.append(f" {name}")
        elif value not in (None, False):
            parts.append(f' {name}="{escape(value)}"')
    return mark_safe("".join(parts))  # noqa: S308  # names are written in templates, values are escaped above


@register.simple_tag
def button(
    label: str,
    *,
    icon: str = "",
    variant: str = "",
    size: str = "",
    href: str = "",
    type: str = "button",
    icon_only: bool = False,
    class_: str = "",
    **attributes: Any,
) -> SafeString:
    """A button, or a link that looks like one when `href` is given.

    variant: "" (quiet), primary, danger, ghost · size: "", sm, lg · other keywords become attributes:
    {% button "Cancel" icon="x" data_confirm="Cancel this run?" hx_post=url %}
    """
    css = " ".join(
        filter(
            None,
            ("btn", variant and f"btn-{variant}", size and f"btn-{size}", "btn-icon" if icon_only else "", class_),
        )
    )
    mark = icons.icon(icon) if icon else ""
    text = (
        format_html('<span class="visually-hidden">{}</span>', label)
        if icon_only
        else format_html("<span>{}</span>", label)
    )
    if icon_only:
        attributes.setdefault("title", label)
    extra = _attributes(attributes)
    if href:
        return format_html('<a class="{}" href="{}"{}>{}{}</a>', css, href, extra, mark, text)
    return format_html('<button class="{}" type="{}"{}>{}{}</button>', css, type, extra, mark, text)


@register.simple_tag
def copy_button(text: object, label: str = "Copy") -> SafeString:
    """A button that puts `text` on the clipboard and says so."""
    return format_html(
        '<button class="btn btn-ghost btn-icon btn-sm copy" type="button" data-copy="{}" title="{}">{}{}'
        '<span class="visually-hidden">{}</span></button>',
        text, label, icons.icon("copy", classes="copy-idle"), icons.icon("check", classes="copy-done"), label,
    )  # fmt: skip
