"""A node of a definition as the engine reads it, and the rules it brings: retrying, joining, escalating."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from orchestration.engine.ids import NodeId

BREAK = "break"
"""The type of the nodes that end the loop around them."""
HANDLER = "error_handler"
"""The type of the nodes that take a failure of their body."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a failed attempt is tried again. `max_attempts` counts the first try; seconds are of wall time."""

    max_attempts: int = 1
    backoff: str = "exponential"
    """fixed | linear | exponential"""
    initial_seconds: float = 1.0
    max_seconds: float = 60.0
    jitter: bool = True
    on: tuple[str, ...] = ()
    """Error codes that are retried; empty means every error marked retryable."""
    not_on: tuple[str, ...] = ()
    """Error codes that are never retried, whatever else says so."""

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> RetryPolicy:
        """From JSON; what is left out has its default."""
        return cls(**{**raw, "on": tuple(raw.get("on", ())), "not_on": tuple(raw.get("not_on", ()))})


@dataclass(frozen=True, slots=True)
class JoinRule:
    rule: str = "all"
    """all | any | first_success | n_of_m | all_settled (rules.py)"""
    count: int = 1
    """Rule n_of_m: how many edges must be live."""
    losers: str = "cancel"
    """What becomes of branches that are still under way when the rule is met: cancel | finish | ignore."""
    combine: str = "object"
    """What a join node passes on: object | list | {{ expression }}."""

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> JoinRule:
        """From JSON; what is left out (or null) has its default."""
        return cls(**{name: value for name, value in raw.items() if value is not None})


@dataclass(frozen=True, slots=True)
class Escalation:
    """Who is asked what to do when the node has failed for good: a person, or the holders of a role."""

    role: str = ""
    user: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    id: NodeId
    type: str
    name: str
    parent: NodeId | None
    settings: Mapping[str, Any]
    retry: RetryPolicy | None
    """None: the node brings none; the error may (an agent's own policy), else it is tried once."""
    join: JoinRule
    timeout_seconds: float | None
    optional: bool
    priority: int
    delivery: str
    """at_least_once | at_most_once"""
    total_timeout_seconds: float | None = None
    """Of all attempts together, the pauses between them counted; `timeout_seconds` is of one attempt."""
    alternatives: tuple[str, ...] = ()
    """Who is asked instead, one after the other, when the first has failed for good (an agent's setting)."""
    escalate: Escalation | None = None
    compensate_with: NodeId | None = None
    """The node that undoes this one (saga.py)."""
    inline: bool = False
    """Quick and without outside calls: takes none of the run's `max_parallel` places."""
    container: bool = False
    """A loop; its body are the nodes whose `parent` it is."""
    breaks: bool = False
    """Once it has succeeded the loop around it ends after this iteration."""

    @property
    def takes_place(self) -> bool:
        """Whether it counts towards `max_parallel` while it runs. A loop does not: the nodes of its body do."""
        return not (self.inline or self.container)


@dataclass(frozen=True, slots=True)
class Edge:
    source: NodeId
    port: str
    target: NodeId


def node_of(raw: Mapping[str, Any], inline: AbstractSet[str], containers: AbstractSet[str]) -> Node:
    retry, join = raw.get("retry") or {}, raw.get("join") or {}
    return Node(
        id=raw["id"],
        type=raw["type"],
        name=raw.get("name") or raw["id"],
        parent=raw.get("parent"),
        settings=raw.get("settings") or {},
        retry=RetryPolicy.of(retry) if retry else None,
        join=JoinRule.of(join),
        timeout_seconds=raw.get("timeout_seconds"),
        optional=raw.get("optional", False),
        priority=raw.get("priority", 5),
        delivery=raw.get("delivery", "at_least_once"),
        total_timeout_seconds=raw.get("total_timeout_seconds"),
        alternatives=_alternatives(raw),
        escalate=Escalation(**raw["escalate"]) if raw.get("escalate") else None,
        compensate_with=raw.get("compensate_with"),
        inline=raw["type"] in inline,
        container=raw["type"] in containers,
        breaks=raw["type"] == BREAK,
    )


def _alternatives(raw: Mapping[str, Any]) -> tuple[str, ...]:
    named = (raw.get("settings") or {}).get("alternatives")
    return tuple(map(str, named)) if isinstance(named, list | tuple) else ()
