"""Events and triggers: pages and API."""

from typing import Any

VIEWER: dict[str, dict[str, int]] = {
    "o/<slug:org>/workflows/<slug:slug>/triggers/": {"GET": 200},
    "o/<slug:org>/workflows/<slug:slug>/triggers/new/<slug:kind>/": {"GET": 403, "POST": 403},
    "o/<slug:org>/workflows/<slug:slug>/triggers/<uuid:trigger_id>/": {"GET": 200},
    "o/<slug:org>/workflows/<slug:slug>/triggers/<uuid:trigger_id>/edit/": {"GET": 403, "POST": 403},
    "o/<slug:org>/workflows/<slug:slug>/triggers/<uuid:trigger_id>/switch/": {"POST": 403},
    "o/<slug:org>/workflows/<slug:slug>/triggers/<uuid:trigger_id>/secret/": {"POST": 403},
    "o/<slug:org>/workflows/<slug:slug>/triggers/<uuid:trigger_id>/delete/": {"POST": 403},
    "o/<slug:org>/workflows/<slug:slug>/triggers/<uuid:trigger_id>/test/": {"GET": 403, "POST": 403},
    "o/<slug:org>/events/": {"GET": 200},
    "o/<slug:org>/events/publish/": {"GET": 403, "POST": 403},
    "o/<slug:org>/events/<uuid:event_id>/": {"GET": 200},
    "api/v1/events": {"GET": 200, "POST": 403},
    "api/v1/events/<uuidstr:event_id>": {"GET": 200},
    "api/v1/triggers": {"GET": 200, "POST": 403},
    "api/v1/triggers/<uuidstr:trigger_id>": {"GET": 200, "PATCH": 403, "DELETE": 403},
    "api/v1/triggers/<uuidstr:trigger_id>/secret": {"POST": 403},
    "api/v1/triggers/<uuidstr:trigger_id>/test": {"POST": 403},
    "api/v1/triggers/<uuidstr:trigger_id>/fires": {"GET": 200},
}
BODIES: dict[str, dict[str, Any]] = {
    "api/v1/events": {"name": "a"},
    "api/v1/triggers": {"workflow": "striped-workflow", "kind": "cron", "name": "a"},
}
