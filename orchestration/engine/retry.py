"""What follows from an attempt that failed or was cut off: who is asked, in this order.

    the retry policy      try again, when, or not any more (the node's policy; where it has none, the one the error
                          brings along, which is an agent's own)
    an alternative        the next agent of the node's `alternatives`, with attempts of its own
    the `error` port      an edge from there: the run goes on by it
    nobody                the node is a loser of a join that ignores its losers: its failure does not count
    optional              the node is skipped and `out` lives
    a person              whom the node's `escalate` names: it waits until they say to try again, to go on with a value,
                          or to let it fail
    a join behind it      one that takes failures and to which all its paths lead (joins.py): its branch has failed
    a person all the same where nobody knows whether an at-most-once node took effect: those who keep runs going
    what is around it     the failure goes up

An attempt that was abandoned (its host died) is not the node's fault: it is begun again at once and does not count as a
try, up to a ceiling that keeps a node which kills its hosts from doing so for ever. A node marked at-most-once is never
begun again by itself once something it did outside may have taken effect, whether it was cut off, did not end in time,
or failed otherwise. The effects ledger knows: an attempt that had begun no outside call when its host died, or whose
calls were all refused, did nothing, and another is safe.

Delays follow AWS's "Exponential Backoff and Jitter" (Brooker, 2015) with equal jitter: half of the delay is certain,
half is left to chance, and chance is a hash of run, node and attempt, so that planning twice gives the same time.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from orchestration.engine import errors
from orchestration.engine.commands import Record
from orchestration.engine.events import (
    AlternativeChosen,
    NodeEscalated,
    NodeEvent,
    NodeFailed,
    NodeSkipped,
    NodeSucceeded,
    RetryScheduled,
)
from orchestration.engine.frontier import last_deadline
from orchestration.engine.ids import Key, path_text
from orchestration.engine.nodes import Escalation, Node, RetryPolicy
from orchestration.engine.states import NodeRunState, RunState

JSON = Any

LONGEST_RETRY_AFTER_SECONDS = 31 * 24 * 3600.0
MOST_ABANDONMENTS = 5
WHO_KEEPS_RUNS_GOING = Escalation(role="operator")
"""Asked where nobody else is named."""


def decide(state: RunState, key: Key, now: datetime) -> Record | None:
    """What to write down about an attempt that failed; None if it was cut off and goes on at once."""
    node_run, node = state.nodes[key], state.graph.nodes[key[0]]
    if node_run.answer:
        return _answered(state, key, now)
    if node_run.abandoned:
        if node.delivery == "at_most_once" and node_run.acted:
            return final_failure(state, key, errors.outcome_unknown(), now)
        if node_run.abandonments > MOST_ABANDONMENTS:
            return final_failure(state, key, errors.abandoned(node_run.abandonments), now)
        return None
    error, last = _told(node, node_run), last_deadline(node, node_run)
    policy = node.retry or RetryPolicy.of(error.get("retry_policy") or {})
    delay = delay_seconds(policy, node_run.failures, error, chance(state.seed, key, node_run.attempt))
    due = (node_run.failed_at or now) + timedelta(seconds=delay)
    is_retried = _is_retried(policy, node_run.failures, error) and not must_not_repeat(node, node_run, error)
    if last and last <= (due if is_retried else now):
        return final_failure(state, key, errors.node_timeout(node.total_timeout_seconds or 0, error), now)
    if not is_retried:
        return final_failure(state, key, error, now)
    attempt = node_run.attempt + 1
    return Record(RetryScheduled(at=now, node=node.id, path=key[1], attempt=attempt, due=due, error=error))


def must_not_repeat(node: Node, node_run: NodeRunState, error: JSON) -> bool:
    """Whether the last attempt of an at-most-once node took effect, or may have: it must not begin again by itself."""
    return node.delivery == "at_most_once" and (errors.is_unclear(error) or bool(node_run.acted))


def _told(node: Node, node_run: NodeRunState) -> JSON:
    """The error of the attempt; of an at-most-once node that may have acted, that nobody knows, and why."""
    error = node_run.error
    unclear = node.delivery == "at_most_once" and node_run.acted == "maybe" and error.get("code") != "outcome_unknown"
    return errors.outcome_unknown(error) if unclear else error


def _answered(state: RunState, key: Key, now: datetime) -> Record:
    """A person has said that it counts as done, or that it has failed."""
    node_run, (node, path) = state.nodes[key], key
    if node_run.answer == "skip":
        outputs, port = node_run.outputs, node_run.port
        return Record(NodeSucceeded(at=now, node=node, path=path, outputs=outputs, port=port, by_person=True))
    return final_failure(state, key, node_run.error, now)


# The last attempt has failed


def final_failure(state: RunState, key: Key, error: JSON, now: datetime) -> Record:
    """The first that has an answer says what the failure comes to; if nobody has one, it goes up.

    What another attempt could do is not asked for a join that fails by its rule: it has made none.
    """
    for ask in _ASKED if key in state.nodes else _ASKED_WITHOUT_ATTEMPT:
        if answer := ask(state, key, error, now):
            return Record(answer)
    return Record(NodeFailed(at=now, node=key[0], path=key[1], error=error))


def _an_alternative(state: RunState, key: Key, error: JSON, now: datetime) -> NodeEvent | None:
    node, node_run = state.graph.nodes[key[0]], state.nodes[key]
    too_late = error.get("code") == "node_timeout"
    if node_run.alternative >= len(node.alternatives) or too_late or must_not_repeat(node, node_run, error):
        return None
    agent = node.alternatives[node_run.alternative]
    return AlternativeChosen(
        at=now, node=node.id, path=key[1], index=node_run.alternative + 1, agent=agent, error=error
    )


def _the_error_port(state: RunState, key: Key, error: JSON, now: datetime) -> NodeEvent | None:
    node, path = key
    if not state.graph.successors(node, "error"):
        return None
    return NodeFailed(at=now, node=node, path=path, error=error, handled=True)


def _nobody(state: RunState, key: Key, error: JSON, now: datetime) -> NodeEvent | None:
    node, path = key
    scope = state.scopes.get(state.scope_of(key))  # none any more where something is undone
    if scope is None or node not in scope.ignored:
        return None
    return NodeFailed(at=now, node=node, path=path, error=error, handled=True)


def _leaving_it_out(state: RunState, key: Key, error: JSON, now: datetime) -> NodeEvent | None:
    node, path = key
    if not state.graph.nodes[node].optional:
        return None
    return NodeSkipped(at=now, node=node, path=path, reason="optional", error=error)


def _the_person_named(state: RunState, key: Key, error: JSON, now: datetime) -> NodeEvent | None:
    wanted = state.graph.nodes[key[0]].escalate
    return _asking(state, key, error, now, wanted) if wanted else None


def _the_join_behind(state: RunState, key: Key, error: JSON, now: datetime) -> NodeEvent | None:
    node, path = key
    taker = state.graph.takers.get(node)
    return NodeFailed(at=now, node=node, path=path, error=error, taken_by=taker) if taker else None


def _somebody(state: RunState, key: Key, error: JSON, now: datetime) -> NodeEvent | None:
    """Nobody knows whether it took effect, so it is for a person to find out."""
    unknown = state.graph.nodes[key[0]].delivery == "at_most_once" and errors.is_unclear(error)
    return _asking(state, key, error, now, WHO_KEEPS_RUNS_GOING) if unknown else None


def _asking(state: RunState, key: Key, error: JSON, now: datetime, whom: Escalation) -> NodeEvent | None:
    node = state.graph.nodes[key[0]]
    if node.container or state.nodes[key].answer == "fail":
        return None
    return NodeEscalated(
        at=now,
        node=node.id,
        path=key[1],
        error=error,
        assignee={"user": whom.user, "role": "" if whom.user else whom.role},
        message=whom.message,
        unknown=node.delivery == "at_most_once" and errors.is_unclear(error),
    )


_ASKED: tuple[Callable[[RunState, Key, JSON, datetime], NodeEvent | None], ...] = (
    _an_alternative,
    _the_error_port,
    _nobody,
    _leaving_it_out,
    _the_person_named,
    _the_join_behind,
    _somebody,
)
_ASKED_WITHOUT_ATTEMPT = (_the_error_port, _nobody, _leaving_it_out, _the_join_behind)


# Trying again


def _is_retried(policy: RetryPolicy, failures: int, error: JSON) -> bool:
    code = error.get("code")
    if failures >= policy.max_attempts or code in policy.not_on:
        return False
    return code in policy.on if policy.on else bool(error.get("retryable"))


def delay_seconds(policy: RetryPolicy, failures: int, error: JSON, chance: float) -> float:
    """Seconds between the end of the attempt that was the `failures`-th to fail and the next; `chance` is in [0, 1).

    What the other side asked for (`retry_after`) is the least, even beyond `max_seconds`, but not beyond a month.
    """
    # 2.0 ** 64 seconds are beyond every max_seconds; more would overflow
    growth = {"fixed": 1.0, "linear": float(failures), "exponential": 2.0 ** min(failures - 1, 64)}[policy.backoff]
    delay = min(policy.initial_seconds * growth, policy.max_seconds)
    if policy.jitter:
        delay *= 0.5 + 0.5 * chance
    return max(delay, min(error.get("retry_after") or 0.0, LONGEST_RETRY_AFTER_SECONDS))


def chance(seed: str, key: Key, attempt: int) -> float:
    text = f"{seed}/{key[0]}/{path_text(key[1])}/{attempt}"
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") / 2**64
