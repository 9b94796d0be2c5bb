"""An administrator of an organisation who does not program manages its agents and profiles in the admin site."""

import json
import re
from html import unescape

import pytest
from django.test import Client

from agents import services
from agents.models import Agent, ModelProfile
from portal.core.actors import Actor
from portal.core.models import AuditEntry
from tests.agents import factories
from tests.agents.factories import schema

pytestmark = pytest.mark.django_db
LIST = "/admin/agents/agent/"


@pytest.fixture
def org():
    return factories.organisation()


@pytest.fixture
def admin(org):
    client = Client()
    client.force_login(factories.member(org, "admin"))
    return client


def fields(org, **changes):
    values = {
        "organisation": org.pk, "slug": "reviewer", "name": "Reviewer", "description": "", "domain": "legal",
        "skills": "risk, contracts",
        "input_types": "", "output_types": "", "tags": "", "status": "active", "kind": "llm", "system": "You review.",
        "user": "Review {{ input.document }}", "profile": "auto", "config": "",
        "input_schema": json.dumps(schema(("document",), document={"type": "string"})),
        "output_schema": json.dumps(schema(("text",), text={"type": "string"})),
        "timeout_seconds": 60, "retry_max_attempts": 3, "retry_backoff": "exponential", "retry_initial_seconds": 1,
        "note": "First", "versions-TOTAL_FORMS": 0, "versions-INITIAL_FORMS": 0,
    }  # fmt: skip
    return {**values, **changes}


def told(response) -> str:
    return re.sub(r"<[^>]+>", " ", unescape(response.content.decode()))


def test_an_agent_is_created_by_form(org, admin):
    assert admin.get(f"{LIST}add/").status_code == 200
    response = admin.post(f"{LIST}add/", fields(org), follow=True)
    assert "Version 1 is published." in told(response)
    agent = Agent.objects.get(slug="reviewer")
    assert (agent.skills, agent.current.config["system"], agent.current.note) == (
        ["risk", "contracts"],
        "You review.",
        "First",
    )
    entry = AuditEntry.objects.get(verb="agents.agent.created")
    assert (entry.channel, entry.actor_label) == ("admin", "acme-admin")


def test_saving_a_change_of_the_version_publishes_the_next(org, admin):
    admin.post(f"{LIST}add/", fields(org))
    agent = Agent.objects.get(slug="reviewer")
    url = f"{LIST}{agent.pk}/change/"
    page = admin.get(url)
    assert "You review." in told(page)
    assert "publishes the next one" in told(page)
    same = fields(org, name="Contract reviewer")
    assert "Version" not in told(admin.post(url, same)).split("Reviewer")[0]
    agent.refresh_from_db()
    assert (agent.name, agent.current.number) == ("Contract reviewer", 1)
    breaking = fields(
        org, output_schema=json.dumps(schema(("summary",), summary={"type": "string"})), note="Says it shorter"
    )
    response = admin.post(url, breaking, follow=True)
    assert "Version 2 is published." in told(response)
    assert "output $.text is gone" in told(response)
    assert Agent.objects.get(pk=agent.pk).current.note == "Says it shorter"


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        (
            {"input_schema": '{"type": "object", "properties": {"a": {"type": "strin"}}}'},
            "input_schema",
            "properties.a.type: Must be one of",
        ),
        ({"input_schema": "{nope"}, "input_schema", "line 1, column 2"),
        ({"user": "{{ input.documnet }}"}, "user", "did you mean input.document?"),
        ({"system": ""}, "system", "Is required."),
        ({"kind": "http", "config": '{"url": "ftp://x"}'}, "config", "url: Must begin with https"),
        ({"retry_max_attempts": 99}, "retry_max_attempts", "less than or equal to 20"),
        ({"skills": "x" * 61}, None, "1 to 60 characters"),
        ({"slug": "Not A Slug"}, "slug", ""),
    ],
)
def test_faults_stand_at_their_field_and_nothing_is_saved(org, admin, changes, field, words):
    response = admin.post(f"{LIST}add/", fields(org, **changes))
    assert response.status_code == 200
    assert words in told(response)
    if field:
        assert field in response.context["adminform"].form.errors
    assert not Agent.objects.exists()


def test_other_kinds_take_their_settings_as_json(org, admin):
    echo = fields(
        org, kind="python", config='{"callable": "flaky"}', input_schema="", output_schema="", system="", user=""
    )
    admin.post(f"{LIST}add/", echo)
    version = Agent.objects.get(slug="reviewer").current
    assert (version.kind, version.input_schema["required"]) == ("python", ["fail_times"])
    page = admin.get(f"{LIST}{version.agent_id}/change/")
    assert '"callable": "flaky"' in told(page)


