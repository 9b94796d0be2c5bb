"""What the workflows of an organisation take and give, for the validation of those that run them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from orchestration.definition.contracts import Contract, WorkflowContract, Workflows
from orchestration.definition.named import Named, named_in, settings_of
from orchestration.models import Workflow, WorkflowVersion
from portal.core.models import Organisation

JSON = Any


def interfaces(organisation: Organisation, definition: JSON, own: str = "") -> Workflows | None:
    """Every workflow by slug, with the interfaces of those the definition runs, and what these run in turn.

    None, without a query, for a definition without subworkflows; else three queries, and one more for each level of
    workflows within workflows.
    """
    wanted = _named(definition)
    if not wanted:
        return None
    of_organisation = Workflow.objects.filter(organisation=organisation)
    rows = {row.slug: row for row in of_organisation.only("slug", "archived_at", "published_id")}
    numbers: dict[str, dict[int, int]] = {}
    versions = WorkflowVersion.objects.filter(workflow__organisation=organisation, workflow__slug__in=_slugs(wanted))
    for slug, number, pk in versions.values_list("workflow__slug", "number", "pk"):
        numbers.setdefault(slug, {})[number] = pk
    published = _published(rows, _slugs(wanted))
    pinned = _pinned({numbers[slug][n] for slug, n in wanted if n is not None and n in numbers.get(slug, {})})
    known = {
        slug: _contract(row, numbers.get(slug, {}), published.get(slug), pinned.get(slug, {}))
        for slug, row in rows.items()
    }
    return Workflows(known, own)


def _contract(
    row: Workflow, numbers: Mapping[int, int], published: JSON, pinned: Mapping[int, JSON]
) -> WorkflowContract:
    current = next((number for number, pk in numbers.items() if pk == row.published_id), None)
    bodies = {**pinned, **({current: published} if current is not None and published is not None else {})}
    return WorkflowContract(
        row.slug,
        archived=row.archived_at is not None,
        current=current,
        numbers=frozenset(numbers),
        versions={number: interface(body) for number, body in bodies.items()},
        runs=frozenset(_slugs(_named(published))),
        undoing=frozenset(number for number, body in bodies.items() if _undoes(body)),
    )


def interface(body: Mapping[str, JSON]) -> Contract:
    """What a definition takes and gives."""
    outputs = {"type": "object", "properties": {name: {} for name in body.get("outputs") or {}}}
    return Contract(body.get("inputs") or {}, {**outputs, "additionalProperties": False})


def _undoes(body: Mapping[str, JSON]) -> bool:
    return any(node.get("compensate_with") for node in body.get("nodes") or ())


def _published(rows: Mapping[str, Workflow], slugs: set[str]) -> dict[str, JSON]:
    """Published definitions of these workflows, and of all that they run."""
    found: dict[str, JSON] = {}
    waiting = slugs
    while ids := [rows[slug].published_id for slug in waiting if slug in rows and rows[slug].published_id]:
        level = _bodies(ids)
        found |= {slug: body for slug, _, body in level}
        waiting = {inner for _, _, body in level for inner in _slugs(_named(body))} - found.keys()
    return found


def _pinned(ids: set[int]) -> dict[str, dict[int, JSON]]:
    found: dict[str, dict[int, JSON]] = {}
    for slug, number, body in _bodies(ids) if ids else ():
        found.setdefault(slug, {})[number] = body
    return found


def _bodies(ids: Iterable[int | None]) -> list[tuple[str, int, JSON]]:
    return list(
        WorkflowVersion.objects.filter(pk__in=list(ids)).values_list("workflow__slug", "number", "definition__body")
    )


def _slugs(named: Iterable[Named]) -> set[str]:
    return {slug for slug, _ in named}


def _named(definition: JSON) -> set[Named]:
    """The workflows that a definition runs."""
    found = (named_in(settings, "workflow") for settings in settings_of(definition, "subworkflow"))
    return {one for one in found if one}
