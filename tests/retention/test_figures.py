"""What agents' pages say of the last days is the same before a run is archived, after it, and when it is deleted."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from orchestration.agent_usage import NodeRunUsage
from orchestration.models import MeasuredCall, NodeRun, Run
from orchestration.retention import batches, passes
from orchestration.retention.unpacking import unpack_tree
from portal.core.models import Organisation
from tests.factories import make_organisation
from tests.retention.factories import ended, rule

pytestmark = pytest.mark.django_db


def called(organisation: Organisation, *, seconds: int, days: float = 5, **more: object) -> Run:
    """A run whose step has called the agent `writer`."""
    run = ended(organisation, days=days)
    NodeRun.objects.filter(run=run).update(
        **{"agent": "writer", "status": "succeeded", "cost_usd": Decimal("0.25"), **more},
        started_at=Now() - timedelta(days=days, seconds=seconds),
        ended_at=Now() - timedelta(days=days),
    )
    return run


def test_figures_stay_when_runs_are_archived_deleted_and_come_back(organisation: Organisation) -> None:
    kept = [called(organisation, seconds=seconds, days=1) for seconds in (1, 2)]
    packed = [called(organisation, seconds=seconds) for seconds in (3, 40)]
    failed = called(organisation, seconds=9, status="failed", cost_usd=None)
    called(organisation, seconds=500, days=31)
    called(make_organisation(), seconds=500)
    usage = NodeRunUsage()
    before = usage.figures_of(organisation.pk, ["writer", "other"])
    assert set(before) == {"writer"} and (before["writer"].runs, before["writer"].succeeded) == (5, 4)
    assert before["writer"].total_cost_usd == Decimal("1")

    rule(organisation, archive=3)
    assert batches.archive(organisation).runs == 4
    assert NodeRun.objects.filter(run__organisation=organisation).count() == len(kept)
    assert MeasuredCall.objects.count() == 3, "what is older counts no longer"
    assert usage.figures_of(organisation.pk, ["writer"]) == before

    with transaction.atomic():
        unpack_tree(packed[0].pk)
    assert MeasuredCall.objects.count() == 2 and usage.figures_of(organisation.pk, ["writer"]) == before

    rule(organisation, delete=1, status="completed")
    Run.objects.filter(pk=kept[0].pk).update(ended_at=F("ended_at") - timedelta(days=2))
    assert batches.delete(organisation).runs
    assert not Run.objects.filter(pk__in=[kept[0].pk, packed[1].pk]).exists() and failed.status == "completed"
    assert usage.figures_of(organisation.pk, ["writer"]) == before


def test_what_counts_no_longer_is_forgotten(organisation: Organisation) -> None:
    called(organisation, seconds=1)
    rule(organisation, archive=1)
    list(passes.carry_out(organisation))
    assert MeasuredCall.objects.count() == 1
    MeasuredCall.objects.update(ended_at=F("ended_at") - timedelta(days=30))
    list(passes.carry_out(organisation))
    assert not MeasuredCall.objects.exists()
