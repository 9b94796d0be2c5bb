"""Runs: pages, control, steering, the API."""

from typing import Any

VIEWER: dict[str, dict[str, int]] = {
    "o/<slug:org>/runs/": {"GET": 200},
    "o/<slug:org>/runs/<uuid:run_id>/": {"GET": 200},
    "o/<slug:org>/runs/<uuid:run_id>/events/": {"GET": 200},
    "o/<slug:org>/runs/<uuid:run_id>/outputs/<str:name>": {"GET": 404},  # it has no outputs yet
    "o/<slug:org>/runs/<uuid:run_id>/values/<str:digest>": {"GET": 404},  # nor any large value
    "o/<slug:org>/runs/<uuid:run_id>/cancel/": {"POST": 403},
    "o/<slug:org>/runs/<uuid:run_id>/pause/": {"POST": 403},
    "o/<slug:org>/runs/<uuid:run_id>/resume/": {"POST": 403},
    "o/<slug:org>/runs/<uuid:run_id>/retry/": {"POST": 403},
    "o/<slug:org>/runs/<uuid:run_id>/retry/plan/": {"GET": 403},
    "o/<slug:org>/runs/<uuid:run_id>/rerun/": {"GET": 403, "POST": 403},
    "o/<slug:org>/runs/<uuid:run_id>/variables/": {"GET": 403, "POST": 403},
    "o/<slug:org>/runs/<uuid:run_id>/move/": {"GET": 403, "POST": 403},
    "o/<slug:org>/runs/<uuid:run_id>/steps/<str:node>/<str:act>/": {"GET": 403, "POST": 403},
    "api/v1/runs": {"GET": 200, "POST": 403},
    "api/v1/runs/batch": {"POST": 403},
    "api/v1/runs/upload": {"POST": 403},
    "api/v1/runs/<uuidstr:run_id>": {"GET": 200},
    "api/v1/runs/<uuidstr:run_id>/values/<str:digest>": {"GET": 404},  # it has none
    "api/v1/runs/<uuidstr:run_id>/events": {"GET": 200},
    "api/v1/runs/<uuidstr:run_id>/effects": {"GET": 200},
    "api/v1/runs/<uuidstr:run_id>/stream": {"GET": 200},
    "api/v1/runs/<uuidstr:run_id>/cancel": {"POST": 403},
    "api/v1/runs/<uuidstr:run_id>/pause": {"POST": 403},
    "api/v1/runs/<uuidstr:run_id>/resume": {"POST": 403},
    "api/v1/runs/<uuidstr:run_id>/retry": {"POST": 403},
    "api/v1/runs/<uuidstr:run_id>/retry/plan": {"POST": 403},
    "api/v1/runs/<uuidstr:run_id>/steps/<node>/skip": {"POST": 403},
    "api/v1/runs/<uuidstr:run_id>/steps/<node>/override": {"POST": 403},
    "api/v1/runs/<uuidstr:run_id>/steps/<node>/retry": {"POST": 403},
    "api/v1/runs/<uuidstr:run_id>/variables": {"POST": 403},
    "api/v1/runs/<uuidstr:run_id>/move/plan": {"POST": 403},
    "api/v1/runs/<uuidstr:run_id>/move": {"POST": 403},
    "api/v1/runs/<uuidstr:run_id>/rerun/plan": {"POST": 403},
    "api/v1/runs/<uuidstr:run_id>/rerun": {"POST": 403},
    "api/workflows/execute": {"POST": 403},
    "api/workflows/executions/<uuidstr:run_id>": {"GET": 200},
}
BODIES: dict[str, dict[str, Any]] = {
    "api/workflows/execute": {
        "workflowName": "x",
        "tasks": [{"id": "a", "agentName": "striped", "prompt": "x"}],
    },
    "api/v1/runs": {"workflow": "striped-workflow", "inputs": {}},
    "api/v1/runs/batch": {"workflow": "striped-workflow", "runs": [{"inputs": {}}]},
    "api/v1/runs/<uuidstr:run_id>/steps/<node>/override": {"outputs": {}},
    "api/v1/runs/<uuidstr:run_id>/variables": {"values": {}},
    "api/v1/runs/<uuidstr:run_id>/rerun/plan": {"nodes": ["first"]},
    "api/v1/runs/<uuidstr:run_id>/rerun": {"nodes": ["first"]},
}
