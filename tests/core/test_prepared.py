"""A query whose SQL is made once answers as it does when it is made anew."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models import Count, Model
from django.http import Http404
from django.test import Client
from django.test.utils import CaptureQueriesContext

from approvals import queries as approvals
from approvals.models import ApprovalRequest
from orchestration.access import run_for
from orchestration.models import Run
from orchestration.monitoring import queries as monitoring
from portal.core import access, clock
from portal.core.actors import Actor
from portal.core.models import ApiToken, Membership, Notification, Organisation
from portal.core.prepared import Prepared
from portal.core.queries import unread_notifications
from portal.core.services import tokens
from tests.cast import Cast
from tests.engine_host import make_definition
from tests.factories import bearer, make_token


def _facts(instance: Model) -> dict[str, object]:
    return {field.attname: getattr(instance, field.attname) for field in instance._meta.concrete_fields}


def test_it_reads_objects_with_those_related_to_them(cast: Cast) -> None:
    token = make_token(cast.organisation, cast.viewer, scopes=["runs.view"]).token
    query = ApiToken.objects.select_related("user", "organisation")
    prepared = Prepared(lambda prefix: query.filter(prefix=prefix))
    expected = query.get(pk=token.pk)
    for _ in range(2):
        with CaptureQueriesContext(connection) as asked:
            found = prepared.first(token.prefix)
            assert found is not None
            assert _facts(found) == _facts(expected)
            assert _facts(found.user) == _facts(expected.user)
            assert _facts(found.organisation) == _facts(cast.organisation)
        assert len(asked) == 1
    found.name = "renamed"
    found.save(update_fields=["name"])  # it is a row that is there
    assert ApiToken.objects.get(pk=token.pk).name == "renamed"
    assert prepared.first("nobody") is None


def test_it_tells_apart_what_it_is_given(cast: Cast) -> None:
    prepared = Prepared(lambda slug, active: Organisation.objects.filter(is_active=active, slug=slug))
    assert prepared.first("acme", True) == cast.organisation
    assert prepared.first("elsewhere", True) == cast.elsewhere
    assert prepared.first("acme", False) is None
    assert prepared.all("' OR '' = '", True) == []


def test_columns_that_were_left_out_are_read_when_they_are_asked_for(cast: Cast) -> None:
    found = Prepared(lambda slug: Organisation.objects.filter(slug=slug).only("slug")).first("acme")
    assert found is not None
    assert found.get_deferred_fields() >= {"name"}
    assert found.name == cast.organisation.name


def test_a_related_object_that_is_not_there_is_none(cast: Cast) -> None:
    found = Prepared(lambda user: Membership.objects.filter(user=user).select_related("user__last_organisation")).first(
        cast.viewer.pk
    )
    assert found is not None
    with CaptureQueriesContext(connection) as asked:
        assert found.user.last_organisation is None
    assert len(asked) == 0


def test_it_reads_values_and_what_is_counted(cast: Cast) -> None:
    members = Membership.objects.order_by("organisation__slug").values("organisation__slug").annotate(n=Count("pk"))
    prepared = Prepared(lambda: members.values_list("organisation__slug", "n"))
    assert prepared.all() == list(members.values_list("organisation__slug", "n"))
    with_members = Organisation.objects.annotate(n=Count("memberships"))
    counted = Prepared(lambda slug: with_members.filter(slug=slug)).first("acme")
    assert counted is not None
    assert counted.n == len(cast.by_role)  # type: ignore[attr-defined]


def test_the_numbers_of_the_navigation_are_those_of_the_lists(cast: Cast) -> None:
    definition = make_definition([{"id": "a", "type": "join"}])
    run = Run.objects.create(organisation=cast.organisation, definition=definition)
    kinds = [ApprovalRequest.Kind.APPROVAL, ApprovalRequest.Kind.ESCALATION]
    people: list[dict[str, Any]] = [
        {},
        {"assignee_role": "approver"},
        {"assignee_role": "operator"},
        {"assignee_user": cast.viewer},
    ]
    for number, (kind, whom) in enumerate(product(kinds, people)):
        ApprovalRequest.objects.create(
            organisation=cast.organisation, run=run, node=f"n{number}", kind=kind, title="Go on?", **whom
        )
    for user in [*cast.by_role.values(), cast.superuser, cast.stranger]:
        waiting = approvals.waiting_for(user, cast.organisation)
        assert approvals.count_waiting_for(user, cast.organisation) == waiting.count(), user
        assert approvals.count_waiting_for(user, cast.elsewhere) == 0, user
    assert approvals.count_waiting_for(cast.by_role["approver"], cast.organisation) > 0
    assert unread_notifications(cast.viewer, cast.organisation) == 0
    for title in ("one", "two"):
        Notification.objects.create(user=cast.viewer, organisation=cast.organisation, title=title, key=title)
    assert unread_notifications(cast.viewer, cast.organisation) == 2
    assert unread_notifications(cast.viewer, cast.elsewhere) == 0


def test_what_can_never_be_is_not_asked_for(cast: Cast) -> None:
    with CaptureQueriesContext(connection) as asked:
        assert Prepared(lambda slug: Organisation.objects.filter(slug=slug, pk__in=[])).all("acme") == []
    assert len(asked) == 0


def test_rights_are_asked_for_anew_by_each_request(cast: Cast) -> None:
    client, headers = Client(), bearer(make_token(cast.organisation, cast.viewer))
    assert client.get("/api/v1/runs", headers=headers).status_code == 200
    Membership.objects.get(user=cast.viewer, organisation=cast.organisation).roles.clear()
    assert client.get("/api/v1/runs", headers=headers).status_code == 403
    assert access.permissions_of(type(cast.viewer).objects.get(pk=cast.viewer.pk), cast.organisation) == frozenset()


def test_a_revoked_token_is_refused_at_once(cast: Cast) -> None:
    client, made = Client(), make_token(cast.organisation, cast.viewer)
    assert client.get("/api/v1/runs", headers=bearer(made)).status_code == 200
    tokens.revoke_token(token=made.token, actor=Actor.command())
    assert client.get("/api/v1/runs", headers=bearer(made)).status_code == 401


@pytest.mark.parametrize("status", ["", "unfinished", "failed"])
def test_the_newest_runs_are_the_first_of_the_list(cast: Cast, status: str) -> None:
    definition = make_definition([{"id": "a", "type": "join"}])
    for number, kept in enumerate(["queued", "failed", "running", "failed", "queued", "failed"]):
        Run.objects.create(organisation=cast.organisation, definition=definition, status=kept, name=str(number))
    Run.objects.create(organisation=cast.elsewhere, definition=definition, status="failed")
    old = Run.objects.filter(name="1")
    old.update(created_at=clock.now() - timedelta(days=60))
    for period in ("", "month"):
        chosen = monitoring.RunFilter(status=status, period=period)
        expected = list(monitoring.runs(cast.organisation, chosen)[:2])
        for _ in range(2):
            found = monitoring.newest_runs(cast.organisation, chosen, 2)
            assert found == expected
            assert [run.get_deferred_fields() for run in found] == [run.get_deferred_fields() for run in expected]


def test_a_run_is_found_in_its_organisation_by_its_id_only(cast: Cast) -> None:
    definition = make_definition([{"id": "a", "type": "join"}])
    run = Run.objects.create(organisation=cast.organisation, definition=definition)
    assert run_for(cast.organisation, str(run.pk)) == run_for(cast.organisation, run.pk) == run
    for organisation, wanted in ((cast.elsewhere, run.pk), (cast.organisation, uuid4()), (cast.organisation, "x")):
        with pytest.raises(Http404):
            run_for(organisation, wanted)
