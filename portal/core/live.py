"""Hints to open pages. A hint may be lost; pages ask again by themselves, so nothing here may fail or hold its caller.

A plain synchronous Redis client speaks the wire format of channels_redis' PubSub layer: `async_to_sync(group_send)`
would make a new loop and a new connection for each call (django/channels_redis#125, #332).
"""

import functools
import time
from typing import Any

import redis
import structlog
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import transaction

log = structlog.get_logger(__name__)

_TIME_LIMIT_SECONDS = 1.0
_REST_SECONDS = 1.0  # after a failure, so that a hanging Redis costs a caller one second once, not each time
_silent_until = 0.0


def publish(group: str, message: dict[str, Any]) -> None:
    """Send to a Channels group once the caller's transaction has committed (at once without one).

    message: {"type": "hint", ...}, tiny. Never raises and takes a second at most.
    """
    transaction.on_commit(functools.partial(send_now, group, message), robust=True)


def send_now(group: str, message: dict[str, Any]) -> bool:
    """For callers that know they have committed; says whether Redis took it."""
    global _silent_until
    if time.monotonic() < _silent_until:
        return False
    try:
        _client().publish(*on_the_wire(group, message))
    except (redis.RedisError, OSError) as error:
        _silent_until = time.monotonic() + _REST_SECONDS
        log.warning("live hint not sent", group=group, error=str(error))
        return False
    return True


def on_the_wire(group: str, message: dict[str, Any]) -> tuple[str, bytes]:
    """Redis channel and payload of a message to a group, as channels_redis' PubSub layer writes them."""
    return f"{_prefix()}__group__{group}", get_channel_layer().serialize(message)


def hint(organisation_id: int, topic: str, **about: str) -> None:
    """Tell the organisation's open pages that something of a topic (runs, workflows, agents, ...) has changed."""
    publish(organisation_group(organisation_id), {"type": "hint", "topic": topic, **about})


def organisation_group(organisation_id: int) -> str:
    return f"org.{organisation_id}"


def user_group(user_id: int) -> str:
    """Messages {"type": "recheck"}: the user's rights or sessions have changed, sockets look again."""
    return f"user.{user_id}"


@functools.cache
def _client() -> redis.Redis:
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=_TIME_LIMIT_SECONDS,
        socket_connect_timeout=_TIME_LIMIT_SECONDS,
        retry=None,
        health_check_interval=30,
    )


def _prefix() -> str:
    configuration: dict[str, Any] = settings.CHANNEL_LAYERS["default"]["CONFIG"]  # type: ignore[assignment]
    return str(configuration.get("prefix", "asgi"))
