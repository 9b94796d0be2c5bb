"""Two people who make a workflow of the same name in the same moment both have one."""

from __future__ import annotations

from functools import partial

import pytest

from orchestration.services.workflows import SlugTaken, create_workflow
from portal.core.actors import Actor
from portal.core.models import Organisation
from tests.two_at_once import together
from tests.workflows.factories import definition, node

pytestmark = pytest.mark.django_db(transaction=True)
BODY = definition(node("note", "set", settings={"variables": {"a": 1}}))


def test_of_the_same_name(organisation: Organisation) -> None:
    create = partial(create_workflow, organisation=organisation, definition=BODY, actor=Actor.command())
    assert [made.slug for made in together(create, create)] == ["a-workflow", "a-workflow-2"]


def test_with_the_same_slug(organisation: Organisation) -> None:
    create = partial(create_workflow, organisation=organisation, definition=BODY, actor=Actor.command(), slug="orders")
    first, second = together(create, create)
    assert first.slug == "orders" and isinstance(second, SlugTaken)
