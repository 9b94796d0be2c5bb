"""Fills an output schema: lists first (what was found), then the fields that sum up, in the schema's own order.

The result always keeps the schema: limits are observed, and what cannot be said is left out or said to be missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.llm.offline import labels, moderation
from agents.llm.offline.item_fields import in_item
from agents.llm.offline.material import Material
from agents.llm.offline.prompt import Task
from agents.llm.offline.root_fields import at_root
from agents.llm.offline.seed import Seed
from agents.llm.offline.seeds import seeds
from agents.llm.offline.text import shorten
from agents.llm.offline.verdicts import Found

JSON = Any
Schema = Mapping[str, JSON]
NOT_STATED = "Not stated in the material."
_DEEPEST = 6


def fill(schema: Schema, task: Task) -> JSON:
    """An answer for the whole task."""
    return _Filler(schema, Material(task)).whole()


class _Filler:
    def __init__(self, root: Schema, material: Material) -> None:
        self.root, self.material = root, material

    def whole(self) -> JSON:
        return self._root_object(self._resolved(self.root), 0)

    def _root_object(self, schema: Schema, depth: int) -> dict[str, JSON]:
        """An object about the whole material."""
        properties = {name: self._resolved(one) for name, one in schema.get("properties", {}).items()}
        found = Found()
        values: dict[str, JSON] = {}
        for name, one in properties.items():
            if _is(one, "array"):
                values[name] = found.lists[name] = self._list(name, one, depth)
        for name, one in properties.items():
            if _is(one, "object"):
                values[name] = self._map(name, one, found, depth)
            elif not _is(one, "array"):
                values[name] = found.values[name] = at_root(name, one, self.material, found)
        return self._finished(schema, properties, values)

    def _map(self, name: str, schema: Schema, found: Found, depth: int) -> dict[str, JSON]:
        """An object field: with properties another whole; without, counts of the rows by severity or category."""
        if schema.get("properties") and depth < _DEEPEST:
            return self._root_object(schema, depth + 1)
        counts: dict[str, JSON] = {}
        for row in found.rows():
            key = row.get("severity") or row.get("category") or row.get("area")
            if isinstance(key, str):
                counts[key] = counts.get(key, 0) + 1
        inner = schema.get("additionalProperties")
        return counts if isinstance(inner, dict) and inner.get("type") in ("integer", "number") else {}

    def _list(self, name: str, schema: Schema, depth: int) -> list[JSON]:
        items = self._resolved(schema.get("items") or {})
        properties = {key: self._resolved(one) for key, one in items.get("properties", {}).items()}
        given = self.material.task.inputs.get(name)
        if isinstance(given, list) and not properties and all(isinstance(one, str) for one in given):
            return _within(given, schema)
        found = seeds(name, f"{schema.get('title', '')} {schema.get('description', '')}", properties, self.material)
        if items.get("enum"):
            return self._labels(items, schema)
        rows: list[JSON] = []
        for index, seed in enumerate(found):
            row = self._item(name, items, properties, seed, index, depth) if properties else _plain(items, seed)
            if row is not None and row not in rows:
                rows.append(row)
        return self._enough(name, _within(rows, schema), schema, items, properties, depth)

    def _item(
        self, name: str, items: Schema, properties: Mapping[str, Schema], seed: Seed, index: int, depth: int
    ) -> dict[str, JSON]:
        values: dict[str, JSON] = {}
        for key, one in properties.items():
            if _is(one, "object"):
                values[key] = seed.known.get(key) if isinstance(seed.known.get(key), dict) else {}
            else:
                values[key] = in_item(key, one, seed, index, name, self.material)
            if _is(one, "array") and isinstance(values[key], list):
                values[key] = _within(values[key], one)
        return self._finished(items, properties, values)

    def _labels(self, items: Schema, schema: Schema) -> list[JSON]:
        """A list of labels: those of moderation that speak up, or the one that fits."""
        words = [word for word in items["enum"] if isinstance(word, str)]
        flags = {one.label for one in moderation.flags(self.material.main)}
        chosen = [word for word in words if moderation.category_of(word) in flags]
        if not chosen and not any(moderation.category_of(word) for word in words):
            best = labels.by_labels(self.material.main, words)
            chosen = [best.label] if best.score > 0.3 else []
        return _within(chosen or words[: int(schema.get("minItems", 0))], schema)

    def _enough(
        self, name: str, rows: list[JSON], schema: Schema, items: Schema, properties: Mapping[str, Schema], depth: int
    ) -> list[JSON]:
        """At least `minItems`, with rows that say that nothing was found."""
        missing = int(schema.get("minItems", 0)) - len(rows)
        for index in range(max(0, missing)):
            seed = Seed(NOT_STATED)
            rows.append(
                self._item(name, items, properties, seed, len(rows) + index, depth)
                if properties
                else _plain(items, seed)
            )
        return rows

    def _finished(
        self, schema: Schema, properties: Mapping[str, Schema], values: Mapping[str, JSON]
    ) -> dict[str, JSON]:
        """In the schema's order, each value within its limits; missing optional fields are left out."""
        required = set(schema.get("required", []))
        result: dict[str, JSON] = {}
        for name, one in properties.items():
            value = _fitted(values.get(name), one)
            if value is None and name not in required:
                continue
            result[name] = _least(one) if value is None else value
        return result

    def _resolved(self, schema: JSON) -> dict[str, JSON]:
        """Without `$ref` and with the first real one of alternatives."""
        current = schema if isinstance(schema, dict) else {}
        for _ in range(10):
            if "$ref" in current:
                target: JSON = self.root
                for part in str(current["$ref"]).removeprefix("#/").split("/"):
                    target = target.get(part, {}) if isinstance(target, dict) else {}
                current = {**target, **{key: value for key, value in current.items() if key != "$ref"}}
                continue
            for keyword in ("anyOf", "oneOf", "allOf"):
                options = [one for one in current.get(keyword, []) if one.get("type") != "null"]
                if options:
                    rest = {key: value for key, value in current.items() if key != keyword}
                    current = {**options[0], **rest}
                    break
            else:
                return current
        return current


