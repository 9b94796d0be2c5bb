"""Steps over lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from orchestration.expressions.values import as_json, kind_of
from orchestration.transforms import steps
from orchestration.transforms.running import MOST_ROWS, Work

JSON = Any


def _map(work: Work, step: steps.Map, value: JSON) -> JSON:
    return [made for _, made in work.each(value, step.to)]


def _filter(work: Work, step: steps.Filter, value: JSON) -> JSON:
    kept = []
    for number, (item, chosen) in enumerate(work.each(value, step.where), 1):
        if not isinstance(chosen, bool):
            raise work.wrong(f"where must be true or false, but is {kind_of(chosen)}.", number)
        if chosen:
            kept.append(item)
    return kept


def _set(work: Work, step: steps.Set, value: JSON) -> JSON:
    if isinstance(value, dict):
        return {**value, **work.evaluate(step.to, {"item": value, "index": 0, "given": work.given})}
    made = enumerate(work.each(value, step.to), 1)
    return [{**work.an_object(item, number), **fields} for number, (item, fields) in made]


def _sort(work: Work, step: steps.Sort, value: JSON) -> JSON:
    keyed = list(work.each(value, step.by))
    nulls = [item for item, key in keyed if key is None]
    rest = [(item, key, number) for number, (item, key) in enumerate(keyed, 1) if key is not None]
    if nulls and step.nulls == "error":
        number = next(number for number, (_, key) in enumerate(keyed, 1) if key is None)
        raise work.wrong("by is null; say where nulls belong (first, last), or filter them out.", number)
    wanted = _shape_of(rest[0][1]) if rest else ""
    for _, key, number in rest:
        if _shape_of(key) != wanted or "?" in wanted:
            raise work.wrong(f"by is {kind_of(key)}, which cannot be put in order with {kind_of(rest[0][1])}.", number)
    ordered = [item for item, _, _ in sorted(rest, key=lambda row: row[1], reverse=step.descending)]
    return [*nulls, *ordered] if step.nulls == "first" else [*ordered, *nulls]


def _shape_of(key: JSON) -> str:
    """Keys of one shape can be compared; `?` cannot at all."""
    match key:
        case bool():
            return "b"
        case int() | float():
            return "n"
        case str():
            return "s"
        case list():
            return f"[{''.join(map(_shape_of, key))}]"
    return "?"


def _group(work: Work, step: steps.Group, value: JSON) -> JSON:
    return [{"key": key, "items": items} for key, items in _groups(work, step.by, value)]


def _groups(work: Work, by: str, value: JSON) -> list[tuple[JSON, list[JSON]]]:
    found: dict[str, tuple[JSON, list[JSON]]] = {}
    for item, key in work.each(value, by):
        found.setdefault(hash_key(key), (key, []))[1].append(item)
    return list(found.values())


def _join(work: Work, step: steps.Join, value: JSON) -> JSON:
    if not isinstance(step.rows, list | tuple):
        raise work.wrong(f"rows must be a list, but is {kind_of(step.rows)}.")
    others: dict[str, list[JSON]] = {}
    for item, key in work.each(list(step.rows), step.right or step.left):
        others.setdefault(hash_key(key), []).append(item)
    none: list[JSON] = [None] if step.kind == "left" else []
    made: list[JSON] = []
    for number, (item, key) in enumerate(work.each(value, step.left), 1):
        row = work.an_object(item, number)
        if step.name in row:
            raise work.wrong(f"The row has a field {step.name} already; choose another name.", number)
        made.extend({**row, step.name: other} for other in others.get(hash_key(key), none))
        if len(made) > MOST_ROWS:
            raise work.wrong(f"It makes more than {MOST_ROWS:,} rows: many rows have the same key.", number)
    return made


def hash_key(key: JSON) -> str:
    """Equal for what is equal in expressions: 1 and 1.0 are, 1 and "1" are not; the order of keys does not matter."""
    return as_json(_normal(key))


def _normal(key: JSON) -> JSON:
    match key:
        case float() if key.is_integer():
            return int(key)
        case dict():
            return {name: _normal(key[name]) for name in sorted(key)}
        case list():
            return [_normal(item) for item in key]
    return key


def _flatten(work: Work, step: steps.Flatten, value: JSON) -> JSON:
    made: list[JSON] = []
    for number, item in work.rows(value):
        if not isinstance(item, list):
            raise work.wrong(f"The row is {kind_of(item)} and no list.", number)
        made.extend(item)
        if len(made) > MOST_ROWS:
            raise work.wrong(f"It makes more than {MOST_ROWS:,} rows.", number)
    return made


def _unique(work: Work, step: steps.Unique, value: JSON) -> JSON:
    found: dict[str, JSON] = {}
    for item, key in work.each(value, step.by):
        found.setdefault(hash_key(key), item)
    return list(found.values())


def _reverse(work: Work, step: steps.Reverse, value: JSON) -> JSON:
    return work.a_list(value)[::-1]


def _take(work: Work, step: steps.Take, value: JSON) -> JSON:
    rows = work.a_list(value)
    return rows[: step.count] if step.end == "start" else rows[max(len(rows) - step.count, 0) :]


# Fields of objects: of each row, or of one object


def _of_objects(work: Work, value: JSON, change: Callable[[dict[str, JSON], int], dict[str, JSON]]) -> JSON:
    if isinstance(value, dict):
        return change(value, 0)
    return [change(work.an_object(item, number), number) for number, item in work.rows(value)]


def _pick(work: Work, step: steps.Pick, value: JSON) -> JSON:
    def change(row: dict[str, JSON], number: int) -> dict[str, JSON]:
        missing = [name for name in step.fields if name not in row]
        if missing and step.missing == "error":
            there = ", ".join(list(row)[:12]) or "no field"
            raise work.wrong(f"There is no field {missing[0]}; it has {there}.", number)
        return {name: row.get(name) for name in step.fields if name in row or step.missing == "null"}

    return _of_objects(work, value, change)


def _omit(work: Work, step: steps.Omit, value: JSON) -> JSON:
    gone = frozenset(step.fields)
    return _of_objects(work, value, lambda row, _: {name: item for name, item in row.items() if name not in gone})


def _rename(work: Work, step: steps.Rename, value: JSON) -> JSON:
    def change(row: dict[str, JSON], number: int) -> dict[str, JSON]:
        made = {step.names.get(name, name): item for name, item in row.items()}
        if len(made) < len(row):
            raise work.wrong("Two fields would have the same name.", number)
        return made

    return _of_objects(work, value, change)


# Totals


def _aggregate(work: Work, step: steps.Aggregate, value: JSON) -> JSON:
    if not step.by:
        return _totals(work, step.totals, work.a_list(value))
    return [{"key": key, **_totals(work, step.totals, items)} for key, items in _groups(work, step.by, value)]


def _totals(work: Work, totals: Mapping[str, steps.Total], rows: list[JSON]) -> dict[str, JSON]:
    return {name: _total(work, name, total, rows) for name, total in totals.items()}


def _total(work: Work, name: str, total: steps.Total, rows: list[JSON]) -> JSON:
    if total.how == "count":
        return len(rows)
    found = [value for _, value in work.each(rows, total.of)]
    match total.how:
        case "list":
            return found
        case "distinct":
            distinct: dict[str, JSON] = {}
            for value in found:
                distinct.setdefault(hash_key(value), value)
            return list(distinct.values())
        case "sum" if not found:
            return 0
    if not found:
        raise work.wrong(f"{name}: there is no {total.how} of no rows.")
    if total.how in ("first", "last"):
        return found[0 if total.how == "first" else -1]
    wrong = next((value for value in found if isinstance(value, bool) or not isinstance(value, int | float)), None)
    if wrong is not None or any(value is None for value in found):
        raise work.wrong(f"{name}: {total.how} takes numbers, but finds {kind_of(wrong)}.")
    match total.how:
        case "sum":
            return sum(found)
        case "average":
            return sum(found) / len(found)
        case "min":
            return min(found)
    return max(found)


OPERATIONS: Mapping[str, Callable[[Work, Any, JSON], JSON]] = {
    "map": _map, "filter": _filter, "set": _set, "sort": _sort, "group": _group, "join": _join, "flatten": _flatten,
    "unique": _unique, "reverse": _reverse, "take": _take, "pick": _pick, "omit": _omit, "rename": _rename,
    "aggregate": _aggregate,
}  # fmt: skip
