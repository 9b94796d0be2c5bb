"""What a template may ask of a container."""

from collections.abc import Mapping
from typing import Any

from django import template

register = template.Library()


@register.filter
def has(container: Any, item: Any) -> bool:
    """{% if permissions|has:"runs.start" %}; an absent container holds nothing."""
    return bool(container) and item in container


@register.filter
def has_any(container: Any, items: str) -> bool:
    """{% if permissions|has_any:"members.view members.manage" %}: one of them is enough."""
    return any(has(container, item) for item in items.split())


@register.filter
def get(mapping: Any, key: Any) -> Any:
    """{{ mapping|get:key }}, None if it is not there."""
    return mapping.get(key) if isinstance(mapping, Mapping) else None
