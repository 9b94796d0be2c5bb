"""Wait until something happens elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator

from orchestration.bus import rules
from orchestration.definition.fields import Late, NodeSettings
from orchestration.engine.events import NodeStarted, NodeWaiting
from orchestration.engine.ids import path_text
from orchestration.expressions.values import as_text
from orchestration.nodes.base import Context, Done, NodeFailure, NodeType, Result, RunFacts, Wait, register
from orchestration.wakeups import BUS_CHANNEL

if TYPE_CHECKING:
    import psycopg

    from orchestration.engine.events import NodeEvent

JSON = Any
_YEAR = 366 * 24 * 3600


class WaitEventSettings(NodeSettings):
    name: str = Field(title="Name", description="The event to wait for, such as order.paid.", min_length=1)
    key: str | int | float = Field("", title="Key", description="Only events with this key; empty: any.")
    timeout: float | None = Field(
        None, title="Time limit in seconds", description="Then it goes on by the port timeout.", gt=0, le=_YEAR
    )
    since: Literal["now", "run_start"] | float = Field(
        "now",
        title="Counts since",
        description="now: events from the wait on; run_start: since the run began; a number: so many seconds back.",
    )
    filter: Late = Field(
        "", title="Filter", description="An expression that must be true of it, such as: event.data.amount > 100"
    )

    @field_validator("since")
    @classmethod
    def _not_ahead(cls, since: str | float) -> str | float:
        if isinstance(since, float) and not 0 <= since <= _YEAR:
            raise ValueError("since is now, run_start, or a number of seconds back, a year at most.")
        return since

    @field_validator("filter")
    @classmethod
    def _usable(cls, source: str) -> str:
        if found := rules.filter_fault(source):
            raise ValueError(found)
        return source


@register
class WaitEvent(NodeType):
    """Wait for an event of the bus. Ports `out`, `timeout`. Outputs: {"event": {"id", "name", "key", "data", "at",
    "source"}}, null after the time limit. Nothing is held meanwhile, and a restart loses nothing.
    """

    kind, label, icon, category = "wait_event", "Wait for event", "bell-ringing", "time"
    description = "Waits until an event is published: by another run, by the API or by a person."
    Settings = WaitEventSettings
    inline = True
    late_names: ClassVar[frozenset[str] | None] = rules.FILTER_NAMES

    def ports(self, settings: Mapping[str, JSON]) -> tuple[str, ...]:
        return ("out", "timeout")

    def output_schema(self, settings: Mapping[str, JSON]) -> dict[str, JSON]:
        text = {"type": "string"}
        properties = {**dict.fromkeys(("id", "name", "key", "at", "source"), text), "data": {}}
        event = {"type": ["object", "null"], "properties": properties}
        return {"type": "object", "properties": {"event": event}, "additionalProperties": False}

    async def execute(self, ctx: Context) -> Result:
        settings: WaitEventSettings = ctx.settings
        key = as_text(settings.key)
        if fault := rules.fault(settings.name, key, None):
            raise NodeFailure(fault, code="invalid_settings")
        until = ctx.started_at + timedelta(seconds=settings.timeout) if settings.timeout else None
        data = {"name": settings.name, "key": key, "filter": settings.filter, "since": _since(ctx).isoformat()}
        return Wait(reason="event", until=until, data=data)

    async def resume(self, ctx: Context, signal: JSON | None) -> Result:
        if signal is None:
            return Done(outputs={"event": None}, port="timeout")
        return Done(outputs={"event": signal["event"]})

    def in_commit(self, connection: psycopg.Connection[Any], run: RunFacts, events: Sequence[NodeEvent]) -> None:
        """What a node's last event of the commit says is what holds after it."""
        last = {event.key: event for event in events}
        for event in last.values():
            if isinstance(event, NodeWaiting):
                _subscribe(connection, run, event)
            elif not isinstance(event, NodeStarted):
                connection.execute(_WITHDRAW, (run.id, event.node, path_text(event.path)))


def _since(ctx: Context) -> datetime:
    since = ctx.settings.since
    if since == "run_start":
        return ctx.run_started_at or ctx.started_at
    return ctx.started_at - timedelta(seconds=0 if since == "now" else since)


_SUBSCRIBE = """
    INSERT INTO orchestration_eventsubscription
        (organisation_id, run_id, node, path, name, key, filter, since, settled)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, false)
    ON CONFLICT (run_id, node, path) DO UPDATE SET
        name = excluded.name, key = excluded.key, filter = excluded.filter, since = excluded.since, settled = false
"""
_WITHDRAW = "DELETE FROM orchestration_eventsubscription WHERE run_id = %s AND node = %s AND path = %s"


def _subscribe(connection: psycopg.Connection[Any], run: RunFacts, event: NodeWaiting) -> None:
    wanted = event.data
    place = (run.organisation_id, run.id, event.node, path_text(event.path))
    since = datetime.fromisoformat(wanted["since"])
    connection.execute(_SUBSCRIBE, (*place, wanted["name"], wanted["key"], wanted["filter"], since))
    connection.execute("SELECT pg_notify(%s, '')", [BUS_CHANNEL])
