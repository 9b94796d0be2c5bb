"""A workflow as a file: what the page and the API hand out, and what importing takes back unchanged."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from orchestration import access
from orchestration.definition.canonical import pretty
from orchestration.models import Workflow
from orchestration.queries import workflows as queries

JSON = Any


def definition_of(workflow: Workflow, version: int | None, *, draft: bool) -> dict[str, JSON]:
    """That version; without one the published definition, or the draft if it is wanted or nothing is published.

    Raises Http404 for a version that is not there.
    """
    if version is not None:
        return access.version_for(workflow, version).body
    published = None if draft else queries.newest(workflow)
    body: dict[str, JSON] = published.body if published else workflow.draft
    return body


def file_of(workflow: Workflow, definition: dict[str, JSON]) -> HttpResponse:
    response = HttpResponse(pretty(definition), content_type="application/json; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{workflow.slug}.json"'
    return response
