"""What the head of every page asks: the colours chosen, and where the modules of scripts are."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from portal.core.ui import import_map

register = template.Library()

THEMES = ("light", "dark", "system")


@register.simple_tag(takes_context=True)
def theme(context: template.Context) -> str:
    """light, dark or system: the person's choice, kept in a cookie so that the first paint is right."""
    request = context.get("request")
    chosen = request.COOKIES.get("theme", "system") if request else "system"
    return chosen if chosen in THEMES else "system"


@register.simple_tag(takes_context=True, name="import_map")
def import_map_tag(context: template.Context) -> SafeString:
    """The <script type="importmap"> of the page; before any module."""
    body = mark_safe(import_map.import_map())  # noqa: S308  # our own file names, "<" escaped
    nonce = getattr(context.get("request"), "csp_nonce", "")
    return format_html('<script type="importmap" nonce="{}">{}</script>', nonce, body)
