"""Agents by API: the catalogue with its filters, one agent, and registering one or its next version."""

from dataclasses import fields
from datetime import datetime
from typing import Any

from django.core.paginator import Paginator
from django.urls import reverse
from ninja import Field, Query, Router, Schema, Status

from agents import access, queries, services
from agents.kinds.base import agent_kinds
from agents.models import Agent, AgentVersion
from agents.queries import CatalogueFilter
from portal.core.actors import Actor
from portal.core.api_auth import ApiRequest, allow
from portal.core.permissions import Permission

router = Router(tags=["agents"])

MOST_AGENTS = 200


class Filters(Schema):
    """Filters combine; each is the one of the catalogue page."""

    q: str = Field("", description="Words, or beginnings of words, in name, skills, tags and description.")
    domain: str = ""
    skill: str = ""
    input: str = Field("", description="A type it takes.")
    output: str = Field("", description="A type it gives.")
    status: str = Field("", description="active, beta, deprecated or offline.")
    kind: str = Field("", description="llm, http, python, ...")
    success: str = Field("", description="This share of calls succeeded at least, in percent: 99, 95 or 80.")
    time: str = Field("", description="Calls took this many seconds at most, on average: 1, 5 or 30.")
    cost: str = Field("", description="Calls cost this many USD at most, on average: 0, 0.01 or 0.1.")
    sort: str = Field(
        "", description="name, domain or updated; with - before it backwards. Empty: best match, then name."
    )
    page: int = Field(1, ge=1)
    limit: int = Field(50, ge=1, le=MOST_AGENTS)


class AgentSummary(Schema):
    slug: str
    name: str
    description: str
    domain: str
    skills: list[str]
    input_types: list[str]
    output_types: list[str]
    tags: list[str]
    status: str
    replaced_by: str | None = Field(description="Slug of the agent to use instead.")
    kind: str | None = Field(description="Kind of the current version.")
    version: int | None = Field(description="Number of the current version.")
    updated_at: datetime
    url: str = Field(description="The agent's page.")

    @staticmethod
    def resolve_replaced_by(agent: Agent) -> str | None:
        return agent.replaced_by.slug if agent.replaced_by else None

    @staticmethod
    def resolve_kind(agent: Agent) -> str | None:
        return agent.current.kind if agent.current else None

    @staticmethod
    def resolve_version(agent: Agent) -> int | None:
        return agent.current.number if agent.current else None

    @staticmethod
    def resolve_url(agent: Agent, context: Any) -> str:
        request: ApiRequest = context["request"]
        path = reverse("agents:detail", args=[request.organisation.slug, agent.slug])
        return request.build_absolute_uri(path)


class AgentPage(Schema):
    items: list[AgentSummary]
    count: int
    page: int
    pages: int


class VersionOut(Schema):
    number: int
    kind: str
    config: dict[str, Any]
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]
    timeout_seconds: int
    max_concurrency: int | None
    retry: dict[str, Any]
    cost_per_run_usd: float | None
    contract: str = Field(description="major.minor of the contract: the major counts what breaks.")
    note: str
    published_at: datetime

    @staticmethod
    def resolve_contract(version: AgentVersion) -> str:
        return queries.contracts_of(version.agent)[version.number]


class AgentOut(AgentSummary):
    current: VersionOut | None
    versions: list[int] = Field(description="Numbers of all published versions, the newest first.")

    @staticmethod
    def resolve_versions(agent: Agent) -> list[int]:
        return list(queries.versions(agent).values_list("number", flat=True))


class VersionIn(Schema):
    """What `GET /agents/{slug}` shows under `current`, as far as one chooses it oneself."""

    kind: str
    config: dict[str, Any]
    input_schema: dict[str, Any] = Field(default_factory=dict)
    output_schema: dict[str, Any] = Field(default_factory=dict)
    timeout_seconds: int = 120
    max_concurrency: int | None = None
    retry: dict[str, Any] = Field(default_factory=dict, description="max_attempts, backoff, initial_seconds")
    cost_per_run_usd: float | None = None


