"""Two people who give two triggers one name in the same moment: the second is told."""

from __future__ import annotations

from functools import partial

import pytest

from orchestration.models import Trigger
from orchestration.services.triggers import TriggerNameTaken, Wanted, change_trigger
from portal.core.actors import Actor
from tests.cast import Cast
from tests.triggers.factories import ORDER, SETTINGS, trigger, workflow
from tests.two_at_once import together

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_second_is_told_that_the_name_is_taken(cast: Cast) -> None:
    flow = workflow(cast.organisation)
    wanted = Wanted(name="daily", settings=SETTINGS["cron"], inputs=ORDER["cron"])
    acts = [
        partial(change_trigger, trigger=trigger(flow, "cron", name=name), wanted=wanted, actor=Actor.command())
        for name in ("a", "b")
    ]
    first, second = together(*acts)
    assert first.name == "daily" and isinstance(second, TriggerNameTaken)
    assert sorted(Trigger.objects.values_list("name", flat=True)) == ["b", "daily"]
