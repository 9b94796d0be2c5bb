"""Workflows and runs in the administration: seen by those who may, changed by nobody but the services."""

import pytest
from django.urls import reverse

from orchestration.models import Run, Workflow
from portal.core.models import AuditEntry
from tests.cast import make_cast
from tests.workflows import factories as make

pytestmark = pytest.mark.django_db
MODELS = ["workflow", "workflowversion", "run", "enginehost"]


@pytest.fixture
def cast():
    return make_cast()


@pytest.fixture
def run(cast):
    version = make.published(cast.organisation, make.definition(name="Order check"))
    return Run.objects.create(
        organisation=cast.organisation,
        workflow=version.workflow,
        version=version,
        definition=version.definition,
        name="Order check",
    )


def changelist(model: str) -> str:
    return reverse(f"admin:orchestration_{model}_changelist")


@pytest.mark.parametrize("model", MODELS)
def test_a_superuser_sees_all_and_cannot_add(client, cast, run, model):
    client.force_login(cast.superuser)
    assert client.get(changelist(model)).status_code == 200
    assert client.get(reverse(f"admin:orchestration_{model}_add")).status_code == 403


def test_rows_are_shown_whole_and_read_only(client, cast, run):
    client.force_login(cast.superuser)
    for model, pk in (("workflow", run.workflow_id), ("workflowversion", run.version_id), ("run", run.pk)):
        page = client.get(reverse(f"admin:orchestration_{model}_change", args=[pk]))
        assert page.status_code == 200
        assert "Order check" in page.content.decode()
        assert 'name="_save"' not in page.content.decode()


def test_an_administrator_sees_the_own_organisation_only(client, cast, run):
    make.published(cast.elsewhere, make.definition(name="Foreign"))
    client.force_login(cast.admin)
    page = client.get(changelist("workflow")).content.decode()
    assert "Order check" in page
    assert "Foreign" not in page
    client.force_login(cast.stranger)
    assert "Order check" not in client.get(changelist("run")).content.decode()
    assert client.get(reverse("admin:orchestration_run_change", args=[run.pk])).status_code in (302, 404)


def test_actions_call_the_service(client, cast, run):
    client.force_login(cast.admin)
    chosen = {"action": "archive", "_selected_action": [str(run.workflow_id)]}
    client.post(changelist("workflow"), chosen)
    assert Workflow.objects.get().archived_at is not None
    assert AuditEntry.objects.filter(verb="orchestration.workflow.archived", channel="admin").count() == 1
    client.post(changelist("workflow"), {**chosen, "action": "restore"})
    assert Workflow.objects.get().archived_at is None


def test_those_who_may_only_look_cannot_act(client, cast, run):
    client.force_login(cast.viewer)
    client.post(changelist("workflow"), {"action": "archive", "_selected_action": [str(run.workflow_id)]})
    assert Workflow.objects.get().archived_at is None
