"""Agents by API: what the catalogue shows, and registering, with every fault at once as problem details."""

import json

import pytest
from django.test import Client

from agents.models import Agent
from portal.core.actors import Actor
from portal.core.models import AuditEntry
from portal.core.services import tokens
from tests.agents import factories
from tests.agents.factories import schema

pytestmark = pytest.mark.django_db
AGENTS = "/api/v1/agents"


@pytest.fixture
def org():
    return factories.organisation()


def client_of(org, role: str, *scopes: str) -> Client:
    user = factories.member(org, role, username=f"{org.slug}-{role}-api")
    made = tokens.create_token(organisation=org, user=user, name="test", actor=Actor.command(), scopes=scopes)
    return Client(headers={"Authorization": f"Bearer {made.text}"})


@pytest.fixture
def admin(org):
    return client_of(org, "admin")


@pytest.fixture
def viewer(org):
    return client_of(org, "viewer")


def document(**changes):
    version = {
        "kind": "llm",
        "config": {"system": "You summarise.", "user": "{{ input.document }}"},
        "input_schema": schema(("document",), document={"type": "string"}),
        "output_schema": schema(("text",), text={"type": "string"}),
        **changes.pop("version", {}),
    }
    return {"slug": "summary", "name": "Summary", "skills": ["summaries"], "version": version, **changes}


def post(client: Client, body: object):
    return client.post(AGENTS, json.dumps(body), content_type="application/json")


def test_registering_and_reading(org, admin, viewer):
    made = post(admin, document())
    assert made.status_code == 201
    assert made.json() | {"agent": None} == {"agent": None, "version": 1, "created": True, "breaking": [], "advice": []}
    agent = viewer.get(f"{AGENTS}/summary").json()
    assert (agent["kind"], agent["version"], agent["versions"], agent["status"]) == ("llm", 1, [1], "active")
    assert agent["current"]["config"]["system"] == "You summarise."
    assert agent["url"].endswith("/o/acme/agents/summary/")
    assert AuditEntry.objects.get(verb="agents.agent.created").channel == "api"


def test_registering_the_same_twice_publishes_once_and_a_change_names_what_breaks(org, admin):
    post(admin, document())
    again = post(admin, document())
    assert (again.status_code, again.json()["created"], again.json()["version"]) == (200, False, 1)
    changed = post(
        admin, document(version={"output_schema": schema(("summary",), summary={"type": "string"})}, note="Shorter")
    )
    assert (changed.status_code, changed.json()["version"]) == (201, 2)
    gone = {"side": "output", "kind": "removed", "path": "$.text", "message": "is gone", "breaking": True}
    assert changed.json()["breaking"] == [gone]


def test_every_fault_comes_back_as_a_problem(org, admin):
    answer = post(
        admin, document(version={"config": {"system": "{{ input.documnet }}"}, "output_schema": {"type": "objekt"}})
    )
    assert (answer.status_code, answer["Content-Type"]) == (422, "application/problem+json")
    assert [problem["path"] for problem in answer.json()["problems"]] == ["$.config.system", "$.output_schema.type"]
    assert answer.json()["code"] == "invalid_agent"
    assert not Agent.objects.exists()


def test_rights_and_scopes(org, viewer):
    assert post(viewer, document()).status_code == 403
    scoped = client_of(org, "admin", "runs.view")
    assert scoped.get(AGENTS).status_code == 403
    assert Client().get(AGENTS).status_code == 401
    stranger = client_of(factories.organisation("other"), "admin")
    factories.agent(org, "mine")
    assert stranger.get(f"{AGENTS}/mine").status_code == 404
    assert stranger.get(AGENTS).json()["count"] == 0


def test_the_list_filters_and_pages(org, viewer):
    for number in range(5):
        factories.agent(org, f"pricer-{number}", domain="sales", skills=["pricing"])
    factories.agent(org, "lawyer", domain="legal")
    found = viewer.get(f"{AGENTS}?q=pric&domain=sales&limit=2&page=2").json()
    assert (found["count"], found["page"], found["pages"]) == (5, 2, 3)
    assert [agent["slug"] for agent in found["items"]] == ["pricer-2", "pricer-3"]
    assert viewer.get(f"{AGENTS}?limit=9999").status_code == 422


def test_ten_more_agents_cost_no_more_queries(org, viewer, django_assert_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def count() -> int:
        with CaptureQueriesContext(connection) as seen:
            viewer.get(AGENTS)
        return len(seen)

    factories.agent(org, "first")
    count()
    before = count()
    for number in range(10):
        factories.agent(org, f"more-{number}")
    assert count() == before


def test_kinds_tell_their_settings(org, viewer):
    kinds = {kind["kind"]: kind for kind in viewer.get("/api/v1/agent-kinds").json()}
    assert {"llm", "http", "python"} <= kinds.keys()
    assert "url" in kinds["http"]["config_schema"]["properties"]


def test_a_version_by_number(org, viewer):
    factories.agent(org, "echo")
    assert viewer.get(f"{AGENTS}/echo/versions/1").json()["kind"] == "python"
    assert viewer.get(f"{AGENTS}/echo/versions/2").status_code == 404
