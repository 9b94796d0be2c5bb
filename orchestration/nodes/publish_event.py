"""Tell the organisation that something has happened."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from orchestration.bus import rules
from orchestration.definition.fields import NodeSettings
from orchestration.engine.events import NodeSucceeded
from orchestration.engine.ids import path_text
from orchestration.expressions.values import as_text
from orchestration.nodes.base import Context, Done, NodeFailure, NodeType, Result, RunFacts, register
from orchestration.values.splitting import whole
from orchestration.wakeups import BUS_CHANNEL
from portal.core.in_threads import in_database

if TYPE_CHECKING:
    import psycopg

    from orchestration.engine.events import NodeEvent

JSON = Any


class PublishEventSettings(NodeSettings):
    name: str = Field(title="Name", description="What has happened, such as order.paid.", min_length=1)
    key: str | int | float = Field(
        "", title="Key", description="What it is about, such as the order's number; waits may ask for it."
    )
    data: JSON = Field(default_factory=dict, title="Data", description="What listeners get, 32 KiB at most.")


@register
class PublishEvent(NodeType):
    """Publish an event on the organisation's bus, exactly once. Outputs: {"event": {"id", "name", "key", "data"}}.

    The event's row appears in the commit that records the success, so neither a crash nor a second try doubles it.
    """

    kind, label, icon, category = "publish_event", "Publish event", "broadcast", "time"
    description = "Tells waiting runs and triggers of the organisation that something has happened."
    effect = "publishes an event"
    Settings = PublishEventSettings

    def output_schema(self, settings: Mapping[str, JSON]) -> dict[str, JSON]:
        text = {"type": "string"}
        event = {"type": "object", "properties": {"id": text, "name": text, "key": text, "data": {}}}
        return {"type": "object", "properties": {"event": event}, "additionalProperties": False}

    async def execute(self, ctx: Context) -> Result:
        settings: PublishEventSettings = ctx.settings
        key = as_text(settings.key)
        if fault := rules.fault(settings.name, key, settings.data):
            raise NodeFailure(fault, code="invalid_event")
        await in_database(_check_rate, ctx.run.organisation_id)
        event_id = uuid.uuid5(uuid.NAMESPACE_URL, ctx.idempotency_key)
        return Done(outputs={"event": {"id": str(event_id), "name": settings.name, "key": key, "data": settings.data}})

    def in_commit(self, connection: psycopg.Connection[Any], run: RunFacts, events: Sequence[NodeEvent]) -> None:
        published = [event for event in events if isinstance(event, NodeSucceeded) and not event.by_person]
        for event in published:
            _publish(connection, run, event)
        if published:
            connection.execute("SELECT pg_notify(%s, '')", [BUS_CHANNEL])


def _check_rate(organisation_id: int) -> None:
    """Raises NodeFailure, to be tried again a little later."""
    from orchestration.services import events  # models: not before the apps are loaded

    try:
        events.check_rate(organisation_id)
    except events.TooManyEvents as error:
        raise NodeFailure(
            error.message, code="rate_limited", retryable=True, retry_after=float(error.retry_after)
        ) from None


_PUBLISH = """
    WITH RECURSIVE line AS (
        SELECT id, parent_id FROM orchestration_run WHERE id = %(run)s
        UNION ALL
        SELECT run.id, run.parent_id FROM orchestration_run AS run JOIN line ON run.id = line.parent_id
    )
    INSERT INTO orchestration_busevent (
        id, organisation_id, name, key, data, source, run_id, node, path, hops, at, route_at, faults)
    VALUES (%(id)s, %(organisation)s, %(name)s, %(key)s, %(data)s::jsonb, 'run', %(run)s, %(node)s, %(path)s,
            COALESCE((SELECT max(event.hops) + 1 FROM line
                      JOIN orchestration_triggerfire AS fire ON fire.run_id = line.id
                      JOIN orchestration_busevent AS event ON event.id = fire.event_id), 0),
            clock_timestamp(), clock_timestamp(), '[]')
    ON CONFLICT (id) DO NOTHING
"""
"""The run, or one it is a child of, may have been started by an event: then this one is the next hop."""


def _publish(connection: psycopg.Connection[Any], run: RunFacts, succeeded: NodeSucceeded) -> None:
    event = succeeded.outputs["event"]
    connection.execute(
        _PUBLISH,
        {
            "id": event["id"],
            "organisation": run.organisation_id,
            "name": event["name"],
            "key": event["key"],
            "data": json.dumps(whole(event["data"], {})),  # too small to hold references, but keys may be escaped
            "run": run.id,
            "node": succeeded.node,
            "path": path_text(succeeded.path),
        },
    )
