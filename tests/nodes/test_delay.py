"""Waiting for a moment: which one a text names, and that nothing is held meanwhile."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestration.definition.validation import validate
from orchestration.nodes.base import NodeFailure
from orchestration.nodes.delay import WEEKDAYS, moment
from tests.engine_host import EngineHost, make_definition, start
from tests.workflows.factories import definition, node

FRIDAY_NOON = datetime(2026, 3, 27, 12, 0, tzinfo=UTC)  # two days before Europe's clocks change


@pytest.mark.parametrize(
    ("until", "zone", "weekdays", "expected"),
    [
        ("2026-03-28T09:00:00+02:00", "UTC", (), "2026-03-28T07:00:00+00:00"),
        ("2026-03-28T09:00:00Z", "Europe/Berlin", (), "2026-03-28T09:00:00+00:00"),
        ("2026-03-28 09:00", "Europe/Berlin", (), "2026-03-28T08:00:00+00:00"),
        ("2026-03-30 09:00", "Europe/Berlin", (), "2026-03-30T07:00:00+00:00"),  # summer time by then
        ("2026-03-29 02:30", "Europe/Berlin", (), "2026-03-29T01:30:00+00:00"),  # a time that the clocks skip
        ("2026-10-25 02:30", "Europe/Berlin", (), "2026-10-25T00:30:00+00:00"),  # one that comes twice: the first
        ("2026-03-28", "UTC", (), "2026-03-28T00:00:00+00:00"),
        ("13:30", "UTC", (), "2026-03-27T13:30:00+00:00"),
        ("12:00", "UTC", (), "2026-03-28T12:00:00+00:00"),
        ("09:00", "Europe/Berlin", ("monday",), "2026-03-30T07:00:00+00:00"),
        ("12:00", "UTC", ("friday",), "2026-04-03T12:00:00+00:00"),
        ("09:00", "America/New_York", WEEKDAYS[:5], "2026-03-27T13:00:00+00:00"),
        ("2020-01-01T00:00:00Z", "UTC", (), "2020-01-01T00:00:00+00:00"),
    ],
)
def test_a_text_names_a_moment(until: str, zone: str, weekdays: tuple[str, ...], expected: str) -> None:
    assert moment(until, zone, weekdays, after=FRIDAY_NOON).isoformat() == expected


@pytest.mark.parametrize(
    ("until", "zone", "weekdays", "words"),
    [
        ("tomorrow", "UTC", (), "write 2026-03-01"),
        ("2026-02-30 09:00", "UTC", (), "is no moment"),
        ("09:00", "Europe/Atlantis", (), "no time zone"),
        ("09:00", "../../etc/passwd", (), "no time zone"),
        ("09:00+01:00", "UTC", (), "takes its zone from time_zone"),
        ("2028-03-28 09:00", "UTC", (), "more than 366 days"),
        ("2026-03-28 09:00", "UTC", ("monday",), "go with a time of day"),
    ],
)
def test_what_is_no_moment_is_said_in_words(until: str, zone: str, weekdays: tuple[str, ...], words: str) -> None:
    with pytest.raises(NodeFailure, match=words):
        moment(until, zone, weekdays, after=FRIDAY_NOON)


@pytest.mark.parametrize("settings", [{}, {"seconds": 1, "until": "09:00"}, {"until": " "}])
def test_it_waits_for_one_thing(settings: dict[str, Any]) -> None:
    problems = validate(definition(node("a", settings=settings), node("b")), agents={})
    assert [problem.code for problem in problems] == ["invalid_setting"]
    assert "either seconds or until" in problems[0].message


@pytest.mark.django_db(transaction=True)
def test_a_run_waits_holding_nothing_and_goes_on_at_once_when_it_is_late(engine: EngineHost, organisation: Any) -> None:
    late = datetime.now(UTC) - timedelta(hours=1)
    soon = datetime.now(UTC) + timedelta(days=2)
    made = make_definition(
        [
            {"id": "late", "type": "delay", "settings": {"until": "{{ inputs.late }}"}},
            {"id": "soon", "type": "delay", "settings": {"until": "{{ inputs.soon }}"}},
        ],
        ["late -> soon"],
    )
    run = start(organisation, made, {"late": late.isoformat(), "soon": soon.isoformat()})
    engine.wait_for(run, "waiting")
    found = engine.wait_for_node(run, "late")
    assert found.outputs["seconds"] == 0
    engine.wait_for_node(run, "soon", "waiting")
    run.refresh_from_db()
    assert run.host_id is None and run.due_at == soon
