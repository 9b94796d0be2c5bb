"""Reading the JSON out of what a model says, whatever it says."""

import pytest

from agents.llm import structured


@pytest.mark.parametrize(
    "said",
    [
        '{"a": 1}',
        'Here it is:\n```json\n{"a": 1}\n```\nAnything else?',
        '<think>{"a": 2}?</think> {"a": 1}',
        'It is {"a": 1}, I think.',
    ],
)
def test_an_answer_is_found_wherever_it_stands(said: str) -> None:
    assert structured.parse(said) == {"a": 1}


@pytest.mark.parametrize(
    "said", ["", "No.", '{"a": ', "[" * 100_000, "so: " + "[" * 100_000, "9" * 5_000, '{"a": 1' * 9]
)
def test_what_is_no_json_is_said_to_be_none(said: str) -> None:
    with pytest.raises(structured.Unreadable):
        structured.parse(said)
