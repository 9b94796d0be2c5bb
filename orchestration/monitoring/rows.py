"""The history of a run that is not archived: rows of its own. See `monitoring.history`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum

from orchestration.models import Effect, NodeRun, Run, RunEvent, RunSignal

JSON = Any
_AT_ONCE = 2_000


class Rows:
    """Each call is one query."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def events(self, *, after: int = 0, limit: int | None = None) -> Iterator[RunEvent]:
        found = RunEvent.objects.filter(run=self.run, seq__gt=after).order_by("seq")
        yield from found.iterator(_AT_ONCE) if limit is None else found[:limit]

    def events_at(self, node: str, path: str, types: Collection[str]) -> Sequence[RunEvent]:
        return list(RunEvent.objects.filter(run=self.run, node=node, path=path, type__in=types).order_by("seq"))

    def events_of(self, types: Collection[str], *, after: int = 0, limit: int | None = None) -> Sequence[RunEvent]:
        return list(RunEvent.objects.filter(run=self.run, type__in=types, seq__gt=after).order_by("seq")[:limit])

    def last_events_of(self, types: Collection[str], limit: int) -> Sequence[RunEvent]:
        return list(RunEvent.objects.filter(run=self.run, type__in=types).order_by("-seq")[:limit])

    def sharing_events(self, limit: int) -> Sequence[RunEvent]:
        said = Q(type="NodeSucceeded", data__has_key="shared") | Q(type="RunStarted", data__has_key="reused")
        return list(RunEvent.objects.filter(said, run=self.run).order_by("-seq")[:limit])[::-1]

    def node_runs(self, limit: int | None = None) -> Iterator[NodeRun]:
        found = NodeRun.objects.filter(run=self.run).order_by("id")
        yield from found.iterator(_AT_ONCE) if limit is None else found[:limit]

    def node_run(self, node: str, path: str) -> NodeRun | None:
        return NodeRun.objects.filter(run=self.run, node=node, path=path).first()

    def outer_node_runs(self) -> Sequence[NodeRun]:
        return list(NodeRun.objects.filter(run=self.run, path="").defer("inputs", "outputs"))

    def tallies(self) -> dict[str, dict[str, int]]:
        inner = NodeRun.objects.filter(run=self.run).exclude(path="").values("node", "status").annotate(n=Count("id"))
        found: dict[str, dict[str, int]] = {}
        for row in inner.order_by("node", "status"):
            found.setdefault(row["node"], {})[row["status"]] = row["n"]
        return found

    def iterations(self, node: str) -> QuerySet[NodeRun]:
        found = NodeRun.objects.filter(run=self.run, node=node).exclude(path="")
        return found.defer("inputs", "outputs").order_by("id")

    def cost_by_agent(self) -> list[dict[str, JSON]]:
        rows = NodeRun.objects.filter(run=self.run).exclude(agent="").values("agent")
        summed = rows.annotate(
            cost=Sum("cost_usd"), input=Sum("input_tokens"), output=Sum("output_tokens"), steps=Count("id")
        )
        return [dict(row) for row in summed.order_by(F("cost").desc(nulls_last=True), "agent")]

    def open_signals(self, kinds: Collection[str]) -> Sequence[RunSignal]:
        return list(RunSignal.objects.filter(run=self.run, applied_at=None, kind__in=kinds).order_by("id"))

    def last_signal(self, kind: str) -> RunSignal | None:
        return RunSignal.objects.filter(run=self.run, kind=kind).order_by("-id").first()

    def effects(
        self, *, node: str | None = None, path: str | None = None, offset: int = 0, limit: int | None = None
    ) -> Sequence[Effect]:
        found = Effect.objects.filter(run=self.run)
        if node is not None:
            found = found.filter(node=node)
        if path is not None:
            found = found.filter(path=path)
        end = None if limit is None else offset + limit
        return list(found.order_by("lease_token", "serial")[offset:end])

    def effect_count(self) -> int:
        return Effect.objects.filter(run=self.run).count()

    def calls(self, keys: Collection[str], outcomes: Collection[str]) -> list[tuple[str, str, str]]:
        found = Effect.objects.filter(run=self.run, idempotency_key__in=keys, outcome__in=outcomes)
        return list(found.values_list("kind", "target", "idempotency_key"))
