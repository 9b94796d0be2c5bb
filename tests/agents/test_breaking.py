"""Publishing what breaks a contract: who follows the latest version is named, and it is asked first."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from agents import services
from agents.models import Agent
from agents.queries import contracts_of
from agents.services import AgentCard, VersionDraft
from agents.services.relying import BreaksWorkflows
from orchestration.services import workflows
from portal.core.actors import Actor
from tests.cast import Cast, make_cast
from tests.factories import bearer, make_token

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


def schema(**properties: str) -> dict[str, Any]:
    return {"type": "object", "properties": {name: {"type": kind} for name, kind in properties.items()}}


def draft(outputs: dict[str, Any]) -> VersionDraft:
    inputs = schema(x="string")
    return VersionDraft(kind="python", config={"callable": "echo"}, input_schema=inputs, output_schema=outputs)


@pytest.fixture
def agent(cast: Cast) -> Agent:
    made = services.create_agent(
        organisation=cast.organisation, slug="scribe", card=AgentCard(name="Scribe"),
        draft=draft(schema(a="string", b="string")), actor=Actor.command(),
    )  # fmt: skip
    return made.version.agent


def used(cast: Cast, version: int | None) -> None:
    node = {"id": "n", "type": "agent", "settings": {"agent": "scribe", "version": version, "inputs": {}}}
    body = {"format": "ensemble.workflow/1", "name": f"Uses {version}", "nodes": [node], "edges": []}
    made = workflows.create_workflow(organisation=cast.organisation, actor=Actor.command(), definition=body)
    workflows.publish(workflow=made, actor=Actor.command())


def test_only_workflows_that_follow_the_latest_are_asked_about(cast: Cast, agent: Agent) -> None:
    by = Actor.command()
    used(cast, 1)
    assert services.publish_version(agent=agent, draft=draft(schema(a="string")), actor=by, confirmed=False).created
    used(cast, None)
    with pytest.raises(BreaksWorkflows, match="“Uses None”") as refused:
        services.publish_version(agent=agent, draft=draft(schema()), actor=by, confirmed=False)
    assert [problem["path"] for problem in refused.value.problems] == ["$.a"]
    assert services.publish_version(
        agent=agent, draft=draft(schema(a="string", c="null")), actor=by, confirmed=False
    ).created
    assert services.publish_version(agent=agent, draft=draft(schema()), actor=by).created
    assert contracts_of(agent) == {1: "1.0", 2: "2.0", 3: "2.1", 4: "3.0"}


def test_the_api_asks_and_the_page_shows_the_contract(client: Client, cast: Cast, agent: Agent) -> None:
    used(cast, None)
    headers = bearer(make_token(cast.organisation, cast.admin))
    data = services.export_agent(agent)
    data["version"]["output_schema"] = schema(a="string")
    asked = client.post("/api/v1/agents", data, content_type="application/json", headers=headers)
    assert asked.status_code == 409 and asked.json()["code"] == "breaking_change"
    assert "Uses None" in asked.json()["detail"]
    done = client.post(
        "/api/v1/agents", {**data, "confirm_breaking": True}, content_type="application/json", headers=headers
    )
    assert done.status_code == 201
    assert done.json()["breaking"][0]["kind"] == "removed" and done.json()["agent"]["current"]["contract"] == "2.0"
    client.force_login(cast.by_role["viewer"])
    page = client.get(reverse("agents:versions", args=[cast.organisation.slug, "scribe"])).content.decode()
    assert "2.0" in page and "is gone" in page
    assert "2.0" in client.get(reverse("agents:detail", args=[cast.organisation.slug, "scribe"])).content.decode()
