"""Trying an agent: a form from its contract starts a run of one node, and the page shows what came of it."""

import json
from datetime import timedelta

import pytest
from django.test import Client

from agents import services, usage
from orchestration.agent_usage import NodeRunUsage
from orchestration.models import NodeRun, Run
from orchestration.services import trials, workflows
from portal.core import clock
from portal.core.actors import Actor
from tests.agents import factories
from tests.agents.factories import schema

pytestmark = pytest.mark.django_db
TRY = "/o/acme/agents/summary/try/"


@pytest.fixture
def org():
    return factories.organisation()


def client_of(org, role: str) -> Client:
    client = Client()
    client.force_login(factories.member(org, role, username=f"{org.slug}-{role}-tries"))
    return client


@pytest.fixture
def operator(org):
    return client_of(org, "operator")


@pytest.fixture
def summary(org):
    draft = factories.llm_draft(
        input_schema=schema(
            ("document",),
            document={"type": "string", "title": "The document"},
            length={"type": "integer", "default": 5},
            tone={"type": "string", "maxLength": 30},
        ),
        config={"user": "{{ input.document }} {{ input.length }} {{ input.tone }}"},
    )
    return factories.agent(org, "summary", draft).version.agent


def ended(run: Run, status: str = "completed", **values) -> None:
    """As the engine would leave it."""
    now = clock.now()
    times = {"started_at": now - timedelta(seconds=2), "ended_at": now}
    spent = {"cost_usd": "0.002", "input_tokens": 10, "output_tokens": 20}
    results = {"outputs": values.get("outputs"), "error": values.get("error"), "due_at": None}
    Run.objects.filter(pk=run.pk).update(status=status, **times, **spent, **results)
    NodeRun.objects.create(
        run=run,
        node="agent",
        type="agent",
        name="Summary",
        status="succeeded" if status == "completed" else "failed",
        attempts=1,
        agent="summary",
        agent_version=1,
        model="offline/extract",
        error=values.get("error"),
        **times,
        **spent,
    )


def test_the_form_is_made_from_the_contract(summary, operator):
    page = operator.get(TRY).content.decode()
    assert "The document" in page
    assert 'name="input-length" value="5"' in page
    assert "No answer yet" in page


def test_a_trial_is_a_run_of_one_node_that_passes_inputs_by_reference(org, summary, operator):
    response = operator.post(
        TRY, {"input-document": "Braces {{ inputs.x }} stay", "input-length": "3", "form_key": "k1"}
    )
    run = Run.objects.get()
    assert response.status_code == 302
    assert response["Location"] == f"{TRY}?run={run.pk}#answer"
    assert (run.kind, run.name, run.inputs) == (
        "trial",
        "Summary",
        {"document": "Braces {{ inputs.x }} stay", "length": 3},
    )
    (node,) = run.definition.body["nodes"]
    assert node["settings"]["inputs"] == {"length": '{{ inputs["length"] }}', "document": '{{ inputs["document"] }}'}
    assert node["settings"]["version"] == 1


def test_one_form_starts_one_trial(summary, operator):
    for _ in range(2):
        operator.post(TRY, {"input-document": "x", "input-length": "3", "form_key": "once"})
    assert Run.objects.count() == 1


def test_wrong_input_comes_back_with_the_form(summary, operator):
    response = operator.post(TRY, {"input-document": "", "input-tone": "x" * 31})
    assert response.status_code == 422
    assert {"document", "tone"} <= response.context["form"].errors.keys()
    assert not Run.objects.exists()


