"""Saying no at the door: an organisation may have so many open runs, and no more are taken in."""

from __future__ import annotations

from django.conf import settings

from orchestration.models import OrganisationLimits, Run
from portal.core.errors import UserError
from portal.core.models import Organisation

_RETRY_SECONDS = 30


class TooManyRuns(UserError):
    """429. `retry_after`: seconds after which it is worth asking again."""

    status = 429
    retry_after = _RETRY_SECONDS

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"This organisation has {limit:,} runs that have not ended, which is its limit. "
            "Wait for some to end, cancel what is not needed, or have an administrator raise the limit.",
            code="too_many_runs",
            limit=str(limit),
        )


def make_room(organisation: Organisation, wanted: int = 1) -> None:
    """Raises TooManyRuns when so many more runs are too many. Counts open runs by an index of their own.

    Callers at the same time may together exceed the limit by as many as they are: it keeps queues from growing without
    bound, and nobody waits for a lock because of it.
    """
    limit = open_runs_limit(organisation)
    if Run.objects.filter(organisation=organisation).unfinished()[: limit + 1].count() + wanted > limit:
        raise TooManyRuns(limit)


def open_runs_limit(organisation: Organisation) -> int:
    own = OrganisationLimits.objects.filter(organisation=organisation).values_list("open_runs", flat=True).first()
    return own or int(settings.ENGINE_OPEN_RUNS)
