"""Every event and every type of node is told in plain words."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.engine.events import TYPES
from orchestration.engine.signals import SignalKind
from orchestration.monitoring.words import TITLES, WISHES, told
from orchestration.nodes.base import node_types

NAMES = {"pay": "Charge the card", "seat": "Reserve the seat", "hotel": "Book the hotel"}


def test_every_type_of_event_has_a_title() -> None:
    assert TITLES.keys() == TYPES.keys()


def test_everything_a_person_can_ask_of_a_run_has_words() -> None:
    assert WISHES.keys() == {kind.value for kind in SignalKind}


def test_every_type_of_node_has_a_label_that_is_no_identifier() -> None:
    assert not [kind for kind, found in node_types().items() if "_" in str(found.label) or str(found.label) == kind]


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        ("NodeStarted", {"attempt": 1}, ""),
        ("NodeStarted", {"attempt": 3}, "try 3"),
        ("NodeWaiting", {"reason": "human_input"}, "for a form to be filled in"),
        ("NodeResumed", {}, "its time has come"),
        ("AttemptFailed", {"attempt": 2, "error": {"message": "busy"}}, "try 2: busy"),
        ("NodeSkipped", {"reason": "dead_path"}, "its branch was not taken"),
        ("NodeSkipped", {"reason": "by_person", "by": "ada", "comment": "paid in cash"}, "by ada: paid in cash"),
        ("NodeSucceeded", {"port": "timeout"}, "goes on by “timeout”"),
        ("NodeFailed", {"error": {"message": "no"}, "taken_by": "pay"}, "no (taken by Charge the card)"),
        ("NodeEscalated", {"assignee": {"role": "operator"}, "error": {"message": "no"}}, "role operator: no"),
        ("EscalationAnswered", {"action": "retry_with", "by": "ada"}, "try again with other settings by ada"),
        ("ErrorHandled", {"error": {"node": "pay", "message": "no"}}, "Charge the card: no"),
        ("RunCancelRequested", {"undo": True, "by": "ada", "reason": "ill"}, "what is done is undone, by ada: ill"),
        ("RunMoved", {"previous_version": 1, "version": 2, "by": "ada"}, "from version 1 to version 2 by ada"),
        ("RunStarted", {"inputs": {}, "reused": [{}, {}]}, "2 results reused from the run it re-runs"),
        (
            "CompensationEnded",
            {"undone": [{"node": "hotel", "path": ""}, {"node": "seat", "path": "2"}], "failed": [{"node": "pay"}]},
            "undone: Book the hotel, Reserve the seat [2]; could not be undone: Charge the card",
        ),
        (
            "RunBelowEnded",
            {"node": "hotel", "status": "failed", "error": {"message": "no"}},
            "Book the hotel: failed: no",
        ),
        ("LoopOpened", {"items": [1, 2, 3], "limit": 2}, "3 items, 2 at once"),
        ("LoopOpened", {"items": {"$value": "large"}, "limit": 1}, "one after the other"),
        ("IterationEnded", {"index": 3, "error": {"message": "no"}}, "number 3: no"),
        ("SignalIgnored", {"kind": "move", "reason": "It has ended."}, "move to another version: It has ended."),
        ("SomethingNewer", {}, ""),
    ],
)
def test_the_one_thing_worth_a_line(kind: str, data: dict[str, Any], words: str) -> None:
    assert told(kind, data, NAMES).detail == words
