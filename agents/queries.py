"""All that reads the registry for pages, API and the validation of workflows."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from django.contrib.postgres.search import SearchRank
from django.db.models import F, QuerySet

from agents import measured, usage
from agents.compatibility import Contract, contract_numbers
from agents.kinds.base import kind_choices
from agents.models import Agent, AgentVersion, Domain, ModelProfile, Status
from agents.models.search import search_query
from portal.core.models import Organisation

JSON = Any

SORTS = {
    "name": ("name", "id"),
    "-name": ("-name", "-id"),
    "domain": ("domain", "name", "id"),
    "-domain": ("-domain", "name", "id"),
    "updated": ("updated_at", "id"),
    "-updated": ("-updated_at", "-id"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueFilter:
    """What the address says; an empty value filters nothing."""

    q: str = ""
    domain: str = ""
    skill: str = ""
    input: str = ""
    output: str = ""
    status: str = ""
    kind: str = ""
    success: str = ""
    time: str = ""
    cost: str = ""
    sort: str = ""

    @property
    def measured(self) -> dict[str, str]:
        """The filters by what was measured (`agents.measured`)."""
        return {name: measured.known(name, getattr(self, name)) for name in measured.BOUNDS}

    @property
    def narrows(self) -> bool:
        return any(getattr(self, one.name) for one in fields(self) if one.name != "sort")


def catalogue(organisation: Organisation, chosen: CatalogueFilter) -> QuerySet[Agent]:
    """Agents that meet all of the filter; the best match first when words are searched, else by `sort` or name.

    Measured filters cost two queries at once.
    """
    found = Agent.objects.filter(organisation=organisation).select_related("current", "replaced_by")
    found = found.defer("search", "current__config", "current__input_schema", "current__output_schema")
    exact = {"domain": chosen.domain, "status": chosen.status, "current__kind": chosen.kind}
    held = {"skills": chosen.skill, "input_types": chosen.input, "output_types": chosen.output}
    found = found.filter(**{name: value for name, value in exact.items() if value})
    found = found.filter(**{f"{name}__contains": [value] for name, value in held.items() if value})
    if any(chosen.measured.values()):
        found = found.filter(slug__in=_meeting(organisation, chosen))
    order = SORTS.get(chosen.sort, SORTS["name"])
    if chosen.q:
        query = search_query(chosen.q)
        if query is None:
            return found.none()  # only punctuation: nothing holds it
        found = found.filter(search=query)
        if not chosen.sort:
            return found.annotate(rank=SearchRank(F("search"), query)).order_by("-rank", "name", "id")
    return found.order_by(*order)


def _meeting(organisation: Organisation, chosen: CatalogueFilter) -> set[str]:
    """Agents whose measured figures meet the filter. Two queries."""
    source = usage.source()
    figures = source.figures_of(organisation.pk, slugs(organisation.pk)) if source else {}
    return measured.meeting(figures, chosen.measured)


@dataclass(frozen=True, slots=True)
class Facet:
    """A filter row's choice: (value, "Legal (4)") pairs, only those that some agent has."""

    name: str
    label: str
    options: list[tuple[str, str]]
    selected: str


@dataclass(frozen=True, slots=True)
class Facets:
    total: int
    facets: list[Facet]


