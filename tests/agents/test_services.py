"""Agents are created, versioned, replaced, exported; each change is in the ledger; a version never changes."""

from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction

from agents import services
from agents.models import Agent, AgentVersion
from agents.services import AgentCard, InvalidAgent, VersionDraft
from portal.core.actors import Actor
from portal.core.errors import Conflict
from portal.core.models import AuditEntry
from tests.agents import factories
from tests.agents.factories import schema

pytestmark = pytest.mark.django_db
BY = Actor.command()


@pytest.fixture
def org():
    return factories.organisation()


def verbs(target: Agent) -> list[str]:
    entries = AuditEntry.objects.filter(target_type="agents.agent", target_id=str(target.pk)).order_by("id")
    return list(entries.values_list("verb", flat=True))


def test_a_new_agent_has_version_1_and_is_in_the_ledger(org):
    made = factories.agent(org, "echo")
    assert (made.version.number, made.created, made.breaking) == (1, True, [])
    assert made.version.agent.current == made.version
    assert verbs(made.version.agent) == ["agents.agent.created", "agents.version.published"]


def test_a_slug_is_given_once(org):
    factories.agent(org, "echo")
    with pytest.raises(services.SlugTaken):
        factories.agent(org, "echo")
    factories.agent(factories.organisation("other"), "echo")


def test_a_kind_may_fix_the_schemas(org):
    version = factories.agent(org, "flaky", factories.python_draft("flaky")).version
    assert version.input_schema["required"] == ["fail_times"]


def test_publishing_the_same_again_changes_nothing(org):
    agent = factories.agent(org, "summary", factories.llm_draft()).version.agent
    again = services.publish_version(agent=agent, draft=factories.llm_draft(), actor=BY)
    assert (again.created, again.version.number) == (False, 1)


def test_a_new_version_names_what_breaks(org):
    agent = factories.agent(org, "summary", factories.llm_draft()).version.agent
    draft = factories.llm_draft(
        input_schema=schema(("document", "language"), document={"type": "string"}, language={"type": "string"})
    )
    published = services.publish_version(agent=agent, draft=draft, actor=BY, note="Asks for the language")
    assert published.version.number == 2
    assert [str(change) for change in published.breaking] == ["input $.language is now required"]
    entry = AuditEntry.objects.get(verb="agents.version.published", after={"version": 2})
    assert entry.data["breaking"] == ["input $.language is now required"]


def test_a_published_version_never_changes(org):
    version = factories.agent(org, "echo").version
    with pytest.raises(DatabaseError, match="Cannot update"), transaction.atomic():
        AgentVersion.objects.filter(pk=version.pk).update(config={"callable": "sleep"})


def test_every_fault_of_a_draft_is_told_at_once(org):
    draft = VersionDraft(
        kind="llm",
        config={"system": "{{ input.documnet }}", "temperature": 3, "colour": "red"},
        input_schema=schema(("x",), document={"type": "strin"}),
        output_schema={"type": "object"},
        timeout_seconds=0,
        retry={"max_attempts": 99, "backoff": "never"},
    )
    with pytest.raises(InvalidAgent) as caught:
        factories.agent(org, "bad", draft)
    assert [fault.path for fault in caught.value.faults] == [
        "$.config.temperature",
        "$.config.colour",
        "$.input_schema.properties.document.type",
        "$.timeout_seconds",
        "$.retry.max_attempts",
        "$.retry.backoff",
    ]
    assert not Agent.objects.exists()


def test_a_prompt_that_names_no_input_is_refused(org):
    with pytest.raises(InvalidAgent, match=r"did you mean input\.document"):
        factories.agent(org, "bad", factories.llm_draft(config={"user": "{{ input.documnet }}"}))


def test_an_unknown_profile_is_refused_with_those_that_exist(org):
    services.save_profile(organisation=org, name="cheap", actor=BY, model="openai/gpt-4.1-mini")
    with pytest.raises(InvalidAgent, match="there are: auto, cheap, code, fast, offline, quality"):
        factories.agent(org, "bad", factories.llm_draft(config={"profile": "quick"}))


def test_a_missing_secret_is_advice_not_a_fault(org):
    draft = factories.http_draft("https://example.org/x", config={"headers": {"Authorization": "Bearer secret:CRM"}})
    assert factories.agent(org, "crm", draft).advice == [
        "The secret CRM does not exist yet; set it before the agent runs."
    ]


def test_an_earlier_version_comes_back_as_a_new_one(org):
    first = factories.agent(org, "summary", factories.llm_draft()).version
    services.publish_version(agent=first.agent, draft=factories.llm_draft(timeout_seconds=5), actor=BY)
    back = services.restore_version(version=first, actor=BY)
    assert (back.version.number, back.version.timeout_seconds) == (3, first.timeout_seconds)


