"""Organisations: home, the audit ledger, notifications."""

VIEWER: dict[str, dict[str, int]] = {
    "o/<slug:org>/": {"GET": 200},
    "o/<slug:org>/nav/": {"GET": 200},
    "o/<slug:org>/audit/": {"GET": 403},
    "o/<slug:org>/audit/verify/": {"POST": 403},
    "o/<slug:org>/notifications/": {"GET": 200},
    "o/<slug:org>/notifications/read/": {"POST": 302},
    "o/<slug:org>/notifications/<uuid:notification_id>/read/": {"POST": 302},
}
