"""Contracts say every fault, where it is, in words."""

import pytest

from agents.contract_schemas import schema_faults
from agents.contracts import data_faults, is_small
from tests.agents.factories import schema


def told(faults: list) -> list[str]:
    return [str(fault) for fault in faults]


def test_all_faults_of_data_are_named_with_their_paths():
    wanted = schema(
        ("name", "lines"),
        name={"type": "string", "minLength": 2},
        lines={"type": "array", "items": schema(("price",), price={"type": "number"})},
        kind={"enum": ["small", "large"]},
    )
    faults = data_faults(wanted, {"lines": [{"price": 1}, {"price": "two"}, {}], "kind": "larg"})
    assert told(faults) == [
        '$.kind: must be one of "small", "large", but is "larg" (did you mean "large"?)',
        "$.lines[1].price: must be a number, but is text",
        "$.lines[2].price: is required",
        "$.name: is required",
    ]


@pytest.mark.parametrize(
    ("inner", "value", "sentence"),
    [
        ({"type": "integer"}, 1.5, "must be a whole number, but is a number"),
        ({"type": ["string", "null"]}, 3, "must be text or null, but is a number"),
        ({"type": "string", "format": "date"}, "31.12.2026", 'must be a date (2026-05-31), but is "31.12.2026"'),
        ({"type": "string", "format": "date-time"}, "2026-05-31T12:00:00", "must be a date and time with time zone"),
        ({"type": "string", "format": "uri"}, "example.org", "must be an address with its scheme"),
        ({"type": "string", "format": "email"}, "nobody", "must be an e-mail address"),
        ({"type": "string", "maxLength": 3}, "four", "must have at most 3 characters"),
        ({"type": "number", "exclusiveMinimum": 0}, 0, "must be more than 0"),
        ({"type": "array", "uniqueItems": True}, [1, 1], "must not hold an item twice"),
        ({"anyOf": [{"type": "string"}, {"type": "number"}]}, True, "(the nearest of 2 allowed forms)"),
    ],
)
def test_words(inner: dict, value: object, sentence: str):
    (fault,) = data_faults(schema(a=inner), {"a": value})
    assert fault.path == "$.a"
    assert sentence in fault.message


def test_good_data_has_no_faults():
    formats = {"d": "date", "t": "date-time", "u": "uri", "e": "email", "i": "uuid"}
    wanted = schema(tuple(formats), **{name: {"type": "string", "format": form} for name, form in formats.items()})
    good = {
        "d": "2026-05-31", "t": "2026-05-31T12:00:00Z", "u": "https://example.org/a", "e": "a@example.org",
        "i": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
    }  # fmt: skip
    assert data_faults(wanted, good) == []


def test_unknown_members_are_named_with_what_was_meant():
    closed = {**schema(document={"type": "string"}), "additionalProperties": False}
    assert told(data_faults(closed, {"documnet": "x"})) == ['$.documnet: is not known here (did you mean "document"?)']


@pytest.mark.parametrize(
    ("broken", "path", "words"),
    [
        ([], "$", "must be a JSON Schema, an object, but is a list"),
        ({"type": "string"}, "$.type", "named values"),
        (schema(age={"type": "integre"}), "$.properties.age.type", 'did you mean "integer"?'),
        (schema(age={"minimum": "1"}), "$.properties.age.minimum", "must be a number, but is text"),
        (schema(("agee",), age={}), "$.required", 'did you mean "age"?'),
        (schema(a={"type": "string", "default": 3}), "$.properties.a.default", "does not fit its own schema"),
        (schema(a={"pattern": "("}), "$.properties.a.pattern", "is not a valid pattern"),
        (schema(a={"pattern": "^(a+)+$"}), "$.properties.a.pattern", "may take for ever"),
        (schema(a={"$ref": "https://example.org/s.json"}), "$.properties.a.$ref", "other documents are not fetched"),
        (schema(a={"$ref": "#/$defs/missing"}), "$.properties.a.$ref", "which is not there"),
        (schema(a={"$ref": "#/properties/a"}), "$.properties.a.$ref", "goes round in a circle"),
        ({"type": "object", "$schema": "http://json-schema.org/draft-07/schema#"}, "$.$schema", "2020-12"),
        (schema(a=schema(**{"a b": {"type": "x"}})), "$.properties.a.properties['a b'].type", "must be one of"),
        (schema(**{"with space": {}}), "$.properties['with space']", "letters, digits and _ only"),
    ],
)
def test_a_bad_schema_is_refused_with_the_place_of_the_fault(broken: object, path: str, words: str):
    faults = schema_faults(broken)
    assert [fault.path for fault in faults] == [path]
    assert words in faults[0].message


def test_local_references_work():
    wanted = {**schema(a={"$ref": "#/$defs/word"}), "$defs": {"word": {"type": "string"}}}
    assert schema_faults(wanted) == []
    assert told(data_faults(wanted, {"a": 1})) == ["$.a: must be text, but is a number"]


def test_a_property_called_like_a_keyword_is_no_keyword():
    properties = {"pattern": {"type": "string"}, "required": {"type": "boolean"}, "$ref": {"type": "string"}}
    assert schema_faults(schema(a={"type": "object", "properties": properties})) == []


def test_small_is_counted_no_further_than_needed():
    assert is_small({"a": [1, 2, {"b": 3}]}, 6)
    assert not is_small({"a": [1, 2, {"b": 3}]}, 5)
    assert not is_small(list(range(10**6)), 1000)
