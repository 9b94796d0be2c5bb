"""A step that has failed for good asks a person, who tries again, mends it, gives a value, or lets it fail."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from approvals import queries
from approvals.models import ApprovalRequest, Decision
from approvals.services import decisions
from orchestration.definition.validation import validate
from orchestration.models import Definition, NodeRun, Run, RunEvent
from orchestration.monitoring.queries import reasons
from orchestration.queries.contracts import contracts
from orchestration.services import runs
from portal.core.actors import Actor
from portal.core.models import AuditEntry, User
from tests.agents import factories
from tests.cast import Cast
from tests.driver.scripted import CALLS, registered
from tests.driver.test_runs import scripted
from tests.engine_host import EngineHost, event_types, make_definition, raw_connection, start, wait_until
from tests.factories import bearer, make_token

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def scripted_type() -> Any:
    with registered():
        yield


def escalating(then: str = "b", **settings: Any) -> Any:
    node = {**scripted("a", **{"fail_times": 1, "retryable": False, **settings}), "escalate": {"role": "operator"}}
    return make_definition([node, scripted(then)], [f"a -> {then}"], outputs={"a": "{{ a.outputs }}"})


def asked_by(run: Run) -> ApprovalRequest:
    found = ApprovalRequest.objects.filter(run=run, kind="escalation", status="open")
    wait_until(found.exists, 10, "a person to be asked")
    return found.select_related("organisation", "run", "run__definition").get()


def decide(asked: ApprovalRequest, user: User, option: str, **more: Any) -> Decision:
    actor = Actor(user=user, label=user.username, channel="web")
    return decisions.decide(request=asked, user=user, actor=actor, option=option, **more)


def test_the_request_shows_what_went_wrong_and_waits_for_the_role(engine: EngineHost, cast: Cast) -> None:
    run = start(cast.organisation, escalating())
    asked = asked_by(run)
    assert (asked.title, asked.assignee_role) == ("“a” has failed", "operator")
    assert [block["label"] for block in asked.context] == ["What went wrong", "What it was given"]
    assert "As scripted." in asked.context[0]["value"] and "after one try" in asked.context[0]["value"]
    run = engine.wait_for(run, "waiting")
    assert run.host_id is None, "it holds nothing"
    assert "to say how it goes on" in reasons(run)[0].text
    assert asked in queries.waiting_for(cast.by_role["operator"], cast.organisation)
    assert asked not in queries.waiting_for(cast.by_role["approver"], cast.organisation)


def test_trying_again(engine: EngineHost, cast: Cast) -> None:
    run = start(cast.organisation, escalating())
    decide(asked_by(run), cast.by_role["operator"], "retry", comment="It was the network.")
    assert engine.wait_for(run).outputs == {"a": {}}
    assert CALLS[f"{run.pk}/a"] == 2
    answered = RunEvent.objects.get(run=run, type="EscalationAnswered").data
    assert (answered["action"], answered["comment"], answered["by"]) == ("retry", "It was the network.", "operator")
    assert AuditEntry.objects.filter(verb="approvals.request.decided").count() == 1


def test_trying_again_with_other_settings(engine: EngineHost, cast: Cast) -> None:
    run = start(cast.organisation, escalating(fail_times=9))
    settings = {"fail_times": 0, "outputs": {"mended": "{{ not a template }}"}}
    decide(asked_by(run), cast.by_role["operator"], "retry_with", values={"settings": settings})
    assert engine.wait_for(run).outputs == {"a": {"mended": "{{ not a template }}"}}
    assert NodeRun.objects.get(run=run, node="a").inputs["fail_times"] == 0


def test_going_on_with_a_value(engine: EngineHost, cast: Cast) -> None:
    run = start(cast.organisation, escalating())
    decide(asked_by(run), cast.by_role["operator"], "skip", values={"outputs": {"n": 42}})
    assert engine.wait_for(run).outputs == {"a": {"n": 42}}
    assert CALLS[f"{run.pk}/a"] == 1


def test_letting_it_fail(engine: EngineHost, cast: Cast) -> None:
    run = start(cast.organisation, escalating())
    decide(asked_by(run), cast.by_role["operator"], "fail")
    assert engine.wait_for(run, "failed").error["code"] == "scripted"


@pytest.mark.parametrize(
    ("option", "values", "part"),
    [
        ("retry_with", {"settings": {"fail_tims": 1}}, "$.settings.fail_tims"),
        ("retry_with", {}, "$.settings: must be an object"),
        ("skip", {}, "$.outputs: is required"),
        ("skip", {"outputs": 1, "port": "nowhere"}, "$.port: must be one of out"),
        ("explode", None, "There is no option"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused_with_its_place(
    engine: EngineHost, cast: Cast, option: str, values: Any, part: str
) -> None:
    asked = asked_by(start(cast.organisation, escalating()))
    with pytest.raises(decisions.InvalidDecision, match=re.escape(part)):
        decide(asked, cast.by_role["operator"], option, values=values)
    assert ApprovalRequest.objects.get(pk=asked.pk).open


def test_an_agents_contract_is_kept_by_what_a_person_puts_in(engine: EngineHost, cast: Cast) -> None:
    text = {"type": "string"}
    draft = factories.python_draft(
        "echo",
        input_schema=factories.schema(("document",), document=text),
        output_schema=factories.schema(("sum",), sum={"type": "number"}),
    )
    factories.agent(cast.organisation, "reader", draft)
    node = {
        "id": "a",
        "type": "agent",
        "settings": {"agent": "reader", "inputs": {"document": "{{ inputs.text }}"}},
        "escalate": {"role": "operator"},
    }
    run = start(cast.organisation, make_definition([node]), {"text": "x"})
    asked, operator = asked_by(run), cast.by_role["operator"]
    with pytest.raises(decisions.InvalidDecision, match=re.escape("$.settings.inputs.document: must be text")):
        decide(asked, operator, "retry_with", values={"settings": {"agent": "reader", "inputs": {"document": 7}}})
    with pytest.raises(decisions.InvalidDecision, match=re.escape("$.outputs.sum: is required")):
        decide(asked, operator, "skip", values={"outputs": {}})
    decide(asked, operator, "skip", values={"outputs": {"sum": 3}})
    engine.wait_for(run)


def test_a_step_that_is_stopped_asks_nobody_any_more(engine: EngineHost, cast: Cast) -> None:
    run = start(cast.organisation, escalating())
    asked = asked_by(run)
    runs.cancel_run(run=run, actor=Actor.command())
    engine.wait_for(run, "cancelled")
    asked.refresh_from_db()
    assert (asked.status, asked.closed_because) == ("withdrawn", "the step was stopped")
    with pytest.raises(decisions.AlreadyClosed):
        decide(asked, cast.by_role["operator"], "retry")


def test_where_nobody_holds_the_role_everybody_who_controls_runs_may_answer(engine: EngineHost, cast: Cast) -> None:
    node = {**scripted("a", fail_times=1, retryable=False), "escalate": {"role": "night-watch"}}
    run = start(cast.organisation, make_definition([node]))
    asked = asked_by(run)
    assert (asked.assignee_user, asked.assignee_role) == (None, "")
    with pytest.raises(decisions.NotAnApprover):
        decide(asked, cast.by_role["viewer"], "retry")
    decide(asked, cast.by_role["designer"], "retry")
    engine.wait_for(run)


def test_a_step_that_must_not_happen_twice_is_never_begun_again_by_itself(engine: EngineHost, cast: Cast) -> None:
    """The host dies during the attempt: whether it took effect is for a person to find out."""
    node = {**scripted("a", seconds=3600), "delivery": "at_most_once", "retry": {"max_attempts": 5}}
    run = start(cast.organisation, make_definition([node]))
    engine.wait_for_node(run, "a", "running")
    with raw_connection() as connection:  # as though the host had died
        connection.execute("UPDATE orchestration_run SET lease_token = lease_token + 1, host_id = NULL, due_at = now()")
    asked = asked_by(run)
    assert asked.assignee_role == "operator"
    assert "Look at the other side first" in asked.message
    assert CALLS[f"{run.pk}/a"] == 1
    decide(asked, cast.by_role["operator"], "skip", values={"outputs": {"receipt": "7"}})
    engine.wait_for(run)
    assert CALLS[f"{run.pk}/a"] == 1 and event_types(run).count("NodeStarted a") == 1


# The page and the API


def test_a_get_shows_and_only_the_post_decides(engine: EngineHost, cast: Cast, client: Client) -> None:
    run = start(cast.organisation, escalating(fail_times=9))
    asked = asked_by(run)
    client.force_login(cast.by_role["operator"])
    address = f"/o/{cast.organisation.slug}/inbox/{asked.pk}/"
    page = client.get(address).content.decode()
    assert "What went wrong" in page and "Edit and try again" in page and "fail_times" in page
    assert client.get(f"{address}decide/?option=fail").status_code == 405
    assert ApprovalRequest.objects.get(pk=asked.pk).open
    shown = queries.shown_digest(asked)
    wrong = client.post(f"{address}decide/", {"option": "retry_with", "settings": "{not json", "shown": shown})
    assert wrong.status_code == 422 and "This is not JSON: line 1" in wrong.content.decode()
    assert "{not json" in wrong.content.decode(), "what was typed is kept"
    right = {"option": "retry_with", "settings": json.dumps({"outputs": {"n": 1}}), "shown": shown}
    assert "optional" not in client.get(address).text.partition("Settings of the step")[2].partition("<textarea")[0]
    assert client.post(f"{address}decide/", right).status_code == 302
    late = client.post(f"{address}decide/", {"option": "retry_with", "settings": "{not json", "shown": shown})
    assert late.status_code == 422 and "Already decided: Edit and try again" in late.text
    assert engine.wait_for(run).outputs == {"a": {"n": 1}}
    assert "Edit and try again" in client.get(address).content.decode()


def test_the_api_decides_with_the_right_to_control_runs(engine: EngineHost, cast: Cast, client: Client) -> None:
    run = start(cast.organisation, escalating())
    asked = asked_by(run)
    stranger = bearer(make_token(cast.organisation, cast.by_role["viewer"]))
    address = f"/api/v1/approvals/{asked.pk}/decide"
    body = {"option": "skip", "fields": {"outputs": {"n": 1}}, "comment": "By hand."}
    assert client.post(address, body, "application/json", headers=stranger).status_code == 403
    token = bearer(make_token(cast.organisation, cast.by_role["operator"]))
    wrong = client.post(address, {"option": "skip", "fields": {}}, "application/json", headers=token)
    assert wrong.status_code == 400 and "$.outputs" in wrong.content.decode()
    answer = client.post(address, body, "application/json", headers=token)
    assert answer.status_code == 200 and answer.json()["decision"]["values"] == {"outputs": {"n": 1}}
    assert client.post(address, body, "application/json", headers=token).status_code == 409
    engine.wait_for(run)


def test_the_example_of_the_guide_is_right_and_runs(engine: EngineHost, cast: Cast) -> None:
    """docs/guides/recovery.md"""
    body = json.loads((Path(__file__).parents[2] / "docs" / "guides" / "recovery.json").read_text("utf-8"))
    organisation = cast.organisation
    for slug, does in (("quote", "flaky"), ("quote-backup", "echo"), ("seats", "echo"), ("card", "flaky")):
        config = {"config": {"callable": does}}
        factories.agent(organisation, slug, factories.python_draft(does, **config))
    assert [problem for problem in validate(body, agents=contracts(organisation, body)) if problem.is_error] == []
    definition = Definition.objects.create(digest="0" * 64, body=body)
    asked = asked_by(run := start(organisation, definition, {"guest": "ann", "declined": 9}))
    assert asked.node == "charge" and "could not be charged" in asked.message
    decide(asked, cast.by_role["operator"], "fail")
    engine.wait_for(run, "failed")
    types = event_types(run)
    order = ["NodeEscalated charge", "ErrorHandled whatever", "NodeSucceeded report", "CompensationStarted charge"]
    assert [types.index(name) for name in order] == sorted(types.index(name) for name in order)
    outputs = dict(NodeRun.objects.filter(run=run).values_list("node", "outputs"))
    assert outputs["report"]["wrong"].startswith("charge: ") and outputs["release"] == {"released": "ann"}
