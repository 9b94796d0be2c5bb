"""`GET /api/workflows/list`: what can be executed, in the words of the callers it was made for (camelCase, no
version).
"""

from __future__ import annotations

from typing import Any, Literal

from ninja import Query, Router, Schema
from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from orchestration.queries import workflows as queries
from portal.core.api_auth import ApiRequest, allow
from portal.core.permissions import Permission

router = Router(tags=["workflows"])

_SIMPLE, _MODERATE = 5, 12
"""Nodes up to which a workflow counts as simple, as moderate."""


class Listed(Schema):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    id: str
    name: str
    description: str
    category: str
    tags: list[str]
    estimated_duration: float
    """Seconds: the mean of its last completed runs; 0 before the first."""
    complexity: Literal["simple", "moderate", "complex"]


class Listing(Schema):
    workflows: list[Listed]


class ListingQuery(Schema):
    category: str = ""
    tags: str = ""


@router.get("/list", response=Listing, by_alias=True, summary="Published workflows")
def list_workflows(request: ApiRequest, query: Query[ListingQuery]) -> dict[str, Any]:
    """`tags` are separated by commas; a workflow must have all of them."""
    allow(request, Permission.WORKFLOWS_VIEW)
    chosen = queries.WorkflowFilter(category=query.category, tags=queries.tags_in(query.tags), state="published")
    rows = queries.published_rows(request.organisation, chosen)
    return {
        "workflows": [
            Listed(
                id=row.slug,
                name=row.name,
                description=row.description,
                category=row.category,
                tags=row.tags,
                estimated_duration=row.seconds,
                complexity=_complexity(row.nodes),
            )
            for row in rows
        ]
    }


def _complexity(nodes: int) -> Literal["simple", "moderate", "complex"]:
    if nodes <= _SIMPLE:
        return "simple"
    return "moderate" if nodes <= _MODERATE else "complex"
