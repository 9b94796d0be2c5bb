"""Errors that the engine itself gives, in the shape every error of a node run has (see `events`).

abandoned         the hosts that ran the node died, one after the other
outcome_unknown   an at-most-once node was cut off, or got no clear answer: nobody knows whether it took effect
timeout           an attempt, a wait or a loop took longer than the node's timeout
node_timeout      all attempts of a node together took longer than its total timeout
run_timeout       the run took longer than its timeout
no_branch_succeeded   every branch of a first-success join has failed or was not taken
too_many_iterations   the condition of a loop still holds after as many iterations as there may be
too_few_branches      an n-of-m join can no longer get as many branches as it needs
"""

from __future__ import annotations

from typing import Any

JSON = Any


def is_unclear(error: JSON) -> bool:
    """Whether an attempt that ended with it may have taken effect all the same."""
    return error.get("code") in ("outcome_unknown", "timeout", "node_timeout")


def abandoned(times: int) -> JSON:
    return _error("abandoned", f"The host that ran this node died {times} times, so it is not started again by itself.")


def outcome_unknown(cause: JSON = None) -> JSON:
    """cause: the error of an attempt that failed without a clear answer; None: its host died."""
    what = "This node failed without a clear answer." if cause else "The host died while this node ran."
    error = _error(
        "outcome_unknown",
        f"{what} It may have taken effect, and it must not do so twice: "
        "look at the other side, then retry the run or handle the error.",
    )
    return {**error, "detail": {"cause": cause}} if cause else error


def timeout(seconds: float) -> JSON:
    return _error("timeout", f"Not done after {seconds:g} seconds.", retryable=True)


def node_timeout(seconds: float, last: JSON) -> JSON:
    """`last` is the error of the last attempt, kept as `detail`."""
    return {**_error("node_timeout", f"Not done after {seconds:g} seconds, all tries together."), "detail": last}


def run_timeout(seconds: float) -> JSON:
    return _error("run_timeout", f"The run was not done after {seconds:g} seconds.")


def no_branch_succeeded(failed: list[JSON]) -> JSON:
    """`failed`: see `joins.failed_branches`."""
    return _error("no_branch_succeeded", f"No branch has succeeded. {_first_of(failed)}", detail={"branches": failed})


def too_few_branches(count: int, branches: int, failed: list[JSON]) -> JSON:
    message = f"{count} of {branches} branches must succeed, and so many cannot any more. {_first_of(failed)}"
    return _error("too_few_branches", message.strip(), detail={"branches": failed})


def too_many_iterations(most: int) -> JSON:
    return _error(
        "too_many_iterations",
        f"The condition still holds after {most:,} iterations, and more are not allowed (max_iterations).",
    )


def _first_of(failed: list[JSON]) -> str:
    if not failed:
        return "The others were not taken."
    more = f" ({len(failed) - 1} more have failed)" if len(failed) > 1 else ""
    return f"{failed[0]['node']} failed: {failed[0]['message']}{more}"


def _error(code: str, message: str, *, retryable: bool = False, detail: JSON = None) -> JSON:
    return {"code": code, "message": message, "retryable": retryable, "retry_after": None, "detail": detail}
