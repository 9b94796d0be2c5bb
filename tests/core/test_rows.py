"""Rows inserted by ready statements are the rows that `save()` would have made."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from orchestration.models import Definition, Run
from portal.core import rows
from portal.core.models import AuditEntry, Organisation
from tests.cast import Cast

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def organisation(cast: Cast) -> Organisation:
    return cast.organisation


def made(organisation: Organisation, **more: object) -> Run:
    definition, _ = Definition.objects.get_or_create(digest="d", defaults={"body": {"nodes": []}})
    return Run(organisation=organisation, definition=definition, name='a "quoted" %s', inputs={"a": ["ü"]}, **more)


def test_an_object_is_as_if_it_had_been_saved(organisation: Organisation) -> None:
    run, other = made(organisation, due_at=Now()), made(organisation, due_at=Now())
    fill = rows.insert(run)
    fill()
    other.save(force_insert=True)
    assert timezone.now() - run.created_at < timedelta(minutes=1)
    assert run.due_at == run.created_at
    found = Run.objects.get(pk=run.pk)
    for field in Run._meta.concrete_fields:
        assert getattr(found, field.attname) == getattr(run, field.attname), field.name
    differ = {f.name for f in Run._meta.concrete_fields if getattr(run, f.attname) != getattr(other, f.attname)}
    assert differ <= {"id", "created_at", "due_at"}
    run.name = "renamed"
    run.save()
    assert Run.objects.get(pk=run.pk).name == "renamed"


def test_an_id_that_the_database_gives_is_filled_in() -> None:
    entry = AuditEntry(verb="core.test.done", actor_label="nobody", channel="cli", data={"a": 1})
    rows.insert(entry)()
    assert AuditEntry.objects.get(pk=entry.pk).data == {"a": 1}


def test_statements_travel_together_and_fail_together(organisation: Organisation) -> None:
    first, second = made(organisation, idempotency_key="k"), made(organisation, idempotency_key="k")
    with pytest.raises(IntegrityError, match="run_idempotency_key_once"), transaction.atomic(), rows.together():
        rows.insert(first)
        rows.insert(second)
    assert not Run.objects.exists()
    with transaction.atomic(), rows.together():
        fill = rows.insert(first)
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM orchestration_run")
            assert cursor.fetchone() == (1,)
    fill()
    assert Run.objects.get().created_at == first.created_at
