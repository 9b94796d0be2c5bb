"""Which node runs may begin: those for which there is a place wherever places are limited.

A node run that finds none is *held back*: nothing is written down, no timeout runs, and the planner plans without it
until the run is told that a place is free. Where nothing is limited nothing is asked.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import psycopg
from django.db import InterfaceError, OperationalError

from agents import snapshots
from orchestration.driving.running import Running
from orchestration.engine.commands import StartNode
from orchestration.engine.ids import Key, path_text
from orchestration.engine.nodes import Node
from orchestration.engine.states import RunState
from orchestration.store import Desk, Lease, places
from orchestration.store.places import RUN, Scope

ASK_AGAIN_SECONDS = 30.0
"""For a run that is never told, whatever went wrong."""


Spawn = Callable[[Coroutine[Any, Any, None]], object]


class Waiting(Protocol):
    def poke(self) -> None: ...


class HostPlaces:
    """Steps at work in this process. Runs that wait for one are poked in the order in which they came."""

    def __init__(self, limit: int) -> None:
        self.limit, self.taken = limit, 0
        self._steps: Mapping[int, int] = {}
        self._steps_read_at = 0.0
        self._waiting: deque[Waiting] = deque()

    def learn(self, steps_at_work: Mapping[int, int]) -> None:
        """The limits of organisations, as the host reads them every few seconds."""
        self._steps, self._steps_read_at = steps_at_work, time.monotonic()

    def steps_of(self, lease: Lease, claimed_at: float) -> int | None:
        """What is known last: at the claim, or since."""
        known_since = self._steps_read_at > claimed_at
        return self._steps.get(lease.organisation_id) if known_since else lease.steps_at_work

    def take(self, who: Waiting) -> bool:
        if self.taken < self.limit:
            self.taken += 1
            return True
        if who not in self._waiting:
            self._waiting.append(who)
        return False

    def release(self) -> None:
        self.taken -= 1
        self.offer()

    def offer(self) -> None:
        """Tell as many of those who wait as there are free places; whoever has no more use for one offers it on."""
        for _ in range(min(self.limit - self.taken, len(self._waiting))):
            self._waiting.popleft().poke()

    def leave(self, who: Waiting) -> None:
        """It has no use for a place any more; one that it was told of is for others."""
        if who in self._waiting:
            self._waiting.remove(who)
        self.offer()


@dataclass(slots=True)
class Taken:
    """Places of one node run."""

    scopes: list[Scope] = field(default_factory=list)
    of_host: bool = False


class RunPlaces:
    """Of one run under one lease. `held_back` are the node runs that have found no place since `again` was called."""

    def __init__(self, lease: Lease, desk: Desk, host: HostPlaces, running: Running, spawn: Spawn) -> None:
        self._lease, self._desk, self._host, self._running, self._spawn = lease, desk, host, running, spawn
        self._mine: dict[Key, Taken] = {}
        self._leaving: dict[Key, asyncio.Event] = {}
        self._full: set[str] = set()
        self._has_turn = False
        """The run itself has its place among those of its workflow, as far as is known here."""
        self._asked_at, self._claimed_at = 0.0, time.monotonic()
        self.held_back: set[Key] = set()
        self.waits_for_host = False

    def again(self) -> None:
        """The run was told something: perhaps there are places now."""
        self.held_back.clear()
        self._full.clear()
        self.waits_for_host = False

    def seconds_to_ask(self) -> float | None:
        """Until it is time to ask again although nobody has said anything; None while nothing is held back."""
        return self._asked_at + ASK_AGAIN_SECONDS - time.monotonic() if self.held_back else None

    def settled(self, state: RunState) -> None:
        """The plan is carried out. Places of node runs that have no more use for them go to others."""
        idle = [key for key in self._mine if not self._running.works(key)]
        for key in idle:
            if key not in self.held_back or state.node(key).status.ended:
                self.release(key)
        self._host.offer()

    async def take(self, state: RunState, command: StartNode) -> bool:
        """All places that the node run needs: its agent's, its organisation's, this host's. In that order, so that
        nobody waits for one with another in hand that whoever is at work there needs."""
        key, spec = (command.node, command.path), state.graph.nodes[command.node]
        if not await self.take_for_run(state.graph.runs_at_once):
            return self._hold_back(key)  # it was told something while it waited for its turn, and has begun for that
        if not spec.takes_place:
            return True
        if key in self._leaving:
            await self._leaving[key].wait()
        mine = self._mine.setdefault(key, Taken())
        for scope in await self._scopes(state, key, spec):
            if scope not in mine.scopes:
                if not await self._take(scope, key):
                    return self._hold_back(key)
                mine.scopes.append(scope)
        if not mine.of_host and not self._host.take(self._running):
            self.waits_for_host = True
            return self._hold_back(key)
        mine.of_host = True
        return True

    def release(self, key: Key) -> None:
        """The node run is not at work any more. Does nothing the second time."""
        mine = self._mine.pop(key, None)
        if mine is None:
            return
        if mine.of_host:
            self._host.release()
        if mine.scopes:
            self._leaving[key] = asyncio.Event()
            self._spawn(self._give_back(key, mine.scopes))

    async def take_for_run(self, runs_at_once: int | None) -> bool:
        """Whether the run may begin. It keeps its place until it ends, whoever drives it."""
        if runs_at_once is None or self._has_turn or not self._counts:
            return True
        self._has_turn = await self._take(_of_workflow(self._lease, runs_at_once), (RUN, ()))
        return self._has_turn

    def gone(self, state: RunState) -> None:
        """The run was let go; if it has ended, its own place is free."""
        if state.status.ended and state.graph.runs_at_once is not None and self._counts:
            self._spawn(self._give_back((RUN, ()), [_of_workflow(self._lease, state.graph.runs_at_once)]))

    @property
    def _counts(self) -> bool:
        """A run that another run waits for does not: it might wait for a place that only its parent's end can free."""
        return self._lease.workflow_id is not None and self._lease.parent_id is None

    def _hold_back(self, key: Key) -> bool:
        if not self.held_back:
            self._asked_at = time.monotonic()
        self.held_back.add(key)
        return False

    async def _take(self, scope: Scope, key: Key) -> bool:
        if scope.name in self._full:
            return False  # the run is in the queue once, and what it gets is for its most urgent node
        while True:
            try:
                taken = await places.take(self._desk, self._lease, scope, key[0], path_text(key[1]))
                break
            except psycopg.OperationalError as error:
                await self._desk.patience(error)
        if not taken:
            self._full.add(scope.name)
        return taken

    async def _scopes(self, state: RunState, key: Key, spec: Node) -> list[Scope]:
        found = []
        organisation = self._lease.organisation_id
        if agent := _agent_of(state, key, spec):
            most = await _calls_at_once(organisation, agent)
            if most is not None:
                found.append(Scope(f"agent:{organisation}:{agent}", most))
        steps = self._host.steps_of(self._lease, self._claimed_at)
        if steps is not None:
            found.append(Scope(f"steps:{organisation}", steps))
        return found

    async def _give_back(self, key: Key, scopes: list[Scope]) -> None:
        for scope in scopes:
            while True:
                try:
                    await places.release(self._desk, self._lease.run_id, scope.name, key[0], path_text(key[1]))
                    break
                except psycopg.OperationalError as error:
                    await self._desk.patience(error)
        if event := self._leaving.pop(key, None):
            event.set()


def _of_workflow(lease: Lease, runs_at_once: int) -> Scope:
    return Scope(f"workflow:{lease.workflow_id}", runs_at_once)


async def _calls_at_once(organisation: int, agent: str) -> int | None:
    """Of the version that is published today, whichever the run calls: the limit is one for all calls of the agent.

    Most of the time from memory.
    """
    while True:
        try:
            return await snapshots.calls_at_once(organisation, agent)
        except (OperationalError, InterfaceError):  # the database is away, and drivers wait for it
            await asyncio.sleep(0.3)


def _agent_of(state: RunState, key: Key, spec: Node) -> str:
    """The agent that the next attempt calls; "" for other nodes."""
    if spec.type != "agent":
        return ""
    alternative = state.node(key).alternative
    if alternative:
        return spec.alternatives[alternative - 1]
    settings = state.node(key).edited or spec.settings
    return str(settings.get("agent") or "")
