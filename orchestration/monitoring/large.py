"""Large values on pages and in answers: by their beginning and an address; whole only where that is small enough."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.urls import reverse

from orchestration.models import Run, RunEvent
from orchestration.services import values
from orchestration.values.references import KEY, digests_in, is_plain, is_reference, unescaped_key
from portal.core.ui.json_tree import Large

JSON = Any
READABLE_BYTES = 512 * 1024
"""A text of so much is still shown whole where results are read."""


def shown(run: Run, *kept: JSON) -> list[JSON]:
    """Data of the run for a page: each reference as `Large`. One query if there are any, else none."""
    digests = list(dict.fromkeys(digest for value in kept for digest in digests_in(value)))
    if not digests:
        return [value if is_plain(value) else _mapped(value, dict) for value in kept]
    beginnings = values.previews(run.organisation_id, digests)

    def large(reference: dict[str, JSON]) -> Large:
        digest = reference[KEY]
        return Large(reference["type"], reference["bytes"], beginnings.get(digest, ""), page_address(run, digest))

    return [_mapped(value, large) for value in kept]


def readable(run: Run, kept: JSON) -> JSON:
    """The same for a result somebody reads: whole if it is not too long."""
    try:
        return values.whole_of(run.organisation_id, kept, most_bytes=READABLE_BYTES)
    except values.TooLarge:
        return shown(run, kept)[0]


def shown_events(run: Run, events: Iterable[RunEvent]) -> list[RunEvent]:
    found = list(events)
    for event, data in zip(found, shown(run, *(event.data for event in found)), strict=True):
        event.data = data
    return found


def linked(kept: JSON, run: Run) -> JSON:
    """Data of the run for the API: each reference with a `url`. The escape of authors' keys stays (`$$value`)."""
    return kept if is_plain(kept) else _linked(kept, run)


def _linked(kept: JSON, run: Run) -> JSON:
    if is_reference(kept):
        return {**kept, "url": api_address(run, kept[KEY])}
    if isinstance(kept, dict):
        return {name: _linked(item, run) for name, item in kept.items()}
    return [_linked(item, run) for item in kept] if isinstance(kept, list) else kept


def page_address(run: Run, digest: str) -> str:
    return reverse("runs:value", args=[run.organisation.slug, run.pk, digest])


def api_address(run: Run, digest: str) -> str:
    return f"/api/v1/runs/{run.pk}/values/{digest}"


def _mapped(value: JSON, of_reference: Callable[[dict[str, JSON]], JSON]) -> JSON:
    if is_reference(value):
        return of_reference(value)
    if isinstance(value, dict):
        return {unescaped_key(name): _mapped(item, of_reference) for name, item in value.items()}
    return [_mapped(item, of_reference) for item in value] if isinstance(value, list) else value
