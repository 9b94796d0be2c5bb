"""Agents: pages, trying one, the API."""

from typing import Any

VIEWER: dict[str, dict[str, int]] = {
    "o/<slug:org>/agents/": {"GET": 200},
    "o/<slug:org>/agents/import/": {"GET": 403, "POST": 403},
    "o/<slug:org>/agents/<slug:slug>/": {"GET": 200},
    "o/<slug:org>/agents/<slug:slug>/versions/": {"GET": 200},
    "o/<slug:org>/agents/<slug:slug>/usage/": {"GET": 200},
    "o/<slug:org>/agents/<slug:slug>/export/": {"GET": 200},
    "o/<slug:org>/agents/<slug:slug>/status/": {"POST": 403},
    "o/<slug:org>/agents/<slug:slug>/versions/<int:number>/restore/": {"POST": 403},
    "o/<slug:org>/agents/<slug:slug>/try/": {"POST": 403},
    "o/<slug:org>/agents/<slug:slug>/try/<uuid:run_id>/": {"GET": 403},
    "api/v1/agents": {"GET": 200, "POST": 403},
    "api/v1/agents/<slug>": {"GET": 200},
    "api/v1/agents/<slug>/versions/<number>": {"GET": 200},
    "api/v1/agent-kinds": {"GET": 200},
}
BODIES: dict[str, dict[str, Any]] = {
    "api/v1/agents": {"name": "X", "slug": "x", "version": {"kind": "python", "config": {"callable": "echo"}}},
}
