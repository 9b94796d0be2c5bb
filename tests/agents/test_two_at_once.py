"""Two people who make an agent of the same slug in the same moment: the second is told."""

from __future__ import annotations

from functools import partial

import pytest

from agents.models import Agent
from agents.services.registry import SlugTaken
from tests.agents import factories
from tests.two_at_once import together

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_second_is_told_that_there_is_one_already() -> None:
    create = partial(factories.agent, factories.organisation())
    first, second = together(create, create)
    assert not isinstance(first, SlugTaken) and isinstance(second, SlugTaken)
    assert Agent.objects.get().slug == "echo"
