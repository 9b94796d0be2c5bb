"""The approvals desk: pages and API."""

from typing import Any

VIEWER: dict[str, dict[str, int]] = {
    "o/<slug:org>/inbox/": {"GET": 200},
    "o/<slug:org>/inbox/<uuid:request_id>/": {"GET": 200},
    "o/<slug:org>/inbox/<uuid:request_id>/decide/": {"POST": 403},
    "o/<slug:org>/inbox/of/<uuid:run_id>/<slug:node>/": {"GET": 302},
    "api/v1/approvals": {"GET": 200},
    "api/v1/approvals/<uuidstr:request_id>": {"GET": 200},
    "api/v1/approvals/<uuidstr:request_id>/decide": {"POST": 403},
}
BODIES: dict[str, dict[str, Any]] = {
    "api/v1/approvals/<uuidstr:request_id>/decide": {"option": "approve"},
    "o/<slug:org>/inbox/<uuid:request_id>/decide/": {"option": "approve"},
}
