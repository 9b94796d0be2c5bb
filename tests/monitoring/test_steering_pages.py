"""The pages on which people steer a run work as forms alone: what would happen is shown, then a POST does it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from orchestration.models import Run, RunSignal
from orchestration.services import new_runs, runs
from portal.core.actors import Actor
from portal.core.models import Organisation
from tests.driver.test_runs import scripted
from tests.driver.test_steering import published
from tests.engine_host import EngineHost, make_definition
from tests.factories import make_member

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("scripted_nodes")]


@pytest.fixture
def operator(organisation: Organisation) -> Client:
    client = Client()
    client.force_login(make_member(organisation, "operator"))
    return client


@pytest.fixture
def run(engine: EngineHost, organisation: Organisation) -> Run:
    """Waits at b; a newer version has one step more."""
    more: dict[str, Any] = {"variables": {"n": {"type": "integer", "default": 1}}}
    steps = [
        scripted("a", outputs={"v": 1}),
        {"id": "b", "type": "delay", "settings": {"seconds": 3600}},
        scripted("c"),
    ]
    old = make_definition(steps, ["a -> b", "b -> c"], **more)
    new = make_definition([*steps, scripted("extra")], ["a -> b", "b -> c", "c -> extra"], **more)
    first, _ = published(organisation, old, new)
    started = new_runs.start_run(
        new_runs.NewRun(organisation=organisation, actor=Actor.command(), version=first, inputs={"who": "ada"})
    )
    return engine.wait_for(started, "waiting")


def url(run: Run, name: str, *more: str) -> str:
    return reverse(f"runs:{name}", args=[run.organisation.slug, run.pk, *more])


def test_the_run_page_offers_what_can_be_done(operator: Client, run: Run) -> None:
    text = operator.get(url(run, "detail") + "?step=b").content.decode()
    for address in (
        url(run, "rerun"),
        url(run, "variables"),
        url(run, "move"),
        url(run, "steer_step", "b", "skip"),
        url(run, "steer_step", "b", "override"),
    ):
        assert address in text
    assert "Move to version 2" in text


def test_an_override_is_a_form(operator: Client, run: Run, engine: EngineHost) -> None:
    page = url(run, "steer_step", "b", "override")
    assert "Override: b" in operator.get(page).content.decode()
    wrong = operator.post(page, {"outputs": "{not json", "port": "out"})
    assert wrong.status_code == 422 and "This is not JSON: line 1" in wrong.content.decode()
    assert 'aria-invalid="true"' in wrong.content.decode() and "{not json" in wrong.content.decode()
    assert operator.post(page, {"outputs": "{}", "port": "out", "reason": "known"}).status_code == 302
    engine.wait_for(run)
    assert RunSignal.objects.get(run=run).reason == "known"
    assert operator.get(url(run, "steer_step", "b", "nonsense")).status_code == 404


def test_variables_are_a_form(operator: Client, run: Run, engine: EngineHost) -> None:
    page = url(run, "variables")
    form = operator.get(page).context["form"]
    name = form["n"].html_name
    assert operator.post(page, {name: "5", "seen": json.dumps({"n": 1})}).status_code == 302
    stale = operator.post(page, {name: "6", "seen": json.dumps({"n": 1})})
    assert stale.status_code == 409
    emptied = operator.post(page, {name: "", "reason": "no more", "seen": json.dumps({"n": 5})})
    assert emptied.status_code == 422 and emptied.context["form"].errors == {
        "n": ["Must be a whole number, but is null."]
    }
    assert "no more" in emptied.text


def test_moving_shows_a_dry_run_first(operator: Client, run: Run, engine: EngineHost) -> None:
    text = operator.get(url(run, "move")).content.decode()
    assert "Move to version 2" in text and "extra" in text and "Possible" in text
    assert operator.post(url(run, "move"), {"version": "2"}).status_code == 302
    engine.wait_for_node(run, "b", "waiting")
    detail = reverse("workflows:detail", args=[run.organisation.slug, "way"])
    assert operator.get(detail).status_code == 200


def test_publishing_tells_of_runs_under_way(operator: Client, run: Run) -> None:
    text = operator.get(reverse("workflows:detail", args=[run.organisation.slug, "way"])).content.decode()
    assert "1 run goes on with version 1" in text


def test_a_rerun_shows_its_plan_and_starts_what_it_showed(operator: Client, run: Run, engine: EngineHost) -> None:
    page = url(run, "rerun")
    assert "Choose a step" in operator.get(page).content.decode()
    shown = operator.get(page + "?node=c")
    text = shown.content.decode()
    assert "Happens again" in text and "Reused" in text
    digest = shown.context["prepared"].digest
    stale = operator.post(page, {"node": "c", "action": "start", "plan": "another"})
    assert stale.status_code == 409 and "Look at it again" in stale.content.decode()
    edited = {"node": "b", "outputs": '{"a": {"v": 2}}', "variables": '{"n": "x"}'}
    assert operator.post(page, {**edited, "action": "plan"}).status_code == 422
    assert operator.post(page, {"node": "c", "action": "start", "plan": digest}).status_code == 302
    made = Run.objects.get(origin=run)
    assert made.origin_node == "c"
    engine.wait_for(made, "waiting")
    text = operator.get(url(made, "detail") + "?step=a").content.decode()
    assert "Reused, not done again" in text and "A re-run of" in text
    assert str(made.pk)[:8] in operator.get(url(run, "detail")).content.decode()


def test_a_rerun_says_what_it_will_not_undo(operator: Client, organisation: Any, engine: EngineHost) -> None:
    steps = [{**scripted("book"), "compensate_with": "release"}, scripted("release"), scripted("pay")]
    first, _ = published(organisation, make_definition(steps, ["book -> pay"]), make_definition(steps))
    run = new_runs.start_run(
        new_runs.NewRun(organisation=organisation, actor=Actor.command(), version=first, inputs={})
    )
    engine.wait_for(run)
    text = operator.get(url(run, "rerun") + "?node=pay").content.decode()
    assert "What stays as it is" in text and "not undone by the new run" in text
    text = operator.get(url(run, "rerun") + "?node=book").content.decode()
    assert "done once more" in text and "not undone by the new run" not in text


def test_an_undoing_that_was_stopped_says_what_it_has_not_done(
    operator: Client, organisation: Organisation, engine: EngineHost
) -> None:
    steps = [
        {**scripted("hotel"), "compensate_with": "cancel"},
        scripted("cancel"),
        {**scripted("seat"), "compensate_with": "release"},
        scripted("release", seconds=3600),
        scripted("hold", waits=True),
    ]
    definition = make_definition(steps, ["hotel -> seat", "seat -> hold"])
    run = new_runs.start_run(
        new_runs.NewRun(organisation=organisation, actor=Actor.command(), definition=definition, inputs={})
    )
    engine.wait_for(run, "waiting")
    runs.cancel_run(run=run, actor=Actor.command(), undo=True)
    engine.wait_for_node(run, "release", "running")
    assert "Stopped: hold." in operator.get(url(run, "detail")).content.decode()
    runs.cancel_run(run=run, actor=Actor.command())
    engine.wait_for(run, "cancelled")
    text = operator.get(url(run, "detail")).content.decode()
    assert "Not undone: seat, hotel." in text and "Not done" in text and "Not needed" not in text


def test_a_retry_shows_first_what_it_does(run: Run, operator: Client, engine: EngineHost) -> None:
    assert "cannot be retried" in operator.get(url(run, "retry_plan"), follow=True).content.decode()
    runs.cancel_run(run=run, actor=Actor.command())
    engine.wait_for(run, "cancelled")
    assert url(run, "retry_plan") in operator.get(url(run, "detail")).content.decode()
    page = operator.get(url(run, "retry_plan")).content.decode()
    assert page.index("Happens again") < page.index(">b<") < page.index("Reused") < page.index(">a<")
    assert run.signals.filter(kind="retry").count() == 0
    operator.post(url(run, "retry"))
    engine.wait_for(run, "waiting")
