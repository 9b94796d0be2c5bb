"""What an attempt is given: the node's settings with every reference resolved, and the context it works in."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from pydantic import BaseModel

from orchestration.driving.branches import combined
from orchestration.driving.clock import DatabaseClock
from orchestration.driving.edits import with_secrets
from orchestration.driving.failures import failure_of
from orchestration.driving.scope import Scope
from orchestration.driving.seen import Loaded, evaluated, loaded_of, reads_much
from orchestration.driving.values import RunValues
from orchestration.engine.frontier import deadline
from orchestration.engine.ids import Key, path_text
from orchestration.engine.nodes import Node
from orchestration.engine.saga import round_of
from orchestration.engine.states import RunState
from orchestration.expressions import ExpressionError, fixed_settings, resolve, resolve_settings
from orchestration.expressions.meter import over_much
from orchestration.expressions.settings import references, validated
from orchestration.expressions.templates import references_in
from orchestration.live import Live
from orchestration.nodes.base import Context, NodeFailure, NodeType, RunFacts

JSON = Any


class Preparation:
    """Of one run."""

    def __init__(self, state: RunState, facts: RunFacts, values: RunValues, clock: DatabaseClock, live: Live) -> None:
        self.state, self.facts, self.values, self.clock, self.live = state, facts, values, clock, live
        self._run = str(facts.id)
        self.loaded: list[Loaded] = []
        """Much that the settings hold which were prepared last, until their node begins."""

    async def settings(self, kind: NodeType, spec: Node, key: Key) -> Any:
        """Resolved, or as a person has edited them. Raises NodeFailure."""
        edited = self.state.node(key).edited
        if edited is None:
            return await self._resolved(kind, spec, key)
        try:
            resolved = (await self._resolved(kind, spec, key)).model_dump(mode="json")
        except NodeFailure:  # may be what was to be mended
            resolved = None
        try:
            return validated(kind.Settings, with_secrets(await self.values.whole(edited), resolved))
        except ExpressionError as error:
            raise failure_of(error) from None

    async def _resolved(self, kind: NodeType, spec: Node, key: Key) -> Any:
        """Raises NodeFailure."""
        try:
            fixed = fixed_settings(kind, spec.settings)
            if fixed is not None:
                return fixed
            scope = Scope(self.state, self.facts, self.state.scope_of(key), spec.id)
            seen = await self.values.seen(scope, lambda: references(kind.Settings, spec.settings))
            if reads_much(seen):
                self.loaded = loaded_of(seen)
                return await asyncio.to_thread(over_much, resolve_settings, kind, spec.settings, seen)
            return resolve_settings(kind, spec.settings, seen)
        except ExpressionError as error:
            raise failure_of(error) from None

    async def much_shown(self, settings: BaseModel) -> JSON:
        """The same as `shown_settings`, where much was `loaded`: what is as it was loaded is not gone through."""
        loaded, self.loaded = self.loaded, []
        try:
            return await self.values.apart(lambda values: values.shown(settings), loaded)
        except NodeFailure:
            return None

    def shown(self, settings: JSON) -> JSON:
        """Settings as the history shows them."""
        try:
            return self.values.kept_members(settings)
        except NodeFailure:
            return None  # not JSON; the node itself may do with it

    def shown_settings(self, kind: NodeType, spec: Node, settings: BaseModel) -> JSON:
        """The same of resolved ones; of those that read nothing it is worked out once. Not to be changed."""
        if settings is not fixed_settings(kind, spec.settings):
            return self.shown(settings.model_dump(mode="json"))
        try:
            return self.values.kept_once(settings, lambda: settings.model_dump(mode="json"))
        except NodeFailure:
            return None

    async def _combined(self, spec: Node, key: Key) -> JSON:
        """What a join makes of its branches. Raises NodeFailure."""
        combine = spec.join.combine
        if combine in ("object", "list"):
            return await self.values.whole(combined(self.state, *key))
        scope = Scope(self.state, self.facts, self.state.scope_of(key), spec.id)
        try:
            seen = await self.values.seen(scope, lambda: references_in(combine))
            return await evaluated(resolve, combine, seen)
        except ExpressionError as error:
            raise failure_of(error, "combine: ") from None

    async def context(
        self,
        kind: NodeType,
        spec: Node,
        key: Key,
        attempt: int,
        settings: Any,
        begun_at: datetime,
        wait_data: JSON = None,
        shared: Mapping[str, JSON] | None = None,
    ) -> Context:
        node, path = key
        node_run = self.state.node(key)
        where = f"/{path_text(path)}" if path else ""
        again = round_of(self.state, key)
        limit = deadline(spec, node_run)
        self.loaded = []
        return Context(
            run=self.facts,
            node=node,
            path=path,
            name=spec.name,
            attempt=attempt,
            alternative=node_run.alternative,
            settings=settings,
            started_at=begun_at,
            run_started_at=self.state.started_at,
            deadline=self.clock.by_own(limit) if limit else None,
            idempotency_key=f"{self._run}/{node}{where}" + (f"/again-{again}" if again else ""),
            emit=partial(self.live.stream, self.facts.id, node, path_text(path), attempt),
            wait_data=wait_data,
            shared=await self.values.whole(dict(shared)) if shared else {},
            combined=await self._combined(spec, key) if kind.combines else None,
        )