def test_status_and_replacement_in_the_form(org, admin):
    new = factories.agent(org, "new").version.agent
    admin.post(f"{LIST}add/", fields(org))
    agent = Agent.objects.get(slug="reviewer")
    admin.post(f"{LIST}{agent.pk}/change/", fields(org, status="deprecated", replaced_by=new.pk))
    agent.refresh_from_db()
    assert (agent.status, agent.replaced_by) == ("deprecated", new)
    back = admin.post(
        f"{LIST}{new.pk}/change/", {**fields(org), "name": "New", "status": "deprecated", "replaced_by": agent.pk}
    )
    assert "in the end replaced by" in told(back)


def test_actions_change_many(org, admin):
    agents = [factories.agent(org, f"a{i}").version.agent for i in range(3)]
    chosen = [agent.pk for agent in agents[:2]]
    admin.post(LIST, {"action": "take_offline", "_selected_action": chosen})
    assert list(Agent.objects.order_by("slug").values_list("status", flat=True)) == ["offline", "offline", "active"]
    page = admin.post(LIST, {"action": "deprecate", "_selected_action": chosen})
    assert "A2 (a2)" in told(page)
    admin.post(LIST, {"action": "deprecate", "_selected_action": chosen, "replacement": agents[2].pk})
    assert Agent.objects.filter(status="deprecated", replaced_by=agents[2]).count() == 2
    assert AuditEntry.objects.filter(verb="agents.agent.status_changed", channel="admin").count() == 4


def test_the_list_shows_own_agents_only_and_finds_them(org, admin):
    factories.agent(org, "mine", description="reads contracts")
    foreign = factories.agent(factories.organisation("other"), "theirs").version.agent
    page = told(admin.get(f"{LIST}?q=contracts"))
    assert "mine" in page
    assert "theirs" not in told(admin.get(LIST))
    assert admin.get(f"{LIST}{foreign.pk}/change/").status_code == 302
    admin.post(LIST, {"action": "take_offline", "_selected_action": [foreign.pk]})
    foreign.refresh_from_db()
    assert foreign.status == "active"


def test_agents_are_not_deleted(org, admin):
    agent = factories.agent(org, "mine").version.agent
    assert admin.get(f"{LIST}{agent.pk}/delete/").status_code == 403


@pytest.mark.parametrize("role", ["viewer", "designer", "approver"])
def test_others_do_not_manage_agents(org, role):
    agent = factories.agent(org, "mine").version.agent
    client = Client()
    client.force_login(factories.member(org, role))
    assert client.get(f"{LIST}{agent.pk}/change/", follow=True).status_code == 403


def test_who_may_enter_without_managing_agents_looks_only(org):
    agent = factories.agent(org, "mine").version.agent
    client = Client()
    client.force_login(factories.member(org, "compliance-officer"))
    page = client.get(f"{LIST}{agent.pk}/change/")
    assert page.status_code == 200
    assert client.post(f"{LIST}{agent.pk}/change/", fields(org)).status_code == 403


PROFILES = "/admin/agents/modelprofile/"


def profile_fields(org, **changes):
    values = {
        "organisation": org.pk,
        "name": "fast",
        "description": "",
        "model": "openai/gpt-4.1-mini",
        "timeout_seconds": 30,
        "enabled": "on",
    }
    return {**values, **changes}


def test_profiles_are_managed_and_say_what_would_answer(org, admin, monkeypatch):
    monkeypatch.setenv("MODEL_PROVIDERS", "offline")
    admin.post(f"{PROFILES}add/", profile_fields(org, is_default="on"))
    admin.post(f"{PROFILES}add/", profile_fields(org, name="quality", fallbacks="fast"))
    quality = ModelProfile.objects.get(name="quality")
    assert (quality.fallbacks, ModelProfile.objects.get(name="fast").is_default) == (["fast"], True)
    response = admin.post(f"{PROFILES}{quality.pk}/change/", profile_fields(org, name="quality", fallbacks="nope"))
    assert "names no profile of this organisation: nope" in told(response)
    assert AuditEntry.objects.filter(verb="agents.profile.created", channel="admin").count() == 2


def test_a_profile_in_use_is_not_deleted(org, admin):
    profile = services.save_profile(organisation=org, name="fast", actor=Actor.command(), model="openai/x")
    factories.agent(org, "summary", factories.llm_draft(config={"profile": "fast"}))
    response = admin.post(f"{PROFILES}{profile.pk}/delete/", {"post": "yes"}, follow=True)
    assert "is used by the agent summary" in told(response)
    assert ModelProfile.objects.filter(pk=profile.pk).exists()