class AgentIn(Schema):
    """An agent in the format ensemble.agent/1. A known slug gets a new version if anything of it differs."""

    format: str = "ensemble.agent/1"
    slug: str
    name: str
    description: str = ""
    domain: str = "operations"
    skills: list[str] = Field(default_factory=list)
    input_types: list[str] = Field(default_factory=list)
    output_types: list[str] = Field(default_factory=list)
    tags: list[str] = Field(default_factory=list)
    status: str | None = None
    version: VersionIn
    note: str = Field("", max_length=300, description="What is new in this version.")
    confirm_breaking: bool = Field(
        False, description="Publish although published workflows that follow the latest version may break; else 409."
    )


class BreakingChange(Schema):
    side: str = Field(description="input or output")
    kind: str
    path: str
    message: str
    breaking: bool


class Registered(Schema):
    agent: AgentOut
    version: int
    created: bool = Field(description="Whether this call published the version; false when it said nothing new.")
    breaking: list[BreakingChange] = Field(description="What of the contract no longer holds for those who use it.")
    advice: list[str] = Field(description="What is still to be done before it can run.")


class KindOut(Schema):
    kind: str
    label: str
    description: str
    config_schema: dict[str, Any] = Field(description="JSON Schema of the settings of this kind.")


@router.get("/agents", response=AgentPage, summary="The catalogue")
def list_agents(request: ApiRequest, filters: Query[Filters]) -> dict[str, Any]:
    allow(request, Permission.AGENTS_VIEW)
    chosen = CatalogueFilter(**{one.name: getattr(filters, one.name).strip() for one in fields(CatalogueFilter)})
    page = Paginator(queries.catalogue(request.organisation, chosen), filters.limit).get_page(filters.page)
    return {"items": list(page), "count": page.paginator.count, "page": page.number, "pages": page.paginator.num_pages}


@router.get("/agents/{slug}", response=AgentOut, summary="One agent with its current version")
def get_agent(request: ApiRequest, slug: str) -> Agent:
    allow(request, Permission.AGENTS_VIEW)
    return access.agent_for(request.organisation, slug)


@router.get("/agents/{slug}/versions/{number}", response=VersionOut, summary="A published version")
def get_version(request: ApiRequest, slug: str, number: int) -> AgentVersion:
    allow(request, Permission.AGENTS_VIEW)
    return access.version_for(access.agent_for(request.organisation, slug), number)


@router.post("/agents", response={200: Registered, 201: Registered}, summary="Register an agent or its next version")
def register_agent(request: ApiRequest, payload: AgentIn) -> Status[dict[str, Any]]:
    """201 when a version was published, 200 when the agent already says all of this. Faults come back all at once."""
    allow(request, Permission.AGENTS_MANAGE)
    data = payload.model_dump(exclude={"note", "confirm_breaking"}, exclude_none=True)
    published = services.import_agent(
        organisation=request.organisation,
        data=data,
        actor=Actor.of(request),
        note=payload.note,
        confirmed=payload.confirm_breaking,
    )
    body = {
        "agent": access.agent_for(request.organisation, payload.slug),
        "version": published.version.number,
        "created": published.created,
        "breaking": [change.as_json() for change in published.breaking],
        "advice": published.advice,
    }
    return Status(201 if published.created else 200, body)


@router.get("/agent-kinds", response=list[KindOut], summary="Kinds of agents and their settings")
def list_kinds(request: ApiRequest) -> list[dict[str, Any]]:
    """What an agent may be made of; installations may have more kinds than the portal brings."""
    allow(request, Permission.AGENTS_VIEW)
    return [
        {
            "kind": kind.kind,
            "label": str(kind.label),
            "description": str(kind.description),
            "config_schema": kind.Config.model_json_schema(),
        }
        for kind in agent_kinds().values()
    ]