def facets(organisation: Organisation, chosen: CatalogueFilter) -> Facets:
    """How many agents there are of each domain, skill, type, status and kind. One query."""
    rows = list(
        Agent.objects.filter(organisation=organisation).values_list(
            "domain", "status", "current__kind", "skills", "input_types", "output_types"
        )
    )
    words: dict[str, dict[str, Any]] = {
        "domain": dict(Domain.choices),
        "status": dict(Status.choices),
        "kind": dict(kind_choices()),
    }
    labels = {
        "domain": "Domain",
        "skill": "Skill",
        "input": "Takes",
        "output": "Gives",
        "status": "Status",
        "kind": "Kind",
    }
    places = {"domain": 0, "status": 1, "kind": 2, "skill": 3, "input": 4, "output": 5}
    found = []
    for name, label in labels.items():
        counts = Counter(value for row in rows for value in _several(row[places[name]]))
        options = [(value, f"{words.get(name, {}).get(value, value)} ({count})") for value, count in counts.items()]
        found.append(Facet(name, label, sorted(options, key=lambda option: option[1].lower()), getattr(chosen, name)))
    for name, value in chosen.measured.items():
        options = [(key, bound.label) for key, bound in measured.BOUNDS[name].items()]
        found.append(Facet(name, measured.LABELS[name], options, value))
    return Facets(len(rows), found)


def _several(value: JSON) -> list[str]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def versions(agent: Agent) -> QuerySet[AgentVersion]:
    """Newest first."""
    return AgentVersion.objects.filter(agent=agent).select_related("published_by").order_by("-number")


def contracts_of(agent: Agent) -> dict[int, str]:
    """What the contract of each version is called ("2.1"), by the version's number. One query."""
    rows = AgentVersion.objects.filter(agent=agent).order_by("number")
    found = list(rows.values_list("number", "input_schema", "output_schema"))
    numbers = contract_numbers([Contract(inputs, outputs) for _, inputs, outputs in found])
    return {number: contract for (number, *_), contract in zip(found, numbers, strict=True)}


def replacements(agent: Agent) -> QuerySet[Agent]:
    """Agents that could stand in for this one."""
    others = Agent.objects.filter(organisation_id=agent.organisation_id).exclude(pk=agent.pk)
    return others.exclude(status__in=[Status.OFFLINE, Status.DEPRECATED]).defer("search").order_by("name")


def profiles(organisation: Organisation) -> QuerySet[ModelProfile]:
    return ModelProfile.objects.filter(organisation=organisation).order_by("name")


# -- for the validation and the pinning of workflows ----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a workflow may ask about an agent it names. `version` is None when that version does not exist."""

    slug: str
    name: str
    status: str
    replaced_by: str | None
    version: int | None
    input_schema: Mapping[str, JSON]
    output_schema: Mapping[str, JSON]
    retry: Mapping[str, JSON]
    timeout_seconds: int | None


def known(organisation_id: int, wanted: Iterable[tuple[str, int | None]]) -> dict[tuple[str, int | None], Known]:
    """Agents by (slug, pinned version or None for the latest); absent when there is none. Two queries."""
    wanted = set(wanted)
    agents = {
        agent.slug: agent
        for agent in Agent.objects.filter(organisation_id=organisation_id, slug__in={slug for slug, _ in wanted})
        .select_related("current", "replaced_by")
        .defer("search")
    }
    pinned = {(slug, number) for slug, number in wanted if number is not None and slug in agents}
    rows = AgentVersion.objects.filter(
        agent__in=[agents[slug] for slug, _ in pinned], number__in={number for _, number in pinned}
    )
    by_number = {(row.agent_id, row.number): row for row in rows} if pinned else {}
    return {
        (slug, number): _known(
            agents[slug], by_number.get((agents[slug].pk, number)) if number else agents[slug].current
        )
        for slug, number in wanted
        if slug in agents
    }


def slugs(organisation_id: int) -> list[str]:
    """Every agent's slug, for "did you mean"."""
    return list(Agent.objects.filter(organisation_id=organisation_id).order_by("slug").values_list("slug", flat=True))


def _known(agent: Agent, version: AgentVersion | None) -> Known:
    return Known(
        slug=agent.slug,
        name=agent.name,
        status=agent.status,
        replaced_by=agent.replaced_by.slug if agent.replaced_by else None,
        version=version.number if version else None,
        input_schema=version.input_schema if version else {},
        output_schema=version.output_schema if version else {},
        retry=version.retry if version else {},
        timeout_seconds=version.timeout_seconds if version else None,
    )
