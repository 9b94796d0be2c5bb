"""Whose turn it is when the bell rings, and when a host asks for whatever is due."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from orchestration.hosting import claiming
from orchestration.hosting.claiming import CLAIM_AT_ONCE, Claiming
from orchestration.hosting.hands import Hands
from orchestration.store import Desk
from tests.engine_host import PATIENCE

HOSTS = (3, 8, 11)


class Book:
    """What is due, and what is claimed how: a desk that several hosts sit at."""

    def __init__(self) -> None:
        self.due: set[UUID] = set()
        self.asked: list[tuple[str, int]] = []
        self.changed = asyncio.Event()

    def ask(self, kind: str, host: int) -> None:
        self.asked.append((kind, host))
        self.changed.set()

    def take(self, runs: list[UUID]) -> list[Any]:
        found = [run for run in runs if run in self.due]
        self.due -= set(found)
        return [SimpleNamespace(run_id=run) for run in found]


class Host:
    def __init__(self, id: int, book: Book, *, room: int = 100, limited: bool = False) -> None:
        self.host_id, self.book, self.room, self.limited = id, book, room, limited
        self.taken: list[UUID] = []
        self.on_probation = False
        self.claiming = Claiming(cast(Desk, self), cast(Hands, self), asyncio.Event())
        self.claiming.others = [other for other in HOSTS if other != id]

    def __len__(self) -> int:
        return 0

    async def claim_named(self, runs: list[UUID]) -> list[Any]:
        self.book.ask("named", self.host_id)
        return [] if self.limited else self.book.take(runs)

    async def claim(self, limit: int, *, suspect: bool = False) -> list[Any]:
        if suspect:
            return []
        self.book.ask("any", self.host_id)
        return self.book.take(sorted(self.book.due)[:limit])

    async def seconds_to_next(self) -> float | None:
        return None

    def take(self, lease: Any) -> None:
        self.taken.append(lease.run_id)
        self.book.changed.set()


async def settled(hosts: list[Host], when: Callable[[], bool]) -> None:
    duties = [asyncio.create_task(host.claiming.forever()) for host in hosts]
    try:
        async with asyncio.timeout(PATIENCE):
            while not when():
                await hosts[0].book.changed.wait()
                hosts[0].book.changed.clear()
    finally:
        for duty in duties:
            duty.cancel()
        await asyncio.gather(*duties, return_exceptions=True)


async def at_rest(hosts: list[Host]) -> None:
    """The first look of a host is at all that is due."""
    await settled(hosts, lambda: len({host for _, host in hosts[0].book.asked}) == len(hosts))
    hosts[0].book.asked.clear()


def ring(hosts: list[Host], book: Book, runs: list[UUID]) -> None:
    book.due |= set(runs)
    for host in hosts:
        for run in runs:
            host.claiming.ring(run)


async def test_each_run_is_asked_for_by_one_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claiming, "GIVE_WAY_SECONDS", 3600.0)
    monkeypatch.setattr(claiming, "POLL_SECONDS", 3600.0)
    book = Book()
    hosts = [Host(id, book) for id in HOSTS]
    await at_rest(hosts)
    for number in range(30):
        run = UUID(int=number)
        ring(hosts, book, [run])
        await settled(hosts, lambda: not book.due)
    assert {kind for kind, _ in book.asked} == {"named"} and len(book.asked) == 30
    assert all(host.taken for host in hosts), "each has its share"


async def test_what_its_host_does_not_take_another_does() -> None:
    book = Book()
    hosts = [Host(id, book) for id in HOSTS]
    await at_rest(hosts)
    full = hosts[0]
    full.room = 0
    run = next(run for run in iter(uuid4, None) if full.claiming._is_mine(run))
    ring(hosts, book, [run])
    await settled(hosts, lambda: not book.due)
    assert run in hosts[1].taken + hosts[2].taken


@pytest.mark.parametrize("trouble", ["limited", "many", "little room"])
async def test_what_cannot_be_claimed_by_name_is_looked_for_at_once(
    trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claiming, "GIVE_WAY_SECONDS", 60.0)
    book = Book()
    host = Host(3, book, room=CLAIM_AT_ONCE - 1 if trouble == "little room" else 100, limited=trouble == "limited")
    host.claiming.others = ()
    await at_rest([host])
    runs = [uuid4() for _ in range(CLAIM_AT_ONCE + 1 if trouble == "many" else 2)]
    ring([host], book, runs)
    await settled([host], lambda: not book.due)
    assert "any" in {kind for kind, _ in book.asked}


async def test_a_bell_without_a_name_is_for_all() -> None:
    book = Book()
    hosts = [Host(id, book) for id in HOSTS]
    await at_rest(hosts)
    book.due.add(uuid4())
    for host in hosts:
        host.claiming.ring()
    await settled(hosts, lambda: len(book.asked) >= 3)
    assert {kind for kind, _ in book.asked} == {"any"} and not book.due
