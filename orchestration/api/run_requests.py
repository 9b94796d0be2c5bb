"""What callers of the API say about runs: which to start, which to list, why to stop one."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from ninja import Field, Schema

from orchestration.services import batches
from portal.core.actors import Actor
from portal.core.api_auth import ApiRequest


class _Start(Schema):
    """What starting one run and starting many have in common."""

    workflow: str = Field(description="Slug of the workflow.")
    version: int | None = Field(None, description="Number of a published version; the published one if left out.")
    priority: int = Field(5, ge=1, le=10, description="10 is served first.")


class OneOfBatch(Schema):
    inputs: dict[str, Any] = Field(default_factory=dict, description="By the workflow's input schema.")
    idempotency_key: Annotated[str, Field(max_length=200)] | None = Field(
        None, description="The same key again gives the same run and starts nothing."
    )


class StartRun(_Start, OneOfBatch):
    """One run of a workflow."""


class StartBatch(_Start):
    runs: list[OneOfBatch] = Field(min_length=1, max_length=batches.MOST_RUNS)


class RunQuery(Schema):
    status: str = ""
    workflow: str = ""
    q: str = ""
    kept: str = Field("", pattern="^(rows|archived|held)?$", description="rows: not archived; archived; held.")
    parent: UUID | None = Field(None, description="Only the runs that this one began; else those that people began.")
    limit: int = Field(50, ge=1, le=200)
    offset: int = Field(0, ge=0)


class Reason(Schema):
    reason: Annotated[str, Field(max_length=500)] = ""

    def said(self, request: ApiRequest) -> dict[str, Any]:
        """Who asks and why, as the services take it: {"actor", "reason"}."""
        return {"actor": Actor.of(request), "reason": self.reason}


class Cancel(Reason):
    undo: bool = Field(False, description="First undo what has succeeded and can be undone.")
