"""Lists of objects by one of their fields."""

from __future__ import annotations

from typing import Any

from orchestration.expressions.errors import ExpressionError
from orchestration.expressions.meter import meter, units_of
from orchestration.expressions.values import as_json, as_text


def sort_by(items: list[Any], name: str) -> list[Any]:
    keys = _keys(items, name, "sort_by")
    try:
        order = sorted(range(len(items)), key=keys.__getitem__)
    except TypeError:
        message = f"sort_by(): the field {name} must be a number everywhere, or a text."
        raise ExpressionError(message, code="type_mismatch") from None
    return [items[index] for index in order]


def group_by(items: list[Any], name: str) -> list[Any]:
    """[{"key", "items"}], in the order in which keys come first."""
    groups: dict[str, dict[str, Any]] = {}
    for item, key in zip(items, _keys(items, name, "group_by"), strict=True):
        groups.setdefault(as_json(key), {"key": key, "items": []})["items"].append(item)
    return list(groups.values())


def index_by(items: list[Any], name: str) -> dict[str, Any]:
    found = {as_text(key): item for item, key in zip(items, _keys(items, name, "index_by"), strict=True)}
    if len(found) < len(items):
        message = f"index_by(): two elements have the same {name}; use group_by()."
        raise ExpressionError(message, code="invalid_value")
    return found


def _keys(items: list[Any], name: str, function: str) -> list[Any]:
    meter().charge(units_of(items))
    for number, item in enumerate(items):
        if not isinstance(item, dict) or name not in item:
            message = f"{function}(): there is no field {name} in element {number}."
            raise ExpressionError(message, code="missing_key")
    return [item[name] for item in items]
