"""`manage.py run`: what is typed on a command line becomes the inputs that a workflow declares."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from orchestration.models import Run
from tests.factories import make_organisation
from tests.workflows import factories as make

pytestmark = pytest.mark.django_db
ORDER = {
    "type": "object",
    "properties": {"order": {"type": "string"}, "amount": {"type": "number"}, "more": {}},
    "required": ["order"],
}


@pytest.fixture
def slug() -> str:
    make.published(make_organisation("acme"), make.definition(inputs=ORDER), slug="order-desk")
    return "order-desk"


def run(wanted: str, *inputs: str) -> Any:
    given = [word for text in inputs for word in ("--input", text)]
    call_command("run", wanted, "--org", "acme", *given, stdout=StringIO(), stderr=StringIO())
    return Run.objects.get().inputs


def test_what_is_declared_as_text_stays_as_it_was_typed(slug: str) -> None:
    found = run(slug, "order=0042", "amount=7.5", 'more={"a": 1}')
    assert found == {"order": "0042", "amount": 7.5, "more": {"a": 1}}


def test_the_same_with_a_file(slug: str, tmp_path: Any) -> None:
    file = tmp_path / "order.json"
    file.write_text(json.dumps(make.definition(inputs=ORDER)))
    assert run(str(file), "order=7", "more=true") == {"order": "7", "more": True}


def test_a_single_problem_is_told_once_and_several_in_a_list(slug: str) -> None:
    with pytest.raises(CommandError) as one:
        run(slug, "amount=7")
    assert str(one.value) == "The inputs are not right: $.order: is required."
    with pytest.raises(CommandError) as several:
        run(slug, "amount=x")
    assert [line.split(":")[0] for line in str(several.value).splitlines()[1:]] == ["  $.amount", "  $.order"]
