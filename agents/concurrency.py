"""`max_concurrency` of an agent, over all hosts: a slot is a member of a Redis sorted set that expires unless renewed.

A killed host's slots come free by themselves. Redis may be lost at any time: then each process keeps the limit for
itself, which may let more through than one limit, and says so in the log.
"""

import asyncio
import random
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import redis.asyncio
import structlog
from django.conf import settings
from redis.exceptions import RedisError

from agents.errors import AgentError
from agents.snapshots import AgentSnapshot
from portal.core import clock

log = structlog.get_logger(__name__)

_LEASE_SECONDS = 30
_RENEW_SECONDS = 10
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5

# KEYS[1] the set; ARGV: member, limit, lease in seconds. 1 if the slot is ours (again), 0 if all are taken.
_TAKE = """
local now = redis.call('TIME')
local at = tonumber(now[1]) + tonumber(now[2]) / 1000000
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', at)
local mine = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not mine and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], at + tonumber(ARGV[3]), ARGV[1])
redis.call('EXPIRE', KEYS[1], tonumber(ARGV[3]) * 2)
return 1
"""

_held_here: defaultdict[tuple[int, str], int] = defaultdict(int)


@asynccontextmanager
async def slot(organisation_id: int, agent: AgentSnapshot, deadline: datetime) -> AsyncIterator[None]:
    """Wait for a free slot and hold it. Costs nothing without a limit. Raises AgentError agent_busy at the deadline."""
    if agent.max_concurrency is None:
        yield
        return
    key, member = f"ensemble:agent-slots:{organisation_id}:{agent.slug}", uuid.uuid4().hex
    where = (organisation_id, agent.slug)
    async with redis.asyncio.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=1) as client:
        await _wait(client, key, member, agent, where, deadline)
        _held_here[where] += 1
        renewing = asyncio.create_task(_renew(client, key, member, agent.max_concurrency))
        try:
            yield
        finally:
            _held_here[where] -= 1
            renewing.cancel()
            await asyncio.shield(_give_back(client, key, member))


async def _wait(
    client: redis.asyncio.Redis, key: str, member: str, agent: AgentSnapshot, where: tuple[int, str], deadline: datetime
) -> None:
    limit, pause = agent.max_concurrency or 1, _FIRST_PAUSE
    while not await _take(client, key, member, limit, where):
        if clock.now() >= deadline:
            raise AgentError(
                f"“{agent.name}” is busy: {limit} calls at once are its limit.", code="agent_busy", retryable=True
            )
        await asyncio.sleep(pause * random.uniform(0.5, 1))
        pause = min(pause * 2, _LONGEST_PAUSE)


async def _take(client: redis.asyncio.Redis, key: str, member: str, limit: int, where: tuple[int, str]) -> bool:
    try:
        return bool(await client.eval(_TAKE, 1, key, member, limit, _LEASE_SECONDS))  # type: ignore[misc]
    except RedisError as error:
        log.warning("agent limit kept by this process alone", agent=where[1], error=str(error))
        return _held_here[where] < limit


async def _renew(client: redis.asyncio.Redis, key: str, member: str, limit: int) -> None:
    while True:
        await asyncio.sleep(_RENEW_SECONDS)
        try:
            await client.eval(_TAKE, 1, key, member, limit, _LEASE_SECONDS)  # type: ignore[misc]
        except RedisError as error:
            log.warning("agent slot not renewed", key=key, error=str(error))


async def _give_back(client: redis.asyncio.Redis, key: str, member: str) -> None:
    try:
        await client.zrem(key, member)
    except RedisError as error:
        log.warning("agent slot not given back; it expires by itself", key=key, error=str(error))
