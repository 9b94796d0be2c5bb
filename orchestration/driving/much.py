"""Large values of one run, where there is much at once: kept a portion at a time, and shown without being gone through.

Beside `values.py`, which asks here when there are some MiB or more: most runs have none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from pydantic import BaseModel

from orchestration.driving.ready import Place, put_back, ready
from orchestration.driving.seen import Loaded
from orchestration.driving.values import ITEMS_BYTES, RunValues, is_much
from orchestration.nodes.base import NodeFailure, RunFacts
from orchestration.store import values as storing
from orchestration.values.keeper import Keeper
from orchestration.values.portions import MOST_MEMBERS, Portions, TooMuch, is_long
from orchestration.values.splitting import INLINE_BYTES

JSON = Any
Kept = TypeVar("Kept")


class MuchValues(RunValues):
    """In a thread, for one answer of a node or its settings. `loaded` objects have not been changed since."""

    def __init__(self, keeper: Keeper, facts: RunFacts, loaded: Iterable[Loaded] = ()) -> None:
        super().__init__(keeper, facts)
        self._loaded = {id(value): (value, reference) for value, reference in loaded}

    def known(self, value: JSON) -> JSON:
        found, reference = self._loaded.get(id(value), (None, None))
        return super().known(value) if reference is None or found is not value else reference

    def shown(self, settings: BaseModel) -> dict[str, JSON]:
        """As the history shows them. Raises NodeFailure."""
        parts: dict[Place, JSON] = {}
        rest = self._without(settings, (), parts)
        shown = ready(rest.model_dump(mode="json"))
        self.involved = self.involved or shown.escaped
        for place, part in parts.items():
            with suppress(KeyError):  # a key on the way held a secret and reads otherwise now
                shown.value = put_back(shown.value, place, self.kept(part))
        members: dict[str, JSON] = shown.value
        return (
            members if shown.size <= INLINE_BYTES else self._noted(lambda split: split.members(members), INLINE_BYTES)
        )

    def _without(self, value: JSON, place: Place, parts: dict[Place, JSON]) -> JSON:
        """A copy without its large parts, which go into `parts`; something of their type stands for them.

        A new text stays: whether it is a secret may depend on its key.
        """
        many = isinstance(value, dict | list | tuple) and len(value) > MOST_MEMBERS and is_long(value)
        if many or self.known(value) is not None:
            parts[place] = value
            return type(value)()
        match value:
            case BaseModel():
                named = {name: getattr(value, name) for name in type(value).model_fields}
                return value.model_copy(
                    update={name: self._without(item, (*place, name), parts) for name, item in named.items()}
                )
            case dict():
                return {name: self._without(item, (*place, name), parts) for name, item in value.items()}
            case list() | tuple():
                made = [self._without(item, (*place, index), parts) for index, item in enumerate(value)]
                return tuple(made) if isinstance(value, tuple) else made
        return value

    def kept(self, value: JSON, *, inline_bytes: int = INLINE_BYTES) -> JSON:
        if (reference := self.known(value)) is not None:
            self.involved = True
            return reference
        if not is_much(value):
            return super().kept(value, inline_bytes=inline_bytes)
        return self._in_portions(lambda portions: portions.kept(value), inline_bytes)

    def kept_answer(self, value: JSON, usage: JSON) -> tuple[JSON, JSON]:
        return self.kept(value), self.kept_report(usage)

    def kept_members(self, value: Mapping[str, JSON]) -> dict[str, JSON]:
        if not is_much(value):
            return super().kept_members(value)
        return self._in_portions(lambda portions: portions.members(dict(value)))

    def kept_report(self, value: JSON) -> JSON:
        if not isinstance(value, dict) or not is_much(value):
            return super().kept_report(value)
        texts = {name: item for name, item in value.items() if isinstance(item, str)}
        rest = {name: item for name, item in value.items() if name not in texts}
        return super().kept_report(texts) | self.kept_members(rest)

    def kept_items(self, value: list[JSON]) -> list[JSON]:
        if not is_much(value):
            return super().kept_items(value)
        return self._in_portions(lambda portions: portions.items(value, budget=ITEMS_BYTES))

    def _in_portions(self, work: Callable[[Portions], Kept], inline_bytes: int = INLINE_BYTES) -> Kept:
        """Raises NodeFailure."""
        for exact in (False, True):
            portions = Portions(
                ready, self.known, most_bytes=storing.LARGEST_BYTES, inline_bytes=inline_bytes, exact=exact
            )
            try:
                made = work(portions)
            except TooMuch:
                continue
            except RecursionError as error:
                raise NodeFailure(
                    "The node's answer is nested too deeply to be kept.", code="invalid_output"
                ) from error
            self.note(portions.values, involved=portions.escaped or portions.refers)
            self._loaded |= {id(value): (value, reference) for value, reference in portions.stored}
            return made
        refused = storing.too_large()
        raise NodeFailure(f"The node's answer cannot be kept. {refused}", code=refused.code)
