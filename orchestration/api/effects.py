"""The ledger of a run's outside calls by API."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from ninja import Field, Query, Router, Schema

from orchestration import access
from orchestration.queries import effects
from portal.core.api_auth import ApiRequest, allow
from portal.core.permissions import Permission

router = Router(tags=["runs"])

MOST = 1000


class EffectOut(Schema):
    node: str
    path: str
    attempt: int
    number: int = Field(description="Within the attempt, from 1.")
    kind: str = Field(description="model, http, mail or tool")
    target: str
    idempotency_key: str
    request: dict[str, Any] = Field(description="A summary: sizes, hashes, names; never the words.")
    began_at: datetime
    ended_at: datetime | None
    outcome: str = Field(description="ok, failed, unknown (it may have happened), or open while it is under way")
    response: dict[str, Any]
    cost_usd: float | None
    maybe_twice: bool = Field(description="The same call was begun more than once and may have taken effect twice.")


@router.get("/{uuid:run_id}/effects", response=list[EffectOut], summary="What the run did to the outside world")
def list_effects(
    request: ApiRequest,
    run_id: UUID,
    node: str | None = Query(None, description="Only of this step."),
    path: str | None = Query(None, description="Only of this iteration of it."),
    offset: int = Query(0, ge=0),
    limit: int = Query(MOST, ge=1, le=MOST),
) -> Any:
    """In the order they were begun."""
    allow(request, Permission.RUNS_VIEW)
    run = access.run_for(request.organisation, run_id)
    return effects.calls(run, node=node, path=path, offset=offset, limit=limit)
