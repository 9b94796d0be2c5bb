"""What a change of a data contract means for those who rely on it. Pure.

    compatibility(old, new, "input")     every change of one schema, each with whether it breaks
    contract_changes(old, new)           the same for inputs and outputs together
    contract_numbers([...])              "1.0", "1.1", "2.0": what the contracts of successive versions are called

Inputs and outputs are judged from opposite sides. Callers break when less is accepted than before; readers break when
something may come that did not. So the same change (a new enum value, say) is harmless on one side and breaking on the
other. At the bottom of both lies one question: is everything that one schema allows allowed by the other too? What
cannot be told by rule (`anyOf`, patterns) counts as breaking and is named as something to look at.

An object is taken to hold what its schema declares: nobody sends members that are not in the contract, and readers pass
over those that they do not know. So a new optional input and a new output break nothing.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from agents.contracts import data_faults

JSON = Any
Schema = Mapping[str, JSON]
Side = Literal["input", "output"]


@dataclass(frozen=True, slots=True)
class Contract:
    inputs: Schema
    outputs: Schema


@dataclass(frozen=True, slots=True)
class Change:
    """One change: Change("input", "required", "$.currency", "is now required", True).

    kind: required, added, removed, type, values, only (these values), upper, lower (limits), form (format, multipleOf),
    unique, closed, refused, unjudged.
    """

    side: Side
    kind: str
    path: str
    message: str
    breaking: bool

    def __str__(self) -> str:
        return f"{self.side} {self.path} {self.message}"

    def as_json(self) -> dict[str, JSON]:
        return {
            "side": self.side,
            "kind": self.kind,
            "path": self.path,
            "message": self.message,
            "breaking": self.breaking,
        }


def compatibility(old: Schema, new: Schema, direction: Side) -> list[Change]:
    """Every change from `old` to `new`, what breaks first."""
    narrowed, widened = list(_losses(old, new, "$", old, new)), list(_losses(new, old, "$", new, old))
    removed, added = list(_gone(old, new, "$", old, new)), list(_gone(new, old, "$", new, old))
    if direction == "input":
        breaking = [_change("input", loss, _INPUT_WORDS, True) for loss in narrowed]
        harmless = [_change("input", loss, _WIDER_INPUT_WORDS, False) for loss in widened if loss.kind != "refused"]
        harmless += [Change("input", "removed", path, "is no longer looked at", False) for path in removed]
    else:
        # readers pass over members that they do not know
        lost = [loss for loss in widened if loss.kind not in _MEMBERS and loss.path not in removed]
        breaking = [_change("output", loss, _OUTPUT_WORDS, True) for loss in lost]
        breaking += [Change("output", "removed", path, "is gone", True) for path in removed]
        harmless = [_change("output", loss, _NARROWER_OUTPUT_WORDS, False) for loss in narrowed]
    harmless += [Change(direction, "added", path, "is new", False) for path in added]
    found = [*breaking, *(change for change in harmless if not _is_told(change, breaking))]
    return list(dict.fromkeys(found))


_MEMBERS = ("refused", "closed")


def _change(side: Side, loss: "_Loss", words: "_Words", breaking: bool) -> Change:
    return Change(side, loss.kind, loss.path, words[loss.kind](loss), breaking)


def _is_told(change: Change, breaking: Sequence[Change]) -> bool:
    """By something that breaks at the same place, or by another type there or around it."""
    return any(
        change.path == other.path
        or (other.kind == "type" and change.path.startswith((f"{other.path}.", f"{other.path}[")))
        for other in breaking
    )


def contract_changes(old: Contract, new: Contract) -> list[Change]:
    """Inputs first."""
    return [*compatibility(old.inputs, new.inputs, "input"), *compatibility(old.outputs, new.outputs, "output")]


def breaking_changes(old: Contract, new: Contract) -> list[Change]:
    """Every change of `new` that may break a workflow made for `old`, inputs first."""
    return [change for change in contract_changes(old, new) if change.breaking]


def contract_numbers(contracts: Sequence[Contract]) -> list[str]:
    """major.minor of each, the oldest first: what breaks counts the major up, any other change the minor."""
    major, minor, numbers = 1, 0, list[str]()
    for index, contract in enumerate(contracts):
        if index:
            changes = contract_changes(contracts[index - 1], contract)
            if any(change.breaking for change in changes):
                major, minor = major + 1, 0
            elif changes:
                minor += 1
        numbers.append(f"{major}.{minor}")
    return numbers


# -- is everything that `a` allows allowed by `b`? ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Loss:
    """Something that `a` allows and `b` does not. `what`: the types, values, or the keyword with its limit."""

    kind: str
    path: str
    what: JSON = None


_ALL_TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})
_NUMBERS = frozenset({"number", "integer"})
# Where it is met in `b` it allows less, in a way that cannot be compared; in `a` it may be left out of account.
_OPAQUE = (
    "anyOf", "oneOf", "allOf", "not", "if", "then", "else", "pattern", "$ref", "contains", "minContains", "maxContains",
    "propertyNames", "dependentRequired", "dependentSchemas", "dependencies", "unevaluatedItems",
    "unevaluatedProperties", "contentEncoding", "contentMediaType", "contentSchema", "$dynamicRef",
)  # fmt: skip
# Here the other keywords mean something else beside it, so that any difference counts.
_OPAQUE_ON_BOTH = ("patternProperties", "prefixItems")


def _losses(a: JSON, b: JSON, path: str, root_a: Schema, root_b: Schema) -> Iterator[_Loss]:
    a, b = _followed(a, root_a), _followed(b, root_b)
    if b is True or a is False or _is_same(a, b, root_a, root_b):
        return
    if b is False:
        yield _Loss("type", path, sorted(_types(a)))
        return
    a = {} if a is True else a
    if (values := _values_of(a)) is not None:
        refused = [value for value in values if not data_faults(_rooted(a, root_a), value)]
        refused = [value for value in refused if data_faults(_rooted(b, root_b), value)]
        if refused:
            yield _Loss("values", path, refused)
        return
    if lost := _types(a) - _types(b):
        yield _Loss("type", path, sorted(lost))
        return
    if (values := _values_of(b)) is not None:
        yield _Loss("only", path, values)
    yield from _limits(a, b, path)
    if "object" in _types(a):
        yield from _objects(a, b, path, root_a, root_b)
    if "array" in _types(a):
        yield from _losses(a.get("items", True), b.get("items", True), f"{path}[*]", root_a, root_b)
    opaque = [keyword for keyword in _OPAQUE if keyword in b]
    opaque += [keyword for keyword in _OPAQUE_ON_BOTH if keyword in a or keyword in b]
    if differ := [one for one in opaque if not _is_same({one: a.get(one)}, {one: b.get(one)}, root_a, root_b)]:
        yield _Loss("unjudged", path, differ)


def _objects(a: Schema, b: Schema, path: str, root_a: Schema, root_b: Schema) -> Iterator[_Loss]:
    for name in sorted(_required(b) - _required(a)):
        yield _Loss("required", f"{path}.{name}")
    before, after = a.get("properties", {}), b.get("properties", {})
    rest_a, rest_b = a.get("additionalProperties", True), b.get("additionalProperties", True)
    for name in sorted(before):
        if name not in after and rest_b is False:
            yield _Loss("refused", f"{path}.{name}")
        else:
            yield from _losses(before[name], after.get(name, rest_b), f"{path}.{name}", root_a, root_b)
    if rest_a is False:
        return
    if rest_b is False:
        yield _Loss("closed", path)
    elif isinstance(rest_a, Mapping):
        for name in sorted(after.keys() - before.keys()):
            yield from _losses(rest_a, after[name], f"{path}.{name}", root_a, root_b)
        yield from _losses(rest_a, rest_b, f"{path}.*", root_a, root_b)
    elif isinstance(rest_b, Mapping) and "additionalProperties" in a:
        yield from _losses(rest_a, rest_b, f"{path}.*", root_a, root_b)


_UPPER = ("maxLength", "maxItems", "maxProperties")
_LOWER = ("minLength", "minItems", "minProperties")
_OF_TYPE = {"Length": "string", "Items": "array", "Properties": "object"}


def _limits(a: Schema, b: Schema, path: str) -> Iterator[_Loss]:
    types = _types(a)
    for keyword in (*_UPPER, *_LOWER):
        if keyword not in b or _OF_TYPE[keyword[3:]] not in types:
            continue
        if keyword in _UPPER and b[keyword] < a.get(keyword, float("inf")):
            yield _Loss("upper", path, (keyword, b[keyword]))
        if keyword in _LOWER and b[keyword] > a.get(keyword, 0):
            yield _Loss("lower", path, (keyword, b[keyword]))
    if types & _NUMBERS:
        yield from _number_limits(a, b, path)
    if "string" in types and "format" in b and b["format"] != a.get("format"):
        yield _Loss("form", path, ("format", b["format"]))
    if "array" in types and b.get("uniqueItems") and not a.get("uniqueItems"):
        yield _Loss("unique", path)


def _number_limits(a: Schema, b: Schema, path: str) -> Iterator[_Loss]:
    for kind, inclusive, exclusive, sign in (
        ("upper", "maximum", "exclusiveMaximum", 1),
        ("lower", "minimum", "exclusiveMinimum", -1),
    ):
        mine, theirs = _edge(a, inclusive, exclusive, sign), _edge(b, inclusive, exclusive, sign)
        if theirs is not None and (mine is None or theirs < mine):
            keyword = exclusive if exclusive in b and theirs[1] == 0 else inclusive
            yield _Loss(kind, path, (keyword, b[keyword]))
    if "multipleOf" in b and not _divides(b["multipleOf"], a):
        yield _Loss("form", path, ("multipleOf", b["multipleOf"]))


def _edge(schema: Schema, inclusive: str, exclusive: str, sign: int) -> tuple[float, int] | None:
    """The tighter of both limits, so that the smaller of two allows less; an exclusive one less than the same."""
    edges = [(sign * schema[inclusive], 1)] if inclusive in schema else []
    edges += [(sign * schema[exclusive], 0)] if exclusive in schema else []
    return min(edges, default=None)


def _divides(step: float, a: Schema) -> bool:
    own = a.get("multipleOf", 1 if _types(a) & _NUMBERS == {"integer"} else None)
    return own is not None and (Fraction(str(own)) / Fraction(str(step))).denominator == 1


def _gone(old: JSON, new: JSON, path: str, root_old: Schema, root_new: Schema) -> Iterator[str]:
    """Places that `old` declares and `new` does not."""
    old, new = _followed(old, root_old), _followed(new, root_new)
    if not isinstance(old, Mapping) or not isinstance(new, Mapping) or path.count(".") + path.count("[") > _DEEPEST:
        return
    before, after = old.get("properties", {}), new.get("properties", {})
    for name in sorted(before):
        if name not in after:
            yield f"{path}.{name}"
        else:
            yield from _gone(before[name], after[name], f"{path}.{name}", root_old, root_new)
    if "items" in old and "items" in new:
        yield from _gone(old["items"], new["items"], f"{path}[*]", root_old, root_new)


# -- reading schemas ---------------------------------------------------------------------------------------------------

_DEEPEST = 24


def _followed(schema: JSON, root: Schema) -> JSON:
    """Where it is nothing but a reference into `$defs`, what that names, unless it leads back to itself."""
    for _ in range(_DEEPEST):
        if not isinstance(schema, Mapping) or set(schema) - _ANNOTATIONS != {"$ref"}:
            return schema
        name = schema["$ref"].removeprefix("#/$defs/")
        target = root.get("$defs", {}).get(name)
        if target is None or _leads_to(target, name, root):
            return schema
        schema = target
    return schema


_ANNOTATIONS = {"title", "description", "default", "examples", "deprecated", "$comment"}


def _leads_to(schema: JSON, name: str, root: Schema) -> bool:
    """Whether `#/$defs/name` is met again somewhere inside."""
    waiting, seen = [schema], set[str]()
    while waiting:
        found = waiting.pop()
        if isinstance(found, list):
            waiting.extend(found)
        elif isinstance(found, Mapping):
            reference = found.get("$ref")
            if isinstance(reference, str) and reference not in seen:
                seen.add(reference)
                if reference == f"#/$defs/{name}":
                    return True
                waiting.append(root.get("$defs", {}).get(reference.removeprefix("#/$defs/")))
            waiting.extend(found.values())
    return False


def _is_same(a: JSON, b: JSON, root_a: Schema, root_b: Schema) -> bool:
    """To the letter, references included: 1 is not true here."""
    one, other = json.dumps(a, sort_keys=True), json.dumps(b, sort_keys=True)
    return one == other and (root_a.get("$defs") == root_b.get("$defs") or '"$ref"' not in one)


def _rooted(schema: Schema, root: Schema) -> dict[str, JSON]:
    return {**schema, "$defs": root.get("$defs", {})}


def _types(schema: Schema) -> frozenset[str]:
    named = schema.get("type") if isinstance(schema, Mapping) else None
    if named is None:
        return _ALL_TYPES
    types = frozenset([named] if isinstance(named, str) else named)
    return types | {"integer"} if "number" in types else types


def _values_of(schema: Schema) -> list[JSON] | None:
    """All it can be, where it says so."""
    if "const" in schema:
        return [schema["const"]]
    if "enum" in schema:
        return list(schema["enum"])
    types = _types(schema)
    if types <= {"boolean", "null"}:
        return [value for kind, value in (("boolean", True), ("boolean", False), ("null", None)) if kind in types]
    return None


def _required(schema: Schema) -> frozenset[str]:
    return frozenset(schema.get("required", []))


# -- words -------------------------------------------------------------------------------------------------------------

_UNJUDGED = "has a changed {}, which cannot be compared by rule: look at it"


def _unjudged(loss: _Loss) -> str:
    return _UNJUDGED.format(", ".join(loss.what))


_Words = Mapping[str, Callable[[_Loss], str]]
_INPUT_WORDS: _Words = {
    "type": lambda loss: f"no longer takes {_words(loss.what)}",
    "values": lambda loss: f"no longer takes {_shown(loss.what)}",
    "only": lambda loss: f"now takes only {_shown(loss.what)}",
    "required": lambda loss: "is now required",
    "refused": lambda loss: "is no longer known and would be refused",
    "closed": lambda loss: "now refuses members that it does not know",
    "upper": lambda loss: f"has a lower limit: {loss.what[0]} {loss.what[1]}",
    "lower": lambda loss: f"asks for more: {loss.what[0]} {loss.what[1]}",
    "form": lambda loss: f"must now have {loss.what[0]} {_shown([loss.what[1]])}",
    "unique": lambda loss: "must no longer hold an item twice",
    "unjudged": _unjudged,
}
_WIDER_INPUT_WORDS: _Words = {
    "type": lambda loss: f"now also takes {_words(loss.what)}",
    "values": lambda loss: f"now also takes {_shown(loss.what)}",
    "only": lambda loss: "takes more than the known values now",
    "required": lambda loss: "is no longer required",
    "closed": lambda loss: "now passes over members that it does not know",
    "upper": lambda loss: f"is no longer limited by {loss.what[0]} {loss.what[1]}",
    "lower": lambda loss: f"no longer asks for {loss.what[0]} {loss.what[1]}",
    "form": lambda loss: f"need not have {loss.what[0]} {_shown([loss.what[1]])} any more",
    "unique": lambda loss: "may now hold an item twice",
    "unjudged": lambda loss: f"no longer keeps to its {', '.join(loss.what)}",
}
_OUTPUT_WORDS: _Words = {
    "type": lambda loss: f"may now be {_words(loss.what)}",
    "values": lambda loss: f"may now be {_shown(loss.what)}",
    "only": lambda loss: "may now be anything, not only the known values",
    "required": lambda loss: "is no longer promised",
    "upper": lambda loss: f"may now exceed {loss.what[0]} {loss.what[1]}",
    "lower": lambda loss: f"may now be below {loss.what[0]} {loss.what[1]}",
    "form": lambda loss: f"no longer has the {loss.what[0]} {loss.what[1]}",
    "unique": lambda loss: "may now hold an item twice",
    "unjudged": _unjudged,
}
_NARROWER_OUTPUT_WORDS: _Words = {
    "type": lambda loss: f"is never {_words(loss.what)} any more",
    "values": lambda loss: f"is never {_shown(loss.what)} any more",
    "only": lambda loss: f"is now only {_shown(loss.what)}",
    "required": lambda loss: "is now promised",
    "refused": lambda loss: "is gone",
    "closed": lambda loss: "now holds nothing that is not declared",
    "upper": lambda loss: f"now keeps to {loss.what[0]} {loss.what[1]}",
    "lower": lambda loss: f"now keeps to {loss.what[0]} {loss.what[1]}",
    "form": lambda loss: f"now has the {loss.what[0]} {loss.what[1]}",
    "unique": lambda loss: "now holds no item twice",
    "unjudged": lambda loss: f"now keeps to {', '.join(loss.what)}",
}


def _words(types: Sequence[str]) -> str:
    return " or ".join(types)


def _shown(values: Sequence[JSON]) -> str:
    return ", ".join(json.dumps(value, ensure_ascii=False) for value in values[:8]) + (" …" if len(values) > 8 else "")
