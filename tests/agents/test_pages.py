"""The catalogue and an agent's pages: for members with the right, narrowing, and with a flat number of queries."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from agents import services
from agents.models import Agent
from portal.core.actors import Actor
from tests.agents import factories
from tests.agents.factories import schema

pytestmark = pytest.mark.django_db


@pytest.fixture
def org():
    return factories.organisation()


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def viewer(org):
    return signed_in(factories.member(org, "viewer"))


@pytest.fixture
def admin(org):
    return signed_in(factories.member(org, "admin"))


def names(response) -> list[str]:
    return re.findall(r'class="cover" href="/o/acme/agents/([\w-]+)/"', response.content.decode())


def some_agents(org) -> None:
    factories.agent(org, "contract-reviewer", factories.llm_draft(), domain="legal", skills=["contracts", "risk"],
                    description="Finds risky clauses.", input_types=["pdf"], output_types=["report"])  # fmt: skip
    factories.agent(
        org, "price-list", domain="sales", skills=["pricing"], description="Prices for an offer.", input_types=["text"]
    )
    factories.agent(
        org, "old-pricer", domain="sales", skills=["pricing", "risk"], status="deprecated", input_types=["text"]
    )


PAGES = [
    "",
    "contract-reviewer/",
    "contract-reviewer/versions/",
    "contract-reviewer/usage/",
    "contract-reviewer/export/",
]


@pytest.mark.parametrize("page", PAGES)
def test_a_stranger_finds_nothing_and_a_visitor_signs_in(org, page):
    some_agents(org)
    stranger = signed_in(factories.member(factories.organisation("other"), "admin"))
    assert stranger.get(f"/o/acme/agents/{page}").status_code == 404
    assert Client().get(f"/o/acme/agents/{page}").status_code == 302


@pytest.mark.parametrize("page", PAGES)
def test_a_viewer_sees_every_page(org, viewer, page):
    some_agents(org)
    assert viewer.get(f"/o/acme/agents/{page}").status_code == 200


def test_an_agent_of_another_organisation_is_not_there(org, viewer):
    factories.agent(factories.organisation("other"), "secret-agent")
    assert viewer.get("/o/acme/agents/secret-agent/").status_code == 404


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["contract-reviewer", "old-pricer", "price-list"]),
        ("q=pric", ["old-pricer", "price-list"]),
        ("q=pricin", ["old-pricer", "price-list"]),
        ("q=clause", ["contract-reviewer"]),
        ("q=risky contracts", ["contract-reviewer"]),
        ("q=contract-rev", ["contract-reviewer"]),
        ("q=nothing", []),
        ("q=%26%7C%21%3A*", []),
        ("domain=sales&status=active", ["price-list"]),
        ("skill=risk", ["contract-reviewer", "old-pricer"]),
        ("skill=risk&q=pricer", ["old-pricer"]),
        ("input=text&skill=risk", ["old-pricer"]),
        ("output=report", ["contract-reviewer"]),
        ("kind=llm", ["contract-reviewer"]),
        ("domain=nonsense", []),
        ("sort=-name", ["price-list", "old-pricer", "contract-reviewer"]),
    ],
)
def test_words_and_filters_narrow_together(org, viewer, query, found):
    some_agents(org)
    assert names(viewer.get(f"/o/acme/agents/?{query}")) == found


def test_typing_answers_with_the_list_alone(org, viewer):
    some_agents(org)
    response = viewer.get("/o/acme/agents/?q=pric&view=table", headers={"HX-Request": "true"})
    assert b"<html" not in response.content
    assert b"2 agents" in response.content
    assert b"<table" in response.content


def test_the_filters_say_how_many_there_are(org, viewer):
    some_agents(org)
    page = viewer.get("/o/acme/agents/?domain=sales").content.decode()
    assert '<option value="sales" selected>Sales (2)</option>' in page
    assert ">Legal (1)</option>" in page
    assert ">risk (2)</option>" in page


def test_an_empty_catalogue_says_what_to_do(org, viewer):
    assert b"No agents yet" in viewer.get("/o/acme/agents/").content


@pytest.mark.parametrize("view", ["cards", "table"])
def test_ten_more_agents_cost_no_more_queries(org, viewer, view):
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as seen:
            assert viewer.get(f"/o/acme/agents/?view={view}").status_code == 200
        return len(seen)

    some_agents(org)
    queries()
    before = queries()
    replacement = Agent.objects.get(slug="price-list")
    for number in range(10):
        made = factories.agent(org, f"more-{number}", factories.llm_draft(), skills=["more"]).version.agent
        services.set_status(agent=made, status="deprecated", replaced_by=replacement, actor=Actor.command())
    assert queries() == before


def test_a_page_tells_the_contract_in_words(org, viewer):
    draft = factories.llm_draft(
        input_schema=schema(
            ("document",), document={"type": "string", "description": "The text of the contract.", "maxLength": 200}
        ),
        output_schema=schema(risks={"type": "array", "items": schema(level={"enum": ["low", "high"]})}),
    )
    factories.agent(org, "contract-reviewer", draft, description="**Bold** claims <script>alert(1)</script>")
    page = viewer.get("/o/acme/agents/contract-reviewer/").content.decode()
    for words in (
        "The text of the contract.",
        "at most 200 characters",
        "list of objects",
        "one of low, high",
        "You summarise.",
    ):
        assert words in page
    assert "<strong>Bold</strong>" in page
    assert "<script>alert" not in page


def test_versions_are_compared(org, viewer):
    agent = factories.agent(org, "summary", factories.llm_draft()).version.agent
    draft = factories.llm_draft(
        config={"system": "You summarise\nin French."}, output_schema=schema(other={"type": "string"})
    )
    services.publish_version(agent=agent, draft=draft, actor=Actor.command(), note="French")
    page = viewer.get("/o/acme/agents/summary/versions/").content.decode()
    assert "The contract breaks" in page
    assert "is gone" in page
    assert "in French." in page
    assert viewer.get("/o/acme/agents/summary/?version=1").status_code == 200
    assert viewer.get("/o/acme/agents/summary/?version=9").status_code == 404


def test_export_is_a_file_that_import_takes(org, viewer, admin):
    some_agents(org)
    response = viewer.get("/o/acme/agents/contract-reviewer/export/")
    assert response["Content-Disposition"] == 'attachment; filename="contract-reviewer.agent.json"'
    other = factories.organisation("other")
    other_admin = signed_in(factories.member(other, "admin"))
    done = other_admin.post("/o/other/agents/import/", {"document": response.content.decode()})
    assert (done.status_code, done["Location"]) == (302, "/o/other/agents/contract-reviewer/")
    assert Agent.objects.filter(organisation=other).count() == 1


def test_a_wrong_import_says_where_and_changes_nothing(org, admin):
    good = services.export_agent(factories.agent(factories.organisation("other"), "echo").version.agent)
    bad = {**good, "slug": "bad", "version": {**good["version"], "input_schema": {"type": "objekt"}}}
    import json

    response = admin.post("/o/acme/agents/import/", {"document": json.dumps([good, bad])})
    assert response.status_code == 422
    assert "$.input_schema.type" in response.content.decode()
    assert not Agent.objects.filter(organisation=org).exists()
    assert "line 1, column 2" in admin.post("/o/acme/agents/import/", {"document": "{nope"}).content.decode()


def test_status_is_changed_by_those_who_may(org, viewer, admin):
    some_agents(org)
    url = "/o/acme/agents/price-list/status/"
    assert viewer.post(url, {"status": "offline"}).status_code == 403
    assert admin.post(url, {"status": "deprecated", "replaced_by": "contract-reviewer"}).status_code == 302
    agent = Agent.objects.get(slug="price-list")
    assert (agent.status, agent.replaced_by.slug) == ("deprecated", "contract-reviewer")
    page = viewer.get("/o/acme/agents/price-list/").content.decode()
    assert "Deprecated" in page
    assert "/o/acme/agents/contract-reviewer/" in page


def test_menus_show_only_what_one_may_do(org, viewer, admin):
    some_agents(org)
    assert b"Take offline" not in viewer.get("/o/acme/agents/price-list/").content
    assert b"Take offline" in admin.get("/o/acme/agents/price-list/").content


def test_an_earlier_version_is_published_again(org, admin):
    first = factories.agent(org, "summary", factories.llm_draft()).version
    services.publish_version(agent=first.agent, draft=factories.llm_draft(timeout_seconds=5), actor=Actor.command())
    admin.post("/o/acme/agents/summary/versions/1/restore/")
    assert Agent.objects.get(slug="summary").current.number == 3
