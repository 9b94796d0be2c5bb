"""Is everything that the schema `a` allows allowed by `b` too? What is not is a loss."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from agents.compatibility.reading import (
    DEEPEST,
    JSON,
    NUMBERS,
    Schema,
    followed,
    is_same,
    required,
    rooted,
    types_of,
    values_of,
)
from agents.contracts import data_faults


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that `a` allows and `b` does not. `what`: the types, values, or the keyword with its limit."""

    kind: str
    path: str
    what: JSON = None


# Where it is met in `b` it allows less, in a way that cannot be compared; in `a` it may be left out of account.
_OPAQUE = (
    "anyOf", "oneOf", "allOf", "not", "if", "then", "else", "pattern", "$ref", "contains", "minContains", "maxContains",
    "propertyNames", "dependentRequired", "dependentSchemas", "dependencies", "unevaluatedItems",
    "unevaluatedProperties", "contentEncoding", "contentMediaType", "contentSchema", "$dynamicRef",
)  # fmt: skip
# Here the other keywords mean something else beside it, so that any difference counts.
_OPAQUE_ON_BOTH = ("patternProperties", "prefixItems")


def losses(a: JSON, b: JSON, path: str, root_a: Schema, root_b: Schema) -> Iterator[Loss]:
    """Each thing that `a` allows and `b` does not, with its path. The roots are the whole schemas, for what `$ref`
    names.
    """
    a, b = followed(a, root_a), followed(b, root_b)
    if b is True or a is False or is_same(a, b, root_a, root_b):
        return
    if b is False:
        yield Loss("type", path, sorted(types_of(a)))
        return
    a = {} if a is True else a
    if (values := values_of(a)) is not None:
        refused = [value for value in values if not data_faults(rooted(a, root_a), value)]
        refused = [value for value in refused if data_faults(rooted(b, root_b), value)]
        if refused:
            yield Loss("values", path, refused)
        return
    if lost := types_of(a) - types_of(b):
        yield Loss("type", path, sorted(lost))
        return
    if (values := values_of(b)) is not None:
        yield Loss("only", path, values)
    yield from limits(a, b, path)
    if "object" in types_of(a):
        yield from _objects(a, b, path, root_a, root_b)
    if "array" in types_of(a):
        yield from losses(a.get("items", True), b.get("items", True), f"{path}[*]", root_a, root_b)
    opaque = [keyword for keyword in _OPAQUE if keyword in b]
    opaque += [keyword for keyword in _OPAQUE_ON_BOTH if keyword in a or keyword in b]
    if differ := [one for one in opaque if not is_same({one: a.get(one)}, {one: b.get(one)}, root_a, root_b)]:
        yield Loss("unjudged", path, differ)


def _objects(a: Schema, b: Schema, path: str, root_a: Schema, root_b: Schema) -> Iterator[Loss]:
    for name in sorted(required(b) - required(a)):
        yield Loss("required", f"{path}.{name}")
    before, after = a.get("properties", {}), b.get("properties", {})
    rest_a, rest_b = a.get("additionalProperties", True), b.get("additionalProperties", True)
    for name in sorted(before):
        if name not in after and rest_b is False:
            yield Loss("refused", f"{path}.{name}")
        else:
            yield from losses(before[name], after.get(name, rest_b), f"{path}.{name}", root_a, root_b)
    if rest_a is False:
        return
    if rest_b is False:
        yield Loss("closed", path)
    elif isinstance(rest_a, Mapping):
        for name in sorted(after.keys() - before.keys()):
            yield from losses(rest_a, after[name], f"{path}.{name}", root_a, root_b)
        yield from losses(rest_a, rest_b, f"{path}.*", root_a, root_b)
    elif isinstance(rest_b, Mapping) and "additionalProperties" in a:
        yield from losses(rest_a, rest_b, f"{path}.*", root_a, root_b)


_UPPER = ("maxLength", "maxItems", "maxProperties")
_LOWER = ("minLength", "minItems", "minProperties")
_OF_TYPE = {"Length": "string", "Items": "array", "Properties": "object"}


def limits(a: Schema, b: Schema, path: str) -> Iterator[Loss]:
    """The same for what keywords bound: lengths, sizes, numbers."""
    types = types_of(a)
    for keyword in (*_UPPER, *_LOWER):
        if keyword not in b or _OF_TYPE[keyword[3:]] not in types:
            continue
        if keyword in _UPPER and b[keyword] < a.get(keyword, float("inf")):
            yield Loss("upper", path, (keyword, b[keyword]))
        if keyword in _LOWER and b[keyword] > a.get(keyword, 0):
            yield Loss("lower", path, (keyword, b[keyword]))
    if types & NUMBERS:
        yield from _number_limits(a, b, path)
    if "string" in types and "format" in b and b["format"] != a.get("format"):
        yield Loss("form", path, ("format", b["format"]))
    if "array" in types and b.get("uniqueItems") and not a.get("uniqueItems"):
        yield Loss("unique", path)


def _number_limits(a: Schema, b: Schema, path: str) -> Iterator[Loss]:
    for kind, inclusive, exclusive, sign in (
        ("upper", "maximum", "exclusiveMaximum", 1),
        ("lower", "minimum", "exclusiveMinimum", -1),
    ):
        mine, theirs = _edge(a, inclusive, exclusive, sign), _edge(b, inclusive, exclusive, sign)
        if theirs is not None and (mine is None or theirs < mine):
            keyword = exclusive if exclusive in b and theirs[1] == 0 else inclusive
            yield Loss(kind, path, (keyword, b[keyword]))
    if "multipleOf" in b and not _divides(b["multipleOf"], a):
        yield Loss("form", path, ("multipleOf", b["multipleOf"]))


def _edge(schema: Schema, inclusive: str, exclusive: str, sign: int) -> tuple[float, int] | None:
    """The tighter of both limits, so that the smaller of two allows less; an exclusive one less than the same."""
    edges = [(sign * schema[inclusive], 1)] if inclusive in schema else []
    edges += [(sign * schema[exclusive], 0)] if exclusive in schema else []
    return min(edges, default=None)


def _divides(step: float, a: Schema) -> bool:
    own = a.get("multipleOf", 1 if types_of(a) & NUMBERS == {"integer"} else None)
    return own is not None and (Fraction(str(own)) / Fraction(str(step))).denominator == 1


def gone(old: JSON, new: JSON, path: str, root_old: Schema, root_new: Schema) -> Iterator[str]:
    """Places that `old` declares and `new` does not."""
    old, new = followed(old, root_old), followed(new, root_new)
    if not isinstance(old, Mapping) or not isinstance(new, Mapping) or path.count(".") + path.count("[") > DEEPEST:
        return
    before, after = old.get("properties", {}), new.get("properties", {})
    for name in sorted(before):
        if name not in after:
            yield f"{path}.{name}"
        else:
            yield from gone(before[name], after[name], f"{path}.{name}", root_old, root_new)
    if "items" in old and "items" in new:
        yield from gone(old["items"], new["items"], f"{path}[*]", root_old, root_new)
