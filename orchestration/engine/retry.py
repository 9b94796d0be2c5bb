"""What follows from an attempt that failed or was cut off.

In this order: try again as the retry policy says (the node's; where it has none, the one the error brings along, which
is an agent's own), lead on through the `error` port, leave the node out if it is optional, or let the failure go up. An
attempt that was abandoned (its host died) is not the node's fault: it is begun again at once and does not count as a
try, up to a ceiling that keeps a node which kills its hosts from doing so for ever. A node marked at-most-once is never
begun again by itself.

Delays follow AWS's "Exponential Backoff and Jitter" (Brooker, 2015) with equal jitter: half of the delay is certain,
half is left to chance, and chance is a hash of run, node and attempt, so that planning twice gives the same time.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from orchestration.engine import errors
from orchestration.engine.commands import Record
from orchestration.engine.events import NodeFailed, NodeSkipped, RetryScheduled, path_text
from orchestration.engine.graph import Key, RetryPolicy
from orchestration.engine.states import RunState

JSON = Any

MOST_ABANDONMENTS = 5


def decide(state: RunState, key: Key, now: datetime) -> Record | None:
    """What to write down about an attempt that failed; None if it was cut off and goes on at once."""
    node_run, node = state.nodes[key], state.graph.nodes[key[0]]
    if node_run.abandoned:
        if node.delivery == "at_most_once":
            return final_failure(state, key, errors.outcome_unknown(), now)
        if node_run.abandonments > MOST_ABANDONMENTS:
            return final_failure(state, key, errors.abandoned(node_run.abandonments), now)
        return None
    policy = node.retry or RetryPolicy.of(node_run.error.get("retry_policy") or {})
    if not _is_retried(policy, node_run.failures, node_run.error):
        return final_failure(state, key, node_run.error, now)
    delay = delay_seconds(policy, node_run.failures, node_run.error, chance(state.seed, key, node_run.attempt))
    due = (node_run.failed_at or now) + timedelta(seconds=delay)
    attempt = node_run.attempt + 1
    return Record(RetryScheduled(at=now, node=node.id, path=key[1], attempt=attempt, due=due, error=node_run.error))


def final_failure(state: RunState, key: Key, error: JSON, now: datetime) -> Record:
    """The node run fails for good: through its `error` port, as an optional node left out, or unhandled."""
    node, path = key
    scope = state.scopes[state.scope_of(key)]
    if state.graph.successors(node, "error") or node in scope.ignored:
        return Record(NodeFailed(at=now, node=node, path=path, error=error, handled=True))
    if state.graph.nodes[node].optional:
        return Record(NodeSkipped(at=now, node=node, path=path, reason="optional", error=error))
    return Record(NodeFailed(at=now, node=node, path=path, error=error))


def _is_retried(policy: RetryPolicy, failures: int, error: JSON) -> bool:
    if failures >= policy.max_attempts:
        return False
    return error.get("code") in policy.on if policy.on else bool(error.get("retryable"))


def delay_seconds(policy: RetryPolicy, failures: int, error: JSON, chance: float) -> float:
    """Seconds between the end of the attempt that was the `failures`-th to fail and the next; `chance` is in [0, 1).

    What the other side asked for (`retry_after`) is the least, even beyond `max_seconds`.
    """
    # 2.0 ** 64 seconds are beyond every max_seconds; more would overflow
    growth = {"fixed": 1.0, "linear": float(failures), "exponential": 2.0 ** min(failures - 1, 64)}[policy.backoff]
    delay = min(policy.initial_seconds * growth, policy.max_seconds)
    if policy.jitter:
        delay *= 0.5 + 0.5 * chance
    return max(delay, error.get("retry_after") or 0.0)


def chance(seed: str, key: Key, attempt: int) -> float:
    text = f"{seed}/{key[0]}/{path_text(key[1])}/{attempt}"
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") / 2**64
