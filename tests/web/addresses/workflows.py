"""Workflows: pages and API."""

from typing import Any

from tests.workflows.factories import definition

VIEWER: dict[str, dict[str, int]] = {
    "o/<slug:org>/workflows/": {"GET": 200},
    "o/<slug:org>/workflows/new/": {"GET": 403, "POST": 403},
    "o/<slug:org>/workflows/check/": {"POST": 403},
    "o/<slug:org>/workflows/<slug:slug>/edit/": {"GET": 403, "POST": 403},
    "o/<slug:org>/workflows/<slug:slug>/publish/": {"POST": 403},
    "o/<slug:org>/workflows/<slug:slug>/export/": {"GET": 200},
    "o/<slug:org>/workflows/<slug:slug>/archive/": {"POST": 403},
    "o/<slug:org>/workflows/<slug:slug>/restore/": {"POST": 403},
    "o/<slug:org>/workflows/<slug:slug>/versions/<int:number>/restore/": {"POST": 403},
    "o/<slug:org>/workflows/<slug:slug>/": {"GET": 200},
    "o/<slug:org>/workflows/<slug:slug>/start/": {"GET": 403, "POST": 403},
    "api/v1/workflows/validate": {"POST": 200},
    "api/v1/workflows": {"GET": 200, "POST": 403},
    "api/v1/workflows/<slug:slug>": {"GET": 200},
    "api/v1/workflows/<slug:slug>/draft": {"PUT": 403},
    "api/v1/workflows/<slug:slug>/publish": {"POST": 403},
    "api/v1/workflows/<slug:slug>/versions": {"GET": 200},
    "api/v1/workflows/<slug:slug>/export": {"GET": 200},
    "api/v1/workflows/<slug:slug>/archive": {"POST": 403},
    "api/v1/workflows/<slug:slug>/restore": {"POST": 403},
    "api/workflows/list": {"GET": 200},
}
BODIES: dict[str, dict[str, Any]] = {
    "api/v1/workflows/validate": definition(),
    "api/v1/workflows": definition(),
    "api/v1/workflows/<slug:slug>/draft": definition(),
}