def test_deprecating_with_a_replacement(org):
    old, new = (factories.agent(org, slug).version.agent for slug in ("old", "new"))
    old = services.set_status(agent=old, status="deprecated", actor=BY, replaced_by=new)
    assert (old.status, old.replaced_by) == ("deprecated", new)
    assert verbs(old)[-1] == "agents.agent.status_changed"
    with pytest.raises(Conflict, match="in the end replaced by"):
        services.set_status(agent=new, status="deprecated", actor=BY, replaced_by=old)
    assert services.set_status(agent=old, status="active", actor=BY).replaced_by is None


def test_a_replacement_must_be_able_to_replace(org):
    old, off = factories.agent(org, "old").version.agent, factories.agent(org, "off", status="offline").version.agent
    foreign = factories.agent(factories.organisation("other"), "new").version.agent
    with pytest.raises(Conflict, match="offline itself"):
        services.set_status(agent=old, status="deprecated", actor=BY, replaced_by=off)
    with pytest.raises(Conflict, match="same organisation"):
        services.set_status(agent=old, status="deprecated", actor=BY, replaced_by=foreign)


def test_the_card_changes_without_a_version(org):
    agent = factories.agent(org, "echo").version.agent
    card = AgentCard(name="Echo chamber", skills=["repeat"], domain="quality")
    changed = services.update_agent(agent=agent, card=card, actor=BY)
    assert (changed.name, changed.skills, changed.current.number) == ("Echo chamber", ["repeat"], 1)
    entry = AuditEntry.objects.get(verb="agents.agent.changed")
    assert entry.before == {"name": "Echo", "domain": "operations", "skills": []}
    services.update_agent(agent=agent, card=card, actor=BY)
    assert AuditEntry.objects.filter(verb="agents.agent.changed").count() == 1


def test_bad_words_are_refused_with_their_place(org):
    agent = factories.agent(org, "echo").version.agent
    with pytest.raises(InvalidAgent) as caught:
        services.update_agent(agent=agent, card=AgentCard(name="", skills=["ok", ""], domain="cooking"), actor=BY)
    assert sorted(fault.path for fault in caught.value.faults) == ["$.domain", "$.name", "$.skills[1]"]


def test_export_and_import_are_an_exact_round_trip(org):
    draft = factories.llm_draft(cost_per_run_usd=Decimal("0.01"), max_concurrency=3)
    agent = factories.agent(org, "summary", draft, skills=["summaries"], tags=["text"], domain="legal").version.agent
    exported = services.export_agent(agent)
    other = factories.organisation("other")
    copy = services.import_agent(organisation=other, data=exported, actor=BY).version.agent
    assert services.export_agent(copy) == exported
    assert services.import_agent(organisation=other, data=exported, actor=BY).created is False
    assert AgentVersion.objects.filter(agent=copy).count() == 1


def test_a_wrong_import_names_the_places(org):
    with pytest.raises(InvalidAgent) as caught:
        services.import_agent(
            organisation=org, data={"slug": "a", "colour": "red", "version": {"config": [], "speed": 1}}, actor=BY
        )
    assert [fault.path for fault in caught.value.faults] == [
        "$.colour", "$.name", "$.version.speed", "$.version.kind", "$.version.config",
    ]  # fmt: skip


def test_an_organisation_with_agents_can_be_deleted(org):
    factories.agent(org, "echo")
    org.delete()
    assert not Agent.objects.exists()


def test_one_profile_is_the_default(org):
    for name in ("fast", "quality"):
        services.save_profile(organisation=org, name=name, actor=BY, model="openai/x", is_default=True)
    assert list(org.model_profiles.filter(is_default=True).values_list("name", flat=True)) == ["quality"]


@pytest.mark.parametrize(
    ("fallbacks", "words"), [(["fast"], "itself"), (["nope"], "names no profile"), (["quality"], "circle")]
)
def test_fallbacks_must_lead_somewhere(org, fallbacks, words):
    services.save_profile(organisation=org, name="fast", actor=BY, model="openai/x")
    services.save_profile(organisation=org, name="quality", actor=BY, model="openai/x", fallbacks=["fast"])
    with pytest.raises(services.InvalidProfile, match=words):
        services.save_profile(organisation=org, name="fast", actor=BY, fallbacks=fallbacks)


def test_a_profile_in_use_stays(org):
    profile = services.save_profile(organisation=org, name="fast", actor=BY, model="openai/x")
    factories.agent(org, "summary", factories.llm_draft(config={"profile": "fast"}))
    with pytest.raises(Conflict, match="the agent summary"):
        services.delete_profile(profile=profile, actor=BY)
