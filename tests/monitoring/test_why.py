"""Why is it not moving: every cause in words, from facts alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from orchestration.monitoring.why import ChildRun, Facts, WaitingNode, why

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
STILL = Facts(
    status="waiting", due_at=None, lease_alive=False, engine_alive=True, incident=None, running=(), waiting=()
)


def waiting(reason: str = "approval", status: str = "waiting", **more: object) -> WaitingNode:
    values = {
        "name": "Legal review",
        "node": "legal_review",
        "path": "",
        "status": status,
        "reason": reason,
        "until": None,
        "data": {},
        "attempts": 1,
        "error": None,
    }
    return WaitingNode(**{**values, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("facts", "kinds", "words"),
    [
        (replace(STILL, waiting=[waiting(data={"assignee": {"role": "approver"}})]), ["person"], "role approver"),
        (replace(STILL, waiting=[waiting(data={"assignee": {"user": "kim"}})]), ["person"], "waits for kim"),
        (replace(STILL, waiting=[waiting()]), ["person"], "anybody who may decide"),
        (
            replace(STILL, waiting=[waiting("event", data={"name": "order.paid", "key": "42"})]),
            ["event"],
            "waits for event order.paid with key 42.",
        ),
        (replace(STILL, waiting=[waiting("timer", until=NOW)]), ["timer"], "waits for its time"),
        (
            replace(STILL, waiting=[waiting("", "retrying", attempts=2, error={"message": "busy"})]),
            ["retry"],
            "attempt 2 failed (busy)",
        ),
        (
            replace(STILL, waiting=[waiting("", "retrying", error={"message": "It is busy."})]),
            ["retry"],
            "failed (It is busy);",
        ),
        (
            replace(STILL, status="compensating", undone_first=[ChildRun("0123456789", "Seat", "compensating")]),
            ["undoing", "run"],
            "is being undone, the latest step first",
        ),
        (replace(STILL, status="paused"), ["paused"], "until it is resumed"),
        (replace(STILL, due_at=NOW - timedelta(seconds=5), engine_alive=False), ["engine"], "No engine is alive"),
        (replace(STILL, due_at=NOW - timedelta(seconds=5)), ["queue"], "take it up"),
        (replace(STILL, due_at=NOW - timedelta(seconds=5), too_new="a thing"), ["engine"], "it holds a thing"),
        (
            replace(STILL, due_at=NOW - timedelta(seconds=5), lease_alive=True, running=["A"]),
            ["working"],
            "Working on A",
        ),
        (replace(STILL, status="queued", lease_alive=True), ["working"], "has it in hand"),
        (replace(STILL, running=list("ABCDE")), ["working"], "A, B, C and 2 more"),
        (replace(STILL, incident={"message": "It cost 3 hosts."}), ["incident"], "It cost 3 hosts."),
    ],
)
def test_each_cause_is_told(facts: Facts, kinds: list[str], words: str) -> None:
    reasons = why(facts, NOW)
    assert [reason.kind for reason in reasons] == kinds
    assert words in reasons[0].text


def test_a_run_in_quarantine_is_not_said_to_wait_for_an_engine() -> None:
    facts = replace(STILL, incident={"message": "x"}, due_at=NOW - timedelta(1), engine_alive=False)
    assert [reason.kind for reason in why(facts, NOW)] == ["incident"]


def test_a_run_below_that_is_undone_first_is_named_and_linked() -> None:
    child = ChildRun("0123456789", "Seat", "compensating")
    (_, below) = why(replace(STILL, status="compensating", undone_first=[child]), NOW)
    assert below.run == child.id and "run 01234567 of “Seat”" in below.text and "being undone, too" in below.text