def _plain(items: Schema, seed: Seed) -> JSON:
    """An item that is no object."""
    if _is(items, "number") or _is(items, "integer"):
        value = seed.known.get("value")
        return _fitted(value, items) if isinstance(value, int | float) else None
    return _fitted(str(seed.known.get("text") or seed.text), items)


def _is(schema: Schema, kind: str) -> bool:
    named = schema.get("type")
    if named is None:
        return kind == ("object" if "properties" in schema else "array" if "items" in schema else "string")
    return kind in named if isinstance(named, list) else kind == named


def _within(rows: list[JSON], schema: Schema) -> list[JSON]:
    return rows[: int(schema.get("maxItems", 60))]


def _fitted(value: JSON, schema: Schema) -> JSON:
    """The value within the limits of its schema; None if it cannot be."""
    if value is None:
        return None
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return value if value in schema["enum"] else None
    if isinstance(value, str) and _is(schema, "string"):
        text = shorten(value, int(schema["maxLength"])) if len(value) > int(schema.get("maxLength", 1 << 30)) else value
        return text if len(text) >= int(schema.get("minLength", 0)) else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = max(float(schema.get("minimum", value)), min(float(schema.get("maximum", value)), float(value)))
        return round(number) if _is(schema, "integer") else (int(number) if number.is_integer() else number)
    return value


def _least(schema: Schema) -> JSON:
    """What a required field holds when the material says nothing."""
    if "const" in schema:
        return schema["const"]
    if "default" in schema:
        return schema["default"]
    kind = schema.get("type")
    if isinstance(kind, list) and "null" in kind:
        return None
    if schema.get("enum"):
        return schema["enum"][0]
    if _is(schema, "array"):
        return []
    if _is(schema, "object"):
        return {}
    if _is(schema, "boolean"):
        return False
    if _is(schema, "integer") or _is(schema, "number"):
        return schema.get("minimum", 0)
    return "1970-01-01" if schema.get("format") == "date" else NOT_STATED
