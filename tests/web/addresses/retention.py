"""How long runs are kept, and legal holds: pages and API."""

from typing import Any

VIEWER: dict[str, dict[str, int]] = {
    "o/<slug:org>/retention/": {"GET": 403, "POST": 403},
    "o/<slug:org>/retention/preview/": {"POST": 403},
    "o/<slug:org>/runs/<uuid:run_id>/hold/": {"GET": 403, "POST": 403},
    "o/<slug:org>/workflows/<slug:slug>/hold/": {"GET": 403, "POST": 403},
    "api/v1/retention": {"GET": 403, "PUT": 403},
    "api/v1/retention/preview": {"POST": 403},
    "api/v1/retention/holds": {"GET": 403},
    "api/v1/runs/<uuidstr:run_id>/hold": {"POST": 403},
    "api/v1/runs/<uuidstr:run_id>/hold/lift": {"POST": 403},
    "api/v1/workflows/<slug:slug>/hold": {"POST": 403},
    "api/v1/workflows/<slug:slug>/hold/lift": {"POST": 403},
}
BODIES: dict[str, dict[str, Any]] = {
    "api/v1/retention": {"rules": []},
    "api/v1/retention/preview": {"rules": []},
    "api/v1/runs/<uuidstr:run_id>/hold": {"reason": "a"},
    "api/v1/runs/<uuidstr:run_id>/hold/lift": {"reason": "a"},
    "api/v1/workflows/<slug:slug>/hold": {"reason": "a"},
    "api/v1/workflows/<slug:slug>/hold/lift": {"reason": "a"},
}
