"""Drafts may be wrong, versions may not, and nobody overwrites anybody unseen."""

import pytest
from django.db import DatabaseError, transaction

from agents import services as agents
from orchestration.models import Definition, Workflow
from orchestration.services import definitions, starting, workflows
from portal.core.actors import Actor
from portal.core.models import AuditEntry
from tests.agents.factories import python_draft
from tests.factories import make_member, make_organisation
from tests.workflows import factories as make

pytestmark = pytest.mark.django_db
BROKEN = make.definition(make.node("a"), edges=[make.edge("a", "nowhere")])


def by(user) -> Actor:
    return Actor(user=user, label=user.username, channel="web")


@pytest.fixture
def org():
    return make_organisation("acme")


def verbs() -> list[str]:
    return list(
        AuditEntry.objects.filter(verb__startswith="orchestration.").order_by("id").values_list("verb", flat=True)
    )


def test_a_draft_keeps_the_order_of_its_keys(org):
    inputs = {"type": "object", "properties": {"zebra": {"type": "string"}, "a": {"type": "string"}, "mm": {}}}
    made = make.workflow(org, make.definition(inputs=inputs))
    again = Workflow.objects.get(pk=made.pk)
    assert list(again.draft["inputs"]["properties"]) == ["zebra", "a", "mm"]
    assert list(again.draft) == list(made.draft)


def test_a_wrong_draft_is_kept_and_not_published(org):
    made = make.workflow(org, BROKEN)
    with pytest.raises(definitions.InvalidDefinition) as refused:
        workflows.publish(workflow=made, actor=Actor.command())
    assert refused.value.problems[0]["code"] == "unknown_node"
    made.refresh_from_db()
    assert made.published is None
    assert verbs() == ["orchestration.workflow.created"]


def test_publishing_makes_numbered_versions_that_never_change(org):
    user = make_member(org, "designer")
    made = make.workflow(org)
    first = workflows.publish(workflow=made, actor=by(user), note="The first")
    assert (first.number, first.note, first.published_by) == (1, "The first", user)
    with pytest.raises(workflows.NothingToPublish):
        workflows.publish(workflow=made, actor=by(user))
    changed = make.definition(make.node("only"))
    workflows.save_draft(workflow=made, definition=changed, revision=1, actor=by(user))
    second = workflows.publish(workflow=made, actor=by(user))
    made.refresh_from_db()
    assert (second.number, made.published_id) == (2, second.pk)
    with pytest.raises(DatabaseError), transaction.atomic():
        Definition.objects.filter(pk=first.definition_id).update(body={})
    with pytest.raises(DatabaseError), transaction.atomic():
        made.versions.filter(number=1).update(number=7)
    assert made.versions.get(number=1).body == make.definition()


def test_equal_definitions_are_stored_once(org):
    make.published(org)
    make.published(org, slug="other")
    assert Definition.objects.count() == 1


def test_a_draft_is_not_saved_over_somebody_elses(org):
    ann, bob = make_member(org, "designer", username="ann"), make_member(org, "designer", username="bob")
    made = make.workflow(org)
    workflows.save_draft(workflow=made, definition=make.definition(name="Ann's"), revision=1, actor=by(ann))
    with pytest.raises(workflows.DraftConflict) as refused:
        workflows.save_draft(workflow=made, definition=make.definition(name="Bob's"), revision=1, actor=by(bob))
    assert refused.value.message.startswith("ann has changed the draft meanwhile")
    made.refresh_from_db()
    assert (made.name, made.draft_revision) == ("Ann's", 2)
    with pytest.raises(workflows.DraftConflict):
        workflows.publish(workflow=made, actor=by(bob), revision=1)


def test_saving_the_same_again_changes_nothing(org):
    made = make.workflow(org)
    saved = workflows.save_draft(workflow=made, definition=make.definition(), revision=1, actor=Actor.command())
    assert saved.draft_revision == 1
    assert verbs() == ["orchestration.workflow.created"]


def test_slugs_come_from_names_and_are_free(org):
    names = [make.workflow(org, make.definition(name="RFP réponse!")).slug for _ in range(3)]
    assert names == ["rfp-reponse", "rfp-reponse-2", "rfp-reponse-3"]
    assert make.workflow(org, make.definition(name="…")).slug == "workflow"
    with pytest.raises(workflows.SlugTaken):
        make.workflow(org, slug="rfp-reponse")


def test_an_import_with_errors_is_refused_unless_wanted(org):
    with pytest.raises(definitions.InvalidDefinition):
        workflows.import_definition(organisation=org, definition=BROKEN, actor=Actor.command())
    kept = workflows.import_definition(organisation=org, definition=BROKEN, actor=Actor.command(), with_problems=True)
    assert kept.draft == BROKEN


def test_archived_workflows_rest_until_they_are_restored(org):
    made = make.workflow(org)
    workflows.archive(workflow=made, actor=Actor.command())
    workflows.archive(workflow=made, actor=Actor.command())
    with pytest.raises(starting.Archived):
        workflows.publish(workflow=made, actor=Actor.command())
    workflows.restore(workflow=made, actor=Actor.command())
    assert workflows.publish(workflow=made, actor=Actor.command()).number == 1
    assert verbs()[1:] == [f"orchestration.workflow.{verb}" for verb in ("archived", "restored", "published")]


def test_an_old_version_becomes_the_draft_again(org):
    first = make.published(org)
    made = first.workflow
    workflows.save_draft(workflow=made, definition=make.definition(name="New"), revision=1, actor=Actor.command())
    restored = workflows.restore_version(workflow=made, version=first, revision=2, actor=Actor.command())
    assert (restored.draft, restored.draft_revision, restored.name) == (first.body, 3, "A workflow")


@pytest.mark.parametrize(
    "definition",
    [
        None,
        [],
        "text",
        {},
        {"format": "ensemble.workflow/1"},
        {"format": "other", "name": "A"},
        {"format": "ensemble.workflow/1", "name": "A", "nodes": [float("nan")]},
        {"format": "ensemble.workflow/1", "name": "A\x00", "nodes": []},
        {"format": "ensemble.workflow/1", "name": "A", "description": "\ud800"},
        {"format": "ensemble.workflow/1", "name": "A", "description": "x" * 5_000_000},
    ],
)
def test_what_cannot_be_kept_is_refused_with_a_reason(org, definition):
    with pytest.raises(definitions.InvalidDefinition) as refused:
        workflows.create_workflow(organisation=org, definition=definition, actor=Actor.command())
    assert refused.value.problems[0]["message"]


def test_agents_of_other_organisations_are_unknown(org):
    agents.create_agent(
        organisation=make_organisation("other"), slug="echo", card=agents.AgentCard(name="Echo"), draft=python_draft(),
        actor=Actor.command(),
    )  # fmt: skip
    body = make.definition(make.node("ask", "agent", settings={"agent": "echo"}))
    assert [problem.code.value for problem in definitions.problems_of(org, body)] == ["unknown_agent"]
