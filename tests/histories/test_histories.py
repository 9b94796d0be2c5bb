"""Runs that older code has recorded: today's code folds each to what it came to then."""

from __future__ import annotations

from copy import deepcopy

import pytest

from orchestration.engine.apply import apply
from orchestration.engine.commands import Record
from orchestration.engine.events import TYPES
from orchestration.engine.planner import plan
from orchestration.engine.statuses import RunStatus
from orchestration.nodes.base import node_types
from tests.histories.stored import stored, summary

HISTORIES = stored()
HOW = "Make one: KEEP_HISTORIES=1 python -m pytest <a test with a real host that does it> (tests/histories/stored.py)."


@pytest.mark.parametrize("name", HISTORIES)
def test_a_stored_history_folds_to_what_it_came_to(name: str) -> None:
    history = HISTORIES[name]
    state = history.fold()
    assert summary(state) == history.came_to
    if state.status.ended and state.ended_at:
        assert plan(state, state.ended_at) == [], "nothing follows from an ended run"


@pytest.mark.parametrize("name", HISTORIES)
def test_todays_code_can_go_on_from_any_point_of_a_stored_history(name: str) -> None:
    """A host takes a run over wherever the one before has left it: what follows can be worked out, and folded."""
    for state, at in HISTORIES[name].points():
        commands = plan(state, at)
        assert plan(state, at) == commands
        for command in commands:
            if isinstance(command, Record):
                apply(deepcopy(state), command.event)
                break  # the rest is made for the state that follows


def shown() -> set[str]:
    return {item for history in HISTORIES.values() for item in history.shows}


def test_every_node_type_has_a_history() -> None:
    missing = {f"the node type {kind}" for kind in node_types()} - shown()
    assert not missing, HOW


def test_every_event_has_a_history() -> None:
    missing = {f"the event {kind}" for kind in TYPES} - shown()
    assert not missing, HOW


def test_every_kind_of_end_has_a_history() -> None:
    ends = {f"a run that is {status}" for status in RunStatus if status.ended or status is RunStatus.WAITING}
    assert not ends - shown(), HOW
