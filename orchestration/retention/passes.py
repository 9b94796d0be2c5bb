"""One pass over the organisations that have a policy: the job, and `manage.py retention`."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import structlog

from orchestration.models import RetentionRule
from orchestration.retention import batches, figures
from orchestration.retention.batches import Batch
from orchestration.retention.choosing import Act
from portal.core.models import Organisation

log = structlog.get_logger(__name__)

SECONDS = 200.0
"""A job has five minutes; the next one goes on where this one ends."""
_WORK: dict[Act, Callable[..., Batch]] = {Act.DELETE: batches.delete, Act.ARCHIVE: batches.archive}


@dataclass(slots=True)
class Done:
    """What a pass has done of one kind in one organisation."""

    organisation: Organisation
    act: Act
    by: Counter[tuple[str, str]] = field(default_factory=Counter)
    """{(slug of the workflow, status): runs}"""
    bytes_before: int = 0
    bytes_after: int = 0

    @property
    def runs(self) -> int:
        return self.by.total()


def carry_out(organisation: Organisation | None = None, *, seconds: float | None = SECONDS) -> Iterator[Done]:
    """Do what policies say, deletion first, until nothing is left or time is over. Says what, where anything was done.

    Organisations take turns, a batch each; what time does not allow is found by the next pass, as what is done is not
    found again.
    """
    figures.forget_old()
    end = None if seconds is None else time.monotonic() + seconds
    with_policy = Organisation.objects.filter(pk__in=RetentionRule.objects.values("organisation"))
    if organisation is not None:
        with_policy = with_policy.filter(pk=organisation.pk)
    open_work = [(one, act) for one in with_policy.order_by("pk") for act in _WORK]
    done = {(one.pk, act): Done(one, act) for one, act in open_work}
    places = {(one.pk, act): batches.BEGINNING for one, act in open_work}
    while open_work and (end is None or time.monotonic() < end):
        one, act = open_work.pop(0)
        batch = _WORK[act](one, places[one.pk, act])
        found = done[one.pk, act]
        found.by.update(batch.by)
        found.bytes_before += batch.bytes_before
        found.bytes_after += batch.bytes_after
        if batch.after is not None:  # to the end of the line: nobody waits for an organisation with very much to do
            places[one.pk, act] = batch.after
            open_work.append((one, act))
    for found in done.values():
        if found.runs:
            log.info(f"runs {found.act}d by policy", organisation=found.organisation.slug, runs=found.runs)
            yield found
