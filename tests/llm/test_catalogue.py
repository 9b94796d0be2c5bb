"""The starter catalogue: complete, valid, idempotent, and it leaves alone what people have changed."""

from dataclasses import replace

import pytest

from agents import catalogue
from agents.catalogue import loading
from agents.contract_schemas import schema_faults
from agents.models import Agent, AgentVersion, ModelProfile
from agents.prompts import template_faults
from agents.services import AgentCard, VersionDraft, publish_version, update_agent
from portal.core.actors import Actor
from portal.core.models import Organisation

WANTED = [
    "business-intelligence",
    "technical-implementation",
    "customer-service",
    "sales-and-marketing",
    "operations",
    "backend-architect",
    "database-optimizer",
    "frontend-developer",
    "test-automator",
    "security-auditor",
    "frontend-security-coder",
    "backend-security-coder",
    "cloud-architect",
    "performance-engineer",
    "code-reviewer",
    "docs-architect",
    "deployment-engineer",
    "devops-troubleshooter",
    "legal-reviewer",
    "pricing-analyst",
    "content-moderator",
    "rfp-analyst",
    "requirement-extractor",
    "solution-architect",
    "proposal-writer",
    "financial-reporter",
    "procurement",
    "triage-router",
    "summariser",
    "translator",
    "data-analyst",
    "echo",
    "sleep",
    "flaky",
]


@pytest.fixture
def organisation(db: None) -> Organisation:
    return Organisation.objects.create(slug="cat", name="Catalogue")


def test_all_named_agents_are_there_once() -> None:
    slugs = [entry.slug for entry in catalogue.ENTRIES]
    assert len(slugs) == len(set(slugs)) >= 30
    assert set(WANTED) <= set(slugs)


@pytest.mark.parametrize("entry", catalogue.ENTRIES, ids=lambda entry: entry.slug)
def test_every_entry_is_sound(entry: loading.Entry) -> None:
    assert entry.description.endswith(".") and len(entry.description) > 30
    if entry.kind != "llm":
        return
    assert schema_faults(entry.inputs) == []
    assert schema_faults(entry.outputs) == []
    for prompt in ("system", "user"):
        assert template_faults(entry.config[prompt], entry.inputs["properties"], prompt) == []
    assert len(entry.config["system"]) > 350, "a prompt says what is good, what to do when unsure, and what not to do"
    for schema in (entry.inputs, entry.outputs):
        for name, field in schema["properties"].items():
            assert field.get("description"), f"{entry.slug}.{name}"
    missing = [name for name in entry.inputs["properties"] if f"input.{name}" not in entry.config["user"]]
    assert missing == [], "every input reaches the model"


def test_loading_twice_changes_nothing(organisation: Organisation) -> None:
    first = catalogue.load(organisation, Actor.command())
    assert len(first.created) == len(catalogue.ENTRIES)
    versions = AgentVersion.objects.count()
    second = catalogue.load(organisation, Actor.command())
    assert len(second.unchanged) == len(catalogue.ENTRIES)
    assert AgentVersion.objects.count() == versions
    names = set(ModelProfile.objects.filter(organisation=organisation).values_list("name", flat=True))
    assert names == {"fast", "quality", "code", "auto", "offline"}


def test_changed_entry_becomes_a_new_version(organisation: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue.load(organisation, Actor.command())
    changed = [
        replace(entry, description="Sums up.", config={**entry.config, "profile": "quality"})
        if entry.slug == "summariser"
        else entry
        for entry in catalogue.ENTRIES
    ]
    monkeypatch.setattr(loading, "ENTRIES", tuple(changed))
    assert loading.load(organisation, Actor.command()).updated == ["summariser"]
    agent = Agent.objects.get(organisation=organisation, slug="summariser")
    assert agent.current and agent.current.number == 2
    assert (agent.description, agent.current.config["profile"]) == ("Sums up.", "quality")


def test_what_people_changed_is_left_alone(organisation: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue.load(organisation, Actor.command())
    agent = Agent.objects.get(organisation=organisation, slug="summariser")
    assert agent.current
    draft = VersionDraft.of(agent.current)
    publish_version(agent=agent, draft=replace(draft, timeout_seconds=77), actor=Actor.command(), note="Longer")
    update_agent(agent=agent, card=replace(AgentCard.of(agent), name="Our summariser"), actor=Actor.command())
    loaded = catalogue.load(organisation, Actor.command())
    assert loaded.kept == ["summariser"]
    agent.refresh_from_db()
    assert agent.name == "Our summariser"
