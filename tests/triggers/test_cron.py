"""Schedules that start workflows: in time, once, whatever goes wrong."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections

from orchestration.models import Run, Trigger, TriggerFire
from orchestration.services import clearing, firing, schedules, triggers, workflows
from portal.core import clock
from portal.core.actors import Actor
from portal.core.models import AuditEntry, Organisation
from tests.cast import Cast
from tests.engine_host import wait_until
from tests.triggers.factories import new, trigger, workflow

pytestmark = pytest.mark.django_db(transaction=True)


def make_due(cron: Trigger, due: datetime) -> None:
    Trigger.objects.filter(pk=cron.pk).update(next_at=due)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_it_starts_the_published_version_at_its_time(cast: Cast) -> None:
    cron = trigger(workflow(cast.organisation), "cron")
    assert cron.next_at is not None and cron.next_at > datetime.now(UTC)
    make_due(cron, utc("2026-05-01T07:00"))
    assert schedules.fire_due(utc("2026-05-01T06:59:59")) == 0
    assert schedules.fire_due(utc("2026-05-01T07:00:01")) == 1
    run = Run.objects.get()
    assert (run.source, run.trigger, run.started_by) == ("cron", cron, None)
    assert run.inputs == {"order": "of 2026-05-01T09:00:00+02:00"}
    fired = TriggerFire.objects.get()
    assert (fired.outcome, fired.run, fired.due_at) == ("started", run, utc("2026-05-01T07:00"))
    cron.refresh_from_db()
    assert cron.next_at == utc("2026-05-02T07:00")


def test_a_host_fires_it_within_moments(engine: Any, cast: Cast) -> None:
    cron = trigger(workflow(cast.organisation), "cron")
    make_due(cron, datetime.now(UTC) - timedelta(seconds=1))
    run = wait_until(Run.objects.first, 10, "a run")
    engine.wait_for(run)


def test_hosts_that_fire_at_the_same_moment_start_one_run(cast: Cast) -> None:
    flow, now = workflow(cast.organisation), utc("2026-05-01T07:00:01")
    due = [trigger(flow, "cron", name=f"t{n}", settings={"expression": "* * * * *"}) for n in range(5)]
    for cron in due:
        make_due(cron, utc("2026-05-01T07:00"))
    begin, errors = threading.Barrier(4), list[BaseException]()

    def host() -> None:
        try:
            begin.wait()
            for _ in range(3):
                schedules.fire_due(now)
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    hosts = [threading.Thread(target=host) for _ in range(4)]
    for thread in hosts:
        thread.start()
    for thread in hosts:
        thread.join()
    assert not errors
    assert Run.objects.count() == TriggerFire.objects.count() == 5


def test_the_same_due_time_never_starts_two_runs(cast: Cast) -> None:
    """Even if somebody sets the clock back."""
    cron = trigger(workflow(cast.organisation), "cron")
    for _ in range(2):
        make_due(cron, utc("2026-05-01T07:00"))
        schedules.fire_due(utc("2026-05-01T07:00:30"))
    assert Run.objects.count() == 1


@pytest.mark.parametrize(("missed", "started"), [("skip", 0), ("once", 1), ("all", 3)])
def test_after_a_time_without_an_engine(cast: Cast, missed: str, started: int) -> None:
    cron = trigger(workflow(cast.organisation), "cron", settings={"missed": missed})
    make_due(cron, utc("2026-05-01T07:00"))
    schedules.fire_due(utc("2026-05-03T12:00"))
    assert Run.objects.count() == started
    skipped = TriggerFire.objects.filter(outcome="skipped").first()
    assert (skipped.count if skipped else 0) == 3 - started
    assert skipped is None or "engine" in skipped.reason
    cron.refresh_from_db()
    assert cron.next_at == utc("2026-05-04T07:00")


def test_what_is_switched_off_does_not_fire_and_has_missed_nothing_when_on_again(cast: Cast) -> None:
    cron, actor = trigger(workflow(cast.organisation), "cron"), Actor.command()
    triggers.set_enabled(trigger=cron, enabled=False, actor=actor)
    cron.refresh_from_db()
    assert cron.next_at is None
    assert schedules.fire_due(utc("2030-01-01T00:00")) == 0
    on = triggers.set_enabled(trigger=cron, enabled=True, actor=actor)
    assert on.next_at > clock.database_now()
    verbs = AuditEntry.objects.filter(verb__startswith="orchestration.trigger").order_by("id")
    assert [entry.verb.rpartition(".")[2] for entry in verbs] == ["created", "disabled", "enabled"]


def test_a_run_still_under_way_can_keep_it_from_starting_the_next(cast: Cast) -> None:
    cron = trigger(workflow(cast.organisation), "cron", most_unfinished=1)
    for day in ("01", "02"):
        make_due(cron, utc(f"2026-05-{day}T07:00"))
        schedules.fire_due(utc(f"2026-05-{day}T07:00:01"))
    assert Run.objects.count() == 1
    assert "still under way" in TriggerFire.objects.get(outcome="skipped").reason


def test_a_fire_that_fails_is_told_with_the_place_and_switches_off_in_the_end(cast: Cast) -> None:
    flow = workflow(cast.organisation)
    cron = trigger(flow, "cron", inputs={"order": "a", "amount": "{{ due_at }}"})
    for day in range(1, firing.DISABLE_AFTER["cron"] + 2):
        Trigger.objects.filter(pk=cron.pk, enabled=True).update(next_at=utc(f"2026-05-{day:02}T07:00"))
        schedules.fire_due(utc(f"2026-05-{day:02}T07:00:01"))
    assert not Run.objects.exists()
    fires = TriggerFire.objects.order_by("id")
    assert len(fires) == firing.DISABLE_AFTER["cron"]
    assert fires[0].outcome == "failed" and fires[0].problems[0]["path"] == "$.amount"
    cron.refresh_from_db()
    assert not cron.enabled and "10 times in a row" in cron.disabled_because and cron.next_at is None
    assert AuditEntry.objects.filter(verb="orchestration.trigger.disabled").exists()


def test_a_pinned_version_stays(cast: Cast) -> None:
    flow = workflow(cast.organisation)
    first = flow.published
    cron = trigger(flow, "cron", version=first)
    body = {**flow.draft, "name": "Renamed"}
    workflows.save_draft(workflow=flow, definition=body, revision=flow.draft_revision, actor=Actor.command())
    flow.refresh_from_db()
    workflows.publish(workflow=flow, actor=Actor.command())
    make_due(cron, utc("2026-05-01T07:00"))
    schedules.fire_due(utc("2026-05-01T07:00:01"))
    assert Run.objects.get().version == first


def test_an_archived_workflow_is_not_started(cast: Cast) -> None:
    flow = workflow(cast.organisation)
    cron = trigger(flow, "cron")
    workflows.archive(workflow=flow, actor=Actor.command())
    make_due(cron, utc("2026-05-01T07:00"))
    schedules.fire_due(utc("2026-05-01T07:00:01"))
    assert "archived" in TriggerFire.objects.get(outcome="failed").reason


def test_a_fault_of_ours_is_told_and_does_not_come_again_each_second(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    cron = trigger(workflow(cast.organisation), "cron")
    make_due(cron, utc("2026-05-01T07:00"))

    def broken(*args: Any, **more: Any) -> None:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(schedules.firing, "fire", broken)
        schedules.fire_due(utc("2026-05-01T07:00:01"))
    assert TriggerFire.objects.get().outcome == "failed"
    assert schedules.fire_due(utc("2026-05-01T07:00:02")) == 0
    cron.refresh_from_db()
    assert cron.next_at == utc("2026-05-02T07:00")


@pytest.mark.parametrize(
    ("kind", "more", "path"),
    [
        ("cron", {"settings": {"expression": "99 * * * *"}}, "$.settings"),
        ("cron", {"settings": {"missed": "perhaps"}}, "$.settings.missed"),
        ("cron", {"inputs": {}}, "$.inputs.order"),
        ("cron", {"inputs": {"order": 5}}, "$.inputs.order"),
        ("cron", {"inputs": {"order": "{{ body.x }}"}}, "$.inputs.order"),
        ("webhook", {"inputs": {"order": "{{ body. }}"}}, "$.inputs.order"),
        ("webhook", {"settings": {"per_minute": 0}}, "$.settings.per_minute"),
        ("event", {"settings": {"filter": "data.x > 1"}}, "$.settings"),
        ("event", {"settings": {"event": "a b"}}, "$.settings"),
        ("event", {"name": " "}, "$.name"),
    ],
)
def test_what_is_wrong_is_refused_when_it_is_saved(cast: Cast, kind: str, more: dict[str, Any], path: str) -> None:
    with pytest.raises(triggers.InvalidTrigger) as refused:
        new(workflow(cast.organisation), kind, **more)
    assert [problem["path"] for problem in refused.value.problems] == [path]
    assert not Trigger.objects.exists()


def test_a_rehearsal_shows_the_inputs_and_starts_nothing(cast: Cast) -> None:
    flow = workflow(cast.organisation)
    hook = trigger(flow, "webhook", inputs={"order": "{{ body.order }}", "amount": "{{ body.amount }}"})
    good = triggers.rehearse(hook, {"body": {"order": "a", "amount": 5}})
    assert (good.inputs, good.problems) == ({"order": "a", "amount": 5}, [])
    assert triggers.rehearse(hook, {"body": {"order": "a", "amount": "b"}}).problems[0]["path"] == "$.amount"
    assert triggers.rehearse(hook, {"body": {}}).problems[0]["path"] == "$.order"
    assert not Run.objects.exists() and not TriggerFire.objects.exists()


def test_a_test_run_is_real_and_marked(cast: Cast) -> None:
    hook = trigger(workflow(cast.organisation), "event", enabled=False)
    fired = triggers.test_run(trigger=hook, sample={"event": {"data": {"order": "a"}}}, actor=Actor.command())
    assert fired.test and fired.run.inputs == {"order": "a"} and fired.run.trigger == hook


def test_old_fires_are_cleared_away(cast: Cast) -> None:
    cron = trigger(workflow(cast.organisation), "cron")
    make_due(cron, utc("2026-05-01T07:00"))
    schedules.fire_due(utc("2026-05-01T07:00:01"))
    TriggerFire.objects.update(at=utc("2020-01-01T00:00"))
    assert clearing.clear_bus() == 1


def test_one_that_cannot_be_read_any_more_is_switched_off_and_the_others_fire(cast: Cast) -> None:
    flow = workflow(cast.organisation)
    gone, good = (trigger(flow, "cron", name=name) for name in ("gone", "good"))
    make_due(gone, utc("2026-05-01T06:59"))
    make_due(good, utc("2026-05-01T07:00"))
    Trigger.objects.filter(pk=gone.pk).update(settings={"expression": "0 9 * * *", "timezone": "Gone/Away"})
    schedules.fire_due(utc("2026-05-01T07:00:01"))
    assert Run.objects.get().trigger == good
    gone.refresh_from_db()
    assert (gone.enabled, gone.next_at) == (False, None)
    assert "'Gone/Away' is no time zone" in gone.disabled_because
    assert AuditEntry.objects.filter(verb="orchestration.trigger.disabled", target_id=str(gone.pk)).exists()


def test_one_that_fails_at_everything_does_not_keep_the_others_from_their_time(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = workflow(cast.organisation)
    bad, good = (trigger(flow, "cron", name=name) for name in ("bad", "good"))
    make_due(bad, utc("2026-05-01T06:59:30"))
    make_due(good, utc("2026-05-01T07:00"))
    occasion = schedules.occasion

    def fails(settings: Any, due: datetime, now: datetime) -> Any:
        if due == utc("2026-05-01T06:59:30"):
            raise RuntimeError("a bug of ours")
        return occasion(settings, due, now)

    monkeypatch.setattr(schedules, "occasion", fails)
    assert schedules.fire_due(utc("2026-05-01T07:00:01")) == 1
    assert Run.objects.get().trigger == good


def test_in_an_organisation_that_is_switched_off_times_pass_by(cast: Cast) -> None:
    cron = trigger(workflow(cast.organisation), "cron", settings={"missed": "all"})
    make_due(cron, utc("2026-05-01T07:00"))
    Organisation.objects.filter(pk=cast.organisation.pk).update(is_active=False)
    schedules.fire_due(utc("2026-05-01T07:00:01"))
    cron.refresh_from_db()
    assert cron.next_at == utc("2026-05-02T07:00")
    assert not Run.objects.exists() and not TriggerFire.objects.exists()
