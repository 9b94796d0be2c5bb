"""What `/health/ready` asks. Other apps add their items in `AppConfig.ready`: the engine registers its heartbeat."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import redis
import structlog
from django.conf import settings
from django.db import connection

log = structlog.get_logger(__name__)

Probe = Callable[[], dict[str, Any] | None]


class Unhealthy(Exception):
    """The probe's answer is no; the message is shown to whoever asks, so it names no host and no password."""


@dataclass(frozen=True)
class Item:
    """One line of the report. `ok` false and `required` false: degraded, told, but still ready."""

    name: str
    ok: bool
    required: bool
    latency_ms: float
    detail: str = ""
    data: dict[str, Any] | None = None


_probes: dict[str, tuple[Probe, bool]] = {}


def register(name: str, probe: Probe, *, required: bool = True) -> None:
    """`probe()` returns facts to show (or None) and raises Unhealthy, or anything, when the thing is not there."""
    _probes[name] = (probe, required)


def report() -> list[Item]:
    """Ask every probe, in order of registration. A probe that raises is an item that is not ok, never an error here."""
    return [_ask(name, probe, required) for name, (probe, required) in _probes.items()]


def as_json(items: list[Item]) -> dict[str, Any]:
    """{"status": "ready" | "degraded" | "unavailable", "items": [...]}"""
    if any(item.required and not item.ok for item in items):
        status = "unavailable"
    else:
        status = "ready" if all(item.ok for item in items) else "degraded"
    return {"status": status, "items": [asdict(item) for item in items]}


def _ask(name: str, probe: Probe, required: bool) -> Item:
    begun = time.perf_counter()
    try:
        data, ok, detail = probe(), True, ""
    except Unhealthy as no:
        data, ok, detail = None, False, str(no)
    except Exception as error:  # noqa: BLE001  whatever is wrong, the report must be given
        log.warning("health probe failed", probe=name, error=str(error))
        data, ok, detail = None, False, f"does not answer ({type(error).__name__})"
    return Item(name, ok, required, round((time.perf_counter() - begun) * 1000, 1), detail, data)


def _postgresql() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _redis() -> None:
    client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1, retry=None)
    try:
        client.ping()
    finally:
        client.close()


register("postgresql", _postgresql)
register("redis", _redis, required=False)
