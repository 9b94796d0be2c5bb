"""Errors that the engine itself gives, in the shape every error of a node run has (see events.py).

abandoned         the hosts that ran the node died, one after the other
outcome_unknown   an at-most-once node was cut off: nobody knows whether it took effect
timeout           an attempt, a wait or a loop took longer than the node's timeout
node_timeout      all attempts of a node together took longer than its total timeout
run_timeout       the run took longer than its timeout
"""

from __future__ import annotations

from typing import Any

JSON = Any


def abandoned(times: int) -> JSON:
    return _error("abandoned", f"The host that ran this node died {times} times, so it is not started again by itself.")


def outcome_unknown() -> JSON:
    return _error(
        "outcome_unknown",
        "The host died while this node ran. It may have taken effect, and it must not do so twice: "
        "look at the other side, then retry the run or handle the error.",
    )


def timeout(seconds: float) -> JSON:
    return _error("timeout", f"Not done after {seconds:g} seconds.", retryable=True)


def node_timeout(seconds: float, last: JSON) -> JSON:
    """`last` is the error of the last attempt, kept as `detail`."""
    return {**_error("node_timeout", f"Not done after {seconds:g} seconds, all tries together."), "detail": last}


def run_timeout(seconds: float) -> JSON:
    return _error("run_timeout", f"The run was not done after {seconds:g} seconds.")


def _error(code: str, message: str, *, retryable: bool = False) -> JSON:
    return {"code": code, "message": message, "retryable": retryable, "retry_after": None, "detail": None}
