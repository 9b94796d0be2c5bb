"""What the figures of agents' pages need of calls whose rows are about to go: one slim row a call, for as long as it
counts. So the figures of the last days are the same however soon a policy archives and deletes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection

from orchestration.agent_usage import MEASURED_DAYS
from orchestration.models import MeasuredCall
from portal.core import clock

_KEEP = """
INSERT INTO orchestration_measuredcall (organisation_id, run, agent, ended_at, succeeded, seconds, cost_usd)
SELECT run.organisation_id, run.id, step.agent, step.ended_at, step.status = 'succeeded',
       EXTRACT(EPOCH FROM step.ended_at - step.started_at), step.cost_usd
FROM orchestration_noderun AS step JOIN orchestration_run AS run ON run.id = step.run_id
WHERE step.run_id = ANY(%s) AND step.agent <> '' AND step.status IN ('succeeded', 'failed') AND step.ended_at >= %s
"""


def keep(run_ids: Sequence[UUID]) -> None:
    """Of runs that are archived or deleted in this transaction; those archived before have no rows any more."""
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, [list(run_ids), _since()])


def give_back(run_id: UUID) -> None:
    """The run's own rows are there again."""
    MeasuredCall.objects.filter(run=run_id).delete()


def forget_old() -> int:
    """Remove what counts no longer; says how many."""
    return MeasuredCall.objects.filter(ended_at__lt=_since()).delete()[0]


def _since() -> datetime:
    return clock.now() - timedelta(days=MEASURED_DAYS)