def test_the_page_shows_answer_cost_tokens_time_and_model(summary, operator):
    operator.post(TRY, {"input-document": "x"})
    run = Run.objects.get()
    waiting = operator.get(f"{TRY}?run={run.pk}").content.decode()
    assert f"{TRY}{run.pk}/" in waiting
    assert f"/ws/o/acme/runs/{run.pk}/" in waiting
    ended(run, outputs={"outputs": {"text": "# Title\n\nA **long** answer <script>"}})
    page = operator.get(f"{TRY}?run={run.pk}").content.decode()
    for words in ("<strong>long</strong>", "$0.002", "10 · 20", "offline/extract", "2.0 s", 'name="input-document"'):
        assert words in page
    assert "A **long**" not in page.split("json")[0]
    assert "<script>\n" not in page.split("model-output")[1]
    answer = operator.get(f"{TRY}{run.pk}/", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in answer
    assert "<strong>long</strong>" in answer


def test_errors_are_readable(summary, operator):
    operator.post(TRY, {"input-document": "x"})
    run = Run.objects.get()
    ended(
        run,
        "failed",
        error={"code": "authentication", "message": "The key was refused.", "retryable": False, "detail": None},
    )
    page = operator.get(f"{TRY}?run={run.pk}").content.decode()
    assert "The key was refused." in page
    assert "authentication" in page


def test_earlier_trials_are_listed_for_who_made_them(org, summary, operator):
    operator.post(TRY, {"input-document": "my text"})
    assert "my text" in operator.get(TRY).content.decode()
    assert "my text" not in client_of(org, "designer").get(TRY).content.decode()


def test_strangers_viewers_and_other_runs(org, summary, operator):
    operator.post(TRY, {"input-document": "x"})
    run = Run.objects.get()
    assert client_of(org, "viewer").get(TRY).status_code == 403
    assert client_of(factories.organisation("other"), "admin").get(TRY).status_code == 404
    factories.agent(org, "other-agent")
    assert operator.get(f"/o/acme/agents/other-agent/try/?run={run.pk}").status_code == 404
    assert operator.get(f"/o/acme/agents/other-agent/try/{run.pk}/").status_code == 404
    assert operator.get(f"{TRY}?run=nonsense").status_code == 404


def test_an_offline_agent_is_not_tried(summary, operator):
    services.set_status(agent=summary, status="offline", actor=Actor.command())
    assert "offline and cannot be tried" in operator.get(TRY).content.decode()
    response = operator.post(TRY, {"input-document": "x"})
    assert response.status_code == 422
    assert "offline" in response.content.decode()


def test_an_open_contract_takes_a_json_object(org, operator):
    agent = factories.agent(org, "echo").version.agent
    run = trials.start_trial(agent=agent, inputs={"size": 1, "Lines": {"a b": [2]}}, actor=Actor.command())
    assert run.inputs == {"size": 1, "Lines": {"a b": [2]}}
    refused = operator.post("/o/acme/agents/echo/try/", {"input-values": json.dumps({"a b": 1})})
    assert "is no name for an input" in refused.content.decode()
    operator.post("/o/acme/agents/echo/try/", {"input-values": json.dumps({"a": 1})})
    assert Run.objects.filter(inputs={"a": 1}).exists()


def test_every_demo_agent_can_be_tried(org):
    for name, inputs in {"sleep": {"seconds": 0.1}, "flaky": {"fail_times": 1}}.items():
        agent = factories.agent(org, name, factories.python_draft(name)).version.agent
        assert trials.start_trial(agent=agent, inputs=inputs, actor=Actor.command()).kind == "trial"


def test_the_use_page_tells_workflows_calls_and_measured_figures(org, summary, operator):
    settings = {"agent": "summary", "inputs": {"document": "{{ inputs.text }}"}}
    definition = {
        "format": "ensemble.workflow/1",
        "name": "Digest",
        "inputs": schema(("text",), text={"type": "string"}),
        "nodes": [{"id": "sum", "type": "agent", "name": "Sum up", "settings": settings}],
    }
    workflows.create_workflow(organisation=org, definition=definition, actor=Actor.command())
    for status in ("completed", "completed", "failed"):
        run = trials.start_trial(agent=summary, inputs={"document": status}, actor=Actor.command())
        ended(run, status, outputs={"outputs": {"text": "x"}})
    figures = NodeRunUsage().figures_of(org.pk, ["summary"])["summary"]
    assert (figures.runs, figures.succeeded, round(figures.success_rate)) == (3, 2, 67)
    assert figures.p95 == figures.average == timedelta(seconds=2)
    assert NodeRunUsage().figures_of(org.pk, ["nobody"]) == {}
    assert "67 %" in operator.get("/o/acme/agents/?view=table").content.decode()
    page = operator.get("/o/acme/agents/summary/usage/").content.decode()
    for words in ("Digest", "Sum up", "follows the latest", "draft only", "66.7", "offline/extract"):
        assert words in page


def test_the_source_of_use_is_registered():
    assert isinstance(usage.source(), NodeRunUsage)
