"""`python -m tests.faults` notices when a promise is broken: its judge is given bad figures."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from orchestration.models import Definition, Run, RunEvent
from portal.core.models import Organisation
from tests.faults import __main__ as faults
from tests.faults.report import Report
from tests.portal_process import wait_for

EVENTS = ("RunStarted", "NodeStarted", "NodeSucceeded", "RunCompleted")


@pytest.fixture
def finished(organisation: Organisation) -> Run:
    return a_run(organisation)


def a_run(organisation: Organisation, status: str = "completed", events: tuple[str, ...] = EVENTS) -> Run:
    definition, _ = Definition.objects.get_or_create(digest="0" * 64, defaults={"body": {}})
    run = Run.objects.create(organisation=organisation, definition=definition, name="judged", status=status)
    for seq, type in enumerate(events, 1):
        node = "a" if type.startswith(("Node", "Attempt")) else ""
        RunEvent.objects.create(run=run, seq=seq, at=timezone.now(), type=type, node=node)
    return run


def judged(runs: list[Any], *, in_flight: int = 0, calls: dict[str, int] | None = None) -> Report:
    report = Report("judged", in_flight=in_flight)
    scene = SimpleNamespace(sink=SimpleNamespace(begun=lambda: calls or {}))
    report.count(scene, SimpleNamespace(accepted=runs))  # type: ignore[arg-type]
    report.judge()
    return report


@pytest.mark.django_db
def test_what_kept_every_promise_is_well(finished: Run) -> None:
    report = judged([finished.pk], calls={f"{finished.pk}/a": 1})
    assert report.broken == [] and report.as_json()["well"] is True
    assert (report.started, report.completed, report.repeated) == (1, 1, 0)


@pytest.mark.django_db
@pytest.mark.parametrize("status", ["failed", "running", "waiting", "cancelled", "queued"])
def test_a_run_that_did_not_complete_is_lost(organisation: Organisation, status: str) -> None:
    report = judged([a_run(organisation, status).pk])
    assert report.broken == ["no accepted run is lost"] and status in report.lost[0]


@pytest.mark.django_db
def test_a_run_that_was_accepted_and_is_not_there_is_lost(finished: Run) -> None:
    report = judged([finished.pk, uuid4()])
    assert report.broken == ["no accepted run is lost"] and (report.started, report.completed) == (2, 1)


@pytest.mark.django_db
def test_two_outcomes_of_a_step_are_found(organisation: Organisation) -> None:
    twice = a_run(organisation, events=("RunStarted", "NodeSucceeded", "NodeSucceeded", "RunCompleted"))
    assert judged([twice.pk]).broken == ["no step has two outcomes"]


@pytest.mark.django_db
def test_a_gap_in_the_numbers_of_events_is_found(finished: Run) -> None:
    RunEvent.objects.filter(run=finished, seq=2).delete()
    assert judged([finished.pk]).broken == ["events are numbered without a gap"]


@pytest.mark.django_db
def test_more_repeated_steps_than_were_in_flight_are_found(organisation: Organisation) -> None:
    again = a_run(organisation, events=("RunStarted", "AttemptAbandoned", "NodeSucceeded", "RunCompleted"))
    assert judged([again.pk], in_flight=1).broken == []
    assert judged([again.pk], in_flight=0).broken == ["only steps in flight are repeated"]


@pytest.mark.django_db
def test_doubled_effects_are_found(finished: Run) -> None:
    calls = {f"{finished.pk}/a": 2}
    assert judged([finished.pk], in_flight=1, calls=calls).broken == []
    assert judged([finished.pk], in_flight=0, calls=calls).broken == ["only effects in flight are doubled"]


@pytest.mark.django_db
def test_one_doubled_effect_of_an_at_most_once_step_is_one_too_many(finished: Run) -> None:
    report = judged([finished.pk], in_flight=9, calls={f"{finished.pk}/once0": 2})
    assert report.broken == ["no at-most-once effect is doubled"] and report.as_json()["at_most_once_doubled"] == 1


@pytest.mark.parametrize("holds", [True, False])
def test_a_broken_promise_is_told_by_the_exit_status(
    holds: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def inflict(name: str, *_: object) -> Report:
        report = Report(name)
        report.expect(holds, "the sky stays up")
        return report

    monkeypatch.setattr(faults, "inflict", inflict)
    assert faults.main(["--only", "zombie"]) == (0 if holds else 1)
    (line,) = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert (
        told["fault"] == "zombie"
        and told["well"] is holds
        and told.get("broken", []) == ([] if holds else ["the sky stays up"])
    )


def test_what_goes_wrong_on_the_way_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_scene(*_: object, **__: object) -> None:
        raise RuntimeError("no port is free")

    monkeypatch.setattr(faults, "scene", no_scene)
    report = faults.inflict("zombie", lambda *_: None, faults.parse([]))
    assert report.broken and "no port is free" in report.broken[0] and report.as_json()["well"] is False


def test_a_fault_that_hangs_is_ended_and_says_where_it_waits() -> None:
    begun = time.monotonic()
    with pytest.raises(AssertionError, match=r"not over after 1 s; it waits at portal_process\.py:\d+ wait_for"):
        with faults.bounded(1.0):
            wait_for(lambda: False, 60)
    assert time.monotonic() - begun < 60


def test_an_unknown_fault_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert faults.main(["--only", "plague"]) == 2
    assert "zombie" in capsys.readouterr().err
