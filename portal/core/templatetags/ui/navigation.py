"""The way round: addresses, sorting, breadcrumbs and tabs."""

from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from portal.core.ui import icons

register = template.Library()


@register.simple_tag(takes_context=True)
def page_url(context: template.Context, **changes: Any) -> str:
    """The present address with these query parameters changed; None or "" removes one. {% page_url page=2 %}"""
    query = context["request"].GET.copy()
    for key, value in changes.items():
        if value in (None, ""):
            query.pop(key, None)
        else:
            query[key] = value
    return f"?{query.urlencode()}"


@register.simple_tag(takes_context=True)
def sort_header(context: template.Context, key: str, label: str, parameter: str = "sort") -> SafeString:
    """The inside of a <th> one can sort by: a link that turns the direction and says the present one."""
    now = context["request"].GET.get(parameter, "")
    direction = "ascending" if now == key else "descending" if now == f"-{key}" else ""
    target = f"-{key}" if direction == "ascending" else key
    mark = {"ascending": "arrow-up", "descending": "arrow-down"}.get(direction, "selector")
    said = format_html('<span class="visually-hidden">, sorted {}</span>', direction) if direction else ""
    url = page_url(context, **{parameter: target, "page": None})
    return format_html(
        '<a class="sort{}" href="{}">{}{}{}</a>', " active" if direction else "", url, label, said, icons.icon(mark)
    )


@register.simple_tag(takes_context=True)
def nav_current(context: template.Context, *names: str) -> SafeString:
    """aria-current="page" when the present page is one of these url names or in one of these namespaces ("runs:")."""
    match = getattr(context.get("request"), "resolver_match", None)
    if match is None:
        return SafeString("")
    here = any(f"{match.namespace}:" == name or match.view_name == name for name in names)
    return SafeString(' aria-current="page"' if here else "")


@register.simple_tag
def crumb(label: object, url: str = "") -> SafeString:
    """One step of the breadcrumbs block; without `url` the present page."""
    if url:
        return format_html('<li><a href="{}">{}</a></li>', url, label)
    return format_html('<li aria-current="page"><span>{}</span></li>', label)


@register.simple_tag
def tab(label: str, url: str, active: bool = False, count: int | None = None, icon: str = "") -> SafeString:
    """One tab: a link, so that it works without scripts and can be shared."""
    number = "" if count is None else format_html('<span class="count">{}</span>', count)
    mark = icons.icon(icon) if icon else ""
    now = SafeString(' aria-current="page"' if active else "")
    return format_html('<a class="tab" href="{}"{}>{}<span>{}</span>{}</a>', url, now, mark, label, number)
