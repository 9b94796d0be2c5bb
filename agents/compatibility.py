"""What of a contract's change breaks those who rely on it.

Inputs and outputs are judged from opposite sides. Callers break when an agent accepts less than before; readers of its
answers break when it may answer something it did not. So the same change (a new enum value, say) is harmless on one
side and breaking on the other. Pure; the rules follow the substitution principle on JSON Schema's basics, and what they
cannot judge (`anyOf`, patterns) is named as a change to look at.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

JSON = Any
Side = Literal["input", "output"]


@dataclass(frozen=True, slots=True)
class Contract:
    inputs: Mapping[str, JSON]
    outputs: Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class Change:
    """One breaking change: Change("input", "$.currency", "is now required")."""

    side: Side
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.side} {self.path} {self.message}"

    def as_json(self) -> dict[str, str]:
        return {"side": self.side, "path": self.path, "message": self.message}


def breaking_changes(old: Contract, new: Contract) -> list[Change]:
    """Every change of `new` that may break a workflow made for `old`, inputs first."""
    inputs = [Change("input", path, text) for path, text in _narrower(old.inputs, new.inputs, "$")]
    outputs = [Change("output", path, text) for path, text in _wider(old.outputs, new.outputs, "$")]
    return inputs + outputs


# -- inputs: what was accepted must still be accepted ---------------------------------------------------------------


def _narrower(old: Mapping[str, JSON], new: Mapping[str, JSON], path: str) -> Iterator[tuple[str, str]]:
    if lost := _types(old) - _types(new):
        yield path, f"no longer takes {_words(lost)}"
        return
    if "enum" in new:
        gone = [value for value in old.get("enum", []) if value not in new["enum"]]
        if "enum" not in old:
            yield path, f"now takes only {_values(new['enum'])}"
        elif gone:
            yield path, f"no longer takes {_values(gone)}"
    yield from _tighter(old, new, path)
    before, after = _properties(old), _properties(new)
    for name in sorted(_required(new) - _required(old)):
        yield f"{path}.{name}", "is now required"
    for name in sorted(before.keys() - after.keys()):
        if new.get("additionalProperties") is False:
            yield f"{path}.{name}", "is no longer known and would be refused"
    if new.get("additionalProperties") is False and old.get("additionalProperties", True) is not False:
        yield path, "now refuses members that it does not know"
    for name in sorted(before.keys() & after.keys()):
        yield from _narrower(before[name], after[name], f"{path}.{name}")
    if "items" in old or "items" in new:
        yield from _narrower(_items(old), _items(new), f"{path}[*]")
    yield from _unjudged(old, new, path)


_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_LOWER_DEFAULTS = {"minLength": 0, "minItems": 0, "minProperties": 0}


def _tighter(old: Mapping[str, JSON], new: Mapping[str, JSON], path: str) -> Iterator[tuple[str, str]]:
    for keyword in _UPPER:
        if keyword in new and new[keyword] < old.get(keyword, float("inf")):
            yield path, f"has a lower limit: {keyword} {new[keyword]}"
    for keyword in _LOWER:
        if keyword in new and new[keyword] > old.get(keyword, _LOWER_DEFAULTS.get(keyword, float("-inf"))):
            yield path, f"asks for more: {keyword} {new[keyword]}"
    for keyword in ("format", "const", "multipleOf"):
        if keyword in new and new[keyword] != old.get(keyword):
            yield path, f"must now have {keyword} {_values([new[keyword]])}"
    if new.get("uniqueItems") and not old.get("uniqueItems"):
        yield path, "must no longer hold an item twice"


# -- outputs: what was promised must still hold ---------------------------------------------------------------------


def _wider(old: Mapping[str, JSON], new: Mapping[str, JSON], path: str) -> Iterator[tuple[str, str]]:
    if gained := _types(new) - _types(old):
        yield path, f"may now be {_words(gained)}"
        return
    if "enum" in old:
        added = [value for value in new.get("enum", []) if value not in old["enum"]]
        if "enum" not in new:
            yield path, "may now be anything, not only the known values"
        elif added:
            yield path, f"may now be {_values(added)}"
    before, after = _properties(old), _properties(new)
    for name in sorted(before.keys() - after.keys()):
        yield f"{path}.{name}", "is gone"
    for name in sorted((_required(old) - _required(new)) & after.keys()):
        yield f"{path}.{name}", "is no longer promised"
    for name in sorted(before.keys() & after.keys()):
        yield from _wider(before[name], after[name], f"{path}.{name}")
    if "items" in old or "items" in new:
        yield from _wider(_items(old), _items(new), f"{path}[*]")
    if "format" in old and new.get("format") != old["format"]:
        yield path, f"no longer has the format {old['format']}"
    yield from _unjudged(old, new, path)


# -- both -----------------------------------------------------------------------------------------------------------

_ALL_TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})
_OPAQUE = (
    "anyOf",
    "oneOf",
    "allOf",
    "not",
    "if",
    "then",
    "else",
    "pattern",
    "patternProperties",
    "$ref",
    "$defs",
    "prefixItems",
)


def _unjudged(old: Mapping[str, JSON], new: Mapping[str, JSON], path: str) -> Iterator[tuple[str, str]]:
    changed = [keyword for keyword in _OPAQUE if old.get(keyword) != new.get(keyword)]
    if changed:
        yield path, f"has a changed {', '.join(changed)}, which cannot be compared by rule: look at it"


def _types(schema: Mapping[str, JSON]) -> frozenset[str]:
    named = schema.get("type")
    if named is None:
        return _ALL_TYPES
    types = frozenset([named] if isinstance(named, str) else named)
    return types | {"integer"} if "number" in types else types


def _properties(schema: Mapping[str, JSON]) -> dict[str, Mapping[str, JSON]]:
    return {name: inner if isinstance(inner, Mapping) else {} for name, inner in schema.get("properties", {}).items()}


def _required(schema: Mapping[str, JSON]) -> frozenset[str]:
    return frozenset(schema.get("required", []))


def _items(schema: Mapping[str, JSON]) -> Mapping[str, JSON]:
    items = schema.get("items")
    return items if isinstance(items, Mapping) else {}


def _words(types: frozenset[str]) -> str:
    return " or ".join(sorted(types))


def _values(values: list[JSON]) -> str:
    return ", ".join(json.dumps(value, ensure_ascii=False) for value in values[:8]) + (" …" if len(values) > 8 else "")
