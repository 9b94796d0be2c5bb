"""A form made from a schema gives back values that fit the schema, or says at the field what is wrong."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils.datastructures import MultiValueDict

from agents.contracts import data_faults
from portal.core.schema_forms import form_for
from tests.agents.factories import schema

EVERYTHING = schema(
    ("document", "size"),
    document={"type": "string", "description": "The contract."},
    title={"type": "string", "maxLength": 80},
    size={"enum": ["small", "large"]},
    level={"enum": [1, 2, 3, 4, 5], "default": 2},
    amount={"type": "number", "exclusiveMinimum": 0},
    count={"type": "integer", "minimum": 1},
    urgent={"type": "boolean"},
    due={"type": "string", "format": "date"},
    at={"type": "string", "format": "date-time"},
    mail={"type": "string", "format": "email"},
    words={"type": "array", "items": {"type": "string"}},
    parts={"type": "array", "items": {"enum": ["a", "b", "c"]}},
    lines={"type": "array", "items": schema(("price",), price={"type": "number"})},
    scan={"type": "string", "contentEncoding": "base64", "contentMediaType": "application/pdf"},
)


def filled(wanted: dict[str, Any], files: dict[str, Any] | None = None, **data: Any):
    posted = MultiValueDict(
        {f"input-{key}": value if isinstance(value, list) else [value] for key, value in data.items()}
    )
    uploads = MultiValueDict({f"input-{key}": [value] for key, value in (files or {}).items()})
    return form_for(wanted, data=posted, files=uploads, check=data_faults)


def test_every_kind_of_value_comes_back_with_its_type():
    form = filled(
        EVERYTHING,
        files={"scan": SimpleUploadedFile("a.pdf", b"%PDF")},
        document="first\r\nsecond ", title="T", size='"large"', level="3", amount="5", count="2", urgent="on",
        due="2026-05-31", at="2026-05-31T12:00", mail="a@example.org",
        words="one\n\ntwo", parts=['"a"', '"c"'], lines='[{"price": 1.5}]',
    )  # fmt: skip
    assert form.is_valid(), form.errors
    assert form.values() == {
        "document": "first\nsecond ", "title": "T", "size": "large", "level": 3, "amount": 5, "count": 2,
        "urgent": True, "due": "2026-05-31", "at": "2026-05-31T12:00:00+00:00", "mail": "a@example.org",
        "words": ["one", "two"], "parts": ["a", "c"], "lines": [{"price": 1.5}], "scan": "JVBERg==",
    }  # fmt: skip
    assert data_faults(EVERYTHING, form.values()) == []


def test_what_is_left_empty_is_absent():
    form = filled(EVERYTHING, document="x", size='"small"')
    assert form.is_valid(), form.errors
    assert form.values() == {"document": "x", "size": "small", "urgent": False}


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("document", "", "required"),
        ("size", '"huge"', "valid choice"),
        ("amount", "0", "more than 0"),
        ("count", "0", "greater than or equal to 1"),
        ("lines", "[{]", "line 1, column 3"),
        ("lines", '[{"price": "x"}]', "Row 1, Price: a number is wanted, not x."),
        ("words", "[1, 2", "begins like a JSON list"),
        ("due", "soon", "valid date"),
    ],
)
def test_faults_stand_at_their_field(field: str, value: str, words: str):
    form = filled(EVERYTHING, **{"document": "x", "size": '"small"', field: value})
    assert not form.is_valid()
    assert words in form.errors[field][0]


def test_required_objects_become_their_fields_and_others_json():
    wanted = schema(
        ("to",), to=schema(("city",), city={"type": "string", "maxLength": 50}), extra=schema(a={"type": "string"})
    )
    form = filled(wanted, **{"to.city": "Bern", "extra": '{"a": "b"}'})
    assert form.is_valid(), form.errors
    assert form.values() == {"to": {"city": "Bern"}, "extra": {"a": "b"}}


def test_a_schema_without_properties_takes_the_object_as_json():
    form = filled({"type": "object"}, values='{"anything": [1]}')
    assert form.is_valid()
    assert form.values() == {"anything": [1]}
    assert not filled({"type": "object"}, values="[1]").is_valid()
    assert filled({"type": "object"}, values="").is_valid()


def test_initial_values_and_defaults_are_shown():
    form = form_for(
        EVERYTHING, initial={"size": "large", "words": ["a", "b"], "lines": [{"price": 1}], "document": "text"}
    )
    html = form.as_p()
    assert (
        '<input type="radio" name="input-size" value="&quot;large&quot;" required id="id_input-size_1" checked>' in html
    )
    assert '<option value="2" selected>' in html
    assert "a\nb</textarea>" in html
    assert 'name="input-lines-0-price"' in html


def test_references_are_followed():
    wanted = {
        **schema(("word",), word={"$ref": "#/$defs/word", "title": "Your word"}),
        "$defs": {"word": {"enum": ["x", "y"]}},
    }
    form = form_for(wanted)
    assert form.fields["word"].label == "Your word"
    assert [choice[1] for choice in form.fields["word"].choices] == ["x", "y"]


def test_files_are_offered_where_much_text_is_meant():
    def offers(*properties):
        form = form_for(schema(**dict(properties)))
        return {name: "data-file-drop" in field.widget.attrs for name, field in form.fields.items()}

    text, document = {"type": "string"}, {"type": "string", "contentMediaType": "text/plain"}
    short = {"type": "string", "maxLength": 40}
    assert offers(("rfp", text), ("client", short)) == {"rfp": True, "client": False}
    assert offers(("a", text), ("b", text), ("doc", document)) == {"a": False, "b": False, "doc": True}


def test_what_may_be_text_or_something_else_takes_both():
    wanted = schema(
        a={},
        b={"type": ["string", "array", "null"]},
        c={"anyOf": [{"type": "string"}, {"type": "number"}]},
        d={"type": "array"},
    )
    form = filled(wanted, a="plain\r\nwords", b='["x"]', c="3", d="[1]")
    assert form.is_valid(), form.errors
    assert form.values() == {"a": "plain\nwords", "b": ["x"], "c": 3, "d": [1]}
    assert "d" in filled(wanted, d="plain words").errors
    assert "plain words</textarea>" in form_for(wanted, initial={"a": "plain words"}).as_p()
