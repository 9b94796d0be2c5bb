"""A new version's contract is compared with the old one, and what breaks is named."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.compatibility import Contract, breaking_changes, compatibility, contract_numbers
from agents.contracts import data_faults
from tests.agents.factories import schema

UNJUDGED = "input $.a has a changed pattern, which cannot be compared by rule: look at it"
TEXT, NUMBER, INTEGER = {"type": "string"}, {"type": "number"}, {"type": "integer"}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (schema(a=TEXT), schema(("a",), a=TEXT), ["input $.a is now required"]),
        (schema(a=NUMBER), schema(a=INTEGER), ["input $.a no longer takes number"]),
        (schema(a=INTEGER), schema(a=NUMBER), []),
        (schema(a={"enum": [1, 2]}), schema(a={"enum": [1]}), ["input $.a no longer takes 2"]),
        (schema(a={"enum": [1]}), schema(a={"enum": [1, 2]}), []),
        (schema(a={"maxLength": 9}), schema(a={"maxLength": 5}), ["input $.a has a lower limit: maxLength 5"]),
        (schema(a={"minLength": 1}), schema(a={"minLength": 0}), []),
        (schema(a=TEXT), schema(a={**TEXT, "minLength": 1}), ["input $.a asks for more: minLength 1"]),
        (schema(a=TEXT), schema(), []),
        (
            {**schema(a=TEXT), "additionalProperties": False},
            {**schema(), "additionalProperties": False},
            ["input $.a is no longer known and would be refused"],
        ),
        (
            schema(a={"type": "array", "items": NUMBER}),
            schema(a={"type": "array", "items": TEXT}),
            ["input $.a[*] no longer takes integer or number"],
        ),
        (schema(a={"pattern": "a"}), schema(a={"pattern": "b"}), [UNJUDGED]),
    ],
)  # fmt: skip
def test_inputs_break_when_less_is_accepted(old: dict, new: dict, told: list[str]):
    assert [str(one) for one in breaking_changes(Contract(old, {}), Contract(new, {}))] == told


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (schema(a=TEXT, b=TEXT), schema(a=TEXT), ["output $.b is gone"]),
        (schema(a=TEXT), schema(a=TEXT, b=TEXT), []),
        (schema(("a",), a=TEXT), schema(a=TEXT), ["output $.a is no longer promised"]),
        (schema(a=INTEGER), schema(a=NUMBER), ["output $.a may now be number"]),
        (schema(a=NUMBER), schema(a=INTEGER), []),
        (schema(a={"enum": [1]}), schema(a={"enum": [1, 2]}), ["output $.a may now be 2"]),
        (schema(a={"enum": [1, 2]}), schema(a={"enum": [1]}), []),
    ],
)
def test_outputs_break_when_more_may_come(old: dict, new: dict, told: list[str]):
    assert [str(one) for one in breaking_changes(Contract({}, old), Contract({}, new))] == told


def test_nothing_changed_breaks_nothing():
    same = Contract(schema(("a",), a={"type": "array", "items": schema(b=TEXT)}), schema(a=TEXT))
    assert breaking_changes(same, same) == []


@pytest.mark.parametrize(
    ("direction", "old", "new", "told"),
    [
        ("input", schema(("a",), a=TEXT), schema(a=TEXT), "input $.a is no longer required"),
        ("input", schema(a=TEXT), schema(a=TEXT, b=TEXT), "input $.b is new"),
        ("input", schema(a=TEXT), schema(), "input $.a is no longer looked at"),
        ("input", schema(a=INTEGER), schema(a=NUMBER), "input $.a now also takes number"),
        ("input", schema(a={**NUMBER, "maximum": 5}), schema(a=NUMBER), "input $.a is no longer limited by maximum 5"),
        ("output", schema(a=TEXT), schema(("a",), a=TEXT), "output $.a is now promised"),
        ("output", schema(a=TEXT), schema(a=TEXT, b=TEXT), "output $.b is new"),
        ("output", schema(a={"enum": [1, 2]}), schema(a={"enum": [1]}), "output $.a is never 2 any more"),
    ],
)  # fmt: skip
def test_harmless_changes_are_named_too(direction, old: dict, new: dict, told: str):
    found = compatibility(old, new, direction)
    assert [(str(one), one.breaking) for one in found] == [(told, False)]


def test_limits_are_compared_with_and_without_their_edge():
    def number(**limits):
        return schema(a={"type": "number", **limits})

    assert compatibility(number(maximum=5), number(exclusiveMaximum=5), "input")[0].breaking
    assert not compatibility(number(exclusiveMaximum=5), number(maximum=5), "input")[0].breaking
    assert compatibility(number(minimum=5), number(minimum=5, exclusiveMinimum=4), "input") == []
    assert [one.breaking for one in compatibility(number(multipleOf=4), number(multipleOf=2), "input")] == [False]
    assert [one.breaking for one in compatibility(number(multipleOf=2), number(multipleOf=4), "input")] == [True]


def test_references_are_followed_and_circles_are_left_alone():
    def tree(**more):
        leaf = {"type": "object", "properties": {"next": {"$ref": "#/$defs/t"}, "v": {"$ref": "#/$defs/v"}}}
        return {**schema(t={"$ref": "#/$defs/t"}, v={"$ref": "#/$defs/v"}), "$defs": {"t": leaf, "v": more}}

    assert compatibility(tree(type="string"), tree(type="string"), "input") == []
    told = [str(one) for one in compatibility(tree(type="number"), tree(type="integer"), "input") if one.breaking]
    assert "input $.v no longer takes number" in told and any("$ref" in one for one in told)


def test_contracts_are_numbered_by_what_breaks():
    contracts = [
        Contract(schema(a=TEXT), schema(b=TEXT)),
        Contract(schema(a=TEXT, c=TEXT), schema(b=TEXT)),
        Contract(schema(a=TEXT, c=TEXT), schema(b=TEXT)),
        Contract(schema(("c",), a=TEXT, c=TEXT), schema(b=TEXT)),
        Contract(schema(("c",), a=TEXT, c=TEXT), schema(b=TEXT, d=NUMBER)),
    ]
    assert contract_numbers(contracts) == ["1.0", "1.1", "1.1", "2.0", "2.1"]


# What is declared compatible is: whatever fits the one schema fits the other, as its side demands.

names = st.sampled_from(["a", "b", "c"])
scalars = st.sampled_from([0, 1, 2, 5, -3, 0.5, 7, "", "x", "xyz", "abcdefgh", True, False, None])


@st.composite
def schemas(draw, depth=2):
    kind = draw(
        st.sampled_from(
            ["string", "number", "integer", "boolean", "any", "enum", "object", "array"][: 8 if depth else 6]
        )
    )
    small = st.integers(0, 6)

    def maybe(**keywords):
        return {name: draw(value) for name, value in keywords.items() if draw(st.integers(0, 3)) == 0}

    match kind:
        case "string":
            return {"type": "string", **maybe(minLength=small, maxLength=small)}
        case "number" | "integer":
            limits = maybe(minimum=small, maximum=small, exclusiveMinimum=small, exclusiveMaximum=small)
            return {"type": kind, **limits, **maybe(multipleOf=st.sampled_from([1, 2, 3, 0.5]))}
        case "boolean":
            return {"type": draw(st.sampled_from(["boolean", ["boolean", "null"], ["string", "null"]]))}
        case "enum":
            return {"enum": draw(st.lists(scalars, min_size=1, max_size=4))}
        case "object":
            properties = draw(st.dictionaries(names, schemas(depth - 1), max_size=3))
            required = draw(st.lists(names, unique=True, max_size=2))
            found = {"type": "object", "properties": properties, "required": required}
            rest = draw(st.sampled_from(["open", "open", "closed", "schema"]))
            if rest == "schema":
                found["additionalProperties"] = draw(schemas(depth - 1))
            return {**found, **({"additionalProperties": False} if rest == "closed" else {})}
        case "array":
            return {
                "type": "array",
                "items": draw(schemas(depth - 1)),
                **maybe(minItems=small, maxItems=small, uniqueItems=st.booleans()),
            }
    return {}  # fmt: skip


@st.composite
def data_of(draw, schema_, depth=3):
    """Mostly fits. Objects hold what is declared, and other members only where a schema speaks of them."""
    if "enum" in schema_:
        return draw(st.sampled_from(schema_["enum"]))
    if schema_.get("type") == "object":
        found = {}
        for name, inner in schema_["properties"].items():
            if name in schema_["required"] or draw(st.booleans()):
                found[name] = draw(data_of(inner, depth - 1))
        rest = schema_.get("additionalProperties")
        for name in draw(st.lists(names, max_size=2)) if isinstance(rest, dict) else ():
            if name not in schema_["properties"]:
                found[name] = draw(data_of(rest, depth - 1))
        return found
    if schema_.get("type") == "array":
        return [draw(data_of(schema_["items"], depth - 1)) for _ in range(draw(st.integers(0, 3)))]
    return draw(scalars)


def known_to(schema_, data):
    """What a reader made for the schema looks at."""
    if isinstance(data, list):
        return [known_to(schema_.get("items", {}), item) for item in data]
    if not isinstance(data, dict) or schema_.get("type") != "object":
        return data
    rest, found = schema_.get("additionalProperties"), {}
    for name, value in data.items():
        inner = schema_["properties"].get(name, rest if isinstance(rest, dict) else None)
        if inner is not None:
            found[name] = known_to(inner, value)
        elif name in schema_.get("required", ()):  # it is asked for, whatever it is
            found[name] = value
    return found


@settings(max_examples=400, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.data())
def test_what_is_called_compatible_is(data):
    old = data.draw(schemas())
    new = data.draw(st.one_of(schemas(), st.just(old).flatmap(changed)))
    for direction, given_, wanted in (("input", old, new), ("output", new, old)):
        if any(change.breaking for change in compatibility(old, new, direction)):
            continue
        value = data.draw(data_of(given_))
        if data_faults(given_, value):
            continue
        seen = known_to(wanted, value) if direction == "output" else value
        assert not data_faults(wanted, seen), (direction, old, new, value)


def changed(old):
    """The schema with one of its keywords taken out, or another's in its place."""
    keywords = [name for name in old if name not in ("type", "properties", "required", "items")]
    options = [st.just({name: value for name, value in old.items() if name != gone}) for gone in keywords]
    if old.get("type") == "object":
        options.append(schemas(1).map(lambda inner: {**old, "properties": {**old["properties"], "a": inner}}))
        options.append(st.just({**old, "required": []}))
    return st.one_of(*options, st.just(old))
