"""A list of objects as rows: typed, pasted as a table, pasted as JSON; nothing typed is lost."""

import pytest
from django.core.exceptions import ValidationError
from django.utils.datastructures import MultiValueDict

from portal.core.schema_forms import form_for
from portal.core.schema_tables import RowsField, columns_of

ITEMS = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "title": "Full name"},
        "amount": {"type": "number"},
        "count": {"type": "integer"},
        "urgent": {"type": "boolean"},
        "level": {"enum": ["low", "high", 3]},
    },
    "required": ["name"],
}
SCHEMA = {"type": "object", "properties": {"lines": {"type": "array", "items": ITEMS}}, "required": ["lines"]}


def field() -> RowsField:
    columns = columns_of(ITEMS)
    assert columns
    return RowsField(columns=columns)


def posted(**data: str):
    return form_for(SCHEMA, data=MultiValueDict({f"input-lines-{key}": [value] for key, value in data.items()}))


def test_rows_become_typed_objects():
    form = posted(
        **{
            "0-name": "Ann", "0-amount": "2.50", "0-count": "3", "0-urgent": "true", "0-level": "3",
            "1-name": "", "1-amount": "",
            "7-name": "Bob", "7-level": '"high"',
        }
    )  # fmt: skip
    assert form.is_valid(), form.errors
    assert form.values() == {
        "lines": [
            {"name": "Ann", "amount": 2.5, "count": 3, "urgent": True, "level": 3},
            {"name": "Bob", "urgent": False, "level": "high"},
        ]
    }


def test_faults_are_told_by_row_and_column_and_the_text_stays():
    form = posted(**{"0-name": "Ann", "0-amount": "much", "1-count": "1.5"})
    assert not form.is_valid()
    assert form.errors["lines"] == [
        "Row 1, Amount: a number is wanted, not much.",
        "Row 2, Full name is required.",
        "Row 2, Count: a whole number is wanted, not 1.5.",
    ]
    assert 'value="much"' in form.as_p()
    assert 'value="1.5"' in form.as_p()


def test_no_row_is_nothing():
    assert posted(**{"0-name": " "}).errors["lines"] == ["At least one row is needed."]


@pytest.mark.parametrize(
    "text",
    [
        "name,amount,urgent\nAnn,1.5,yes\n\nBob,,no\n",
        "Full name;Amount;Urgent\r\nAnn;1.5;x\r\nBob;;\r\n",
        "name\tamount\turgent\nAnn\t1.5\tTRUE\nBob\t\tfalse",
        '[{"name": "Ann", "amount": 1.5, "urgent": true}, {"name": "Bob", "urgent": false}]',
    ],
)
def test_tables_and_json_can_be_pasted(text):
    form = posted(text=text)
    assert form.is_valid(), form.errors
    assert form.values()["lines"] == [
        {"name": "Ann", "amount": 1.5, "urgent": True},
        {"name": "Bob", "urgent": False},
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nam,amount\nAnn,1", "must name the columns"),
        ("[{]", "line 1, column 3"),
        ("[1]", "list of objects"),
        ('[{"name": "Ann", "x": 1}]', "Row 1: there is no column x."),
        ("name,level\nAnn,medium", "one of low, high, 3 is wanted."),
    ],
)
def test_what_cannot_be_read_is_explained(text, told):
    with pytest.raises(ValidationError) as raised:
        field().clean(text)
    assert told in " ".join(raised.value.messages)
    assert text.split("\n")[0].replace('"', "&quot;") in posted(text=text).as_p()


def test_examples_fill_the_rows():
    form = form_for(SCHEMA, initial={"lines": [{"name": "Ann", "urgent": True, "level": "high", "amount": 0}]})
    html = form.as_p()
    assert 'value="Ann"' in html
    assert " checked" in html
    assert 'value="&quot;high&quot;" selected' in html
    assert 'value="0"' in html


@pytest.mark.parametrize(
    "items",
    [
        {"type": "string"},
        {"type": "object"},
        {"type": "object", "properties": {"a": {"type": "object"}}},
        {"type": "object", "properties": {f"c{i}": {"type": "string"} for i in range(9)}},
        {"type": "object", "properties": {"a": {"type": ["string", "null"]}}},
    ],
)
def test_what_is_not_flat_is_no_table(items):
    assert columns_of(items) is None
