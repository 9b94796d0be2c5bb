"""Joins that meet: losers of two joins, losers on dead paths, losers inside of losers."""

from __future__ import annotations

from orchestration.engine import events
from orchestration.engine.joins import Token, token
from orchestration.engine.nodes import Edge
from orchestration.engine.statuses import RunStatus
from tests.engine.definitions import define, node
from tests.engine.simulator import graph_of
from tests.engine.words import Story

ANY = {"rule": "any", "losers": "cancel"}
IGNORE = {"rule": "any", "losers": "ignore"}


def test_a_dead_path_ends_at_a_loser_that_was_cancelled() -> None:
    definition = define(node("j", join=ANY), "a > j", "s:no > p", "p > b", "b > j", "p > z")
    story = Story(definition, "s started", "a succeeded")
    assert story.carry_out() == ["b is cancelled (lost_join)", "start j"]
    story.tell("j started", "s succeeded yes")
    assert story.carry_out() == ["p is skipped (dead_path)", "z is skipped (dead_path)"]


def test_a_loser_of_two_joins_that_ignore_theirs_is_counted_once() -> None:
    definition = define(node("j", join=IGNORE), node("k", join=IGNORE), "a > j", "b > j", "j > k", "c > k")
    story = Story(definition, "a started", "b started", "c succeeded", "a succeeded", "k succeeded")
    assert story.carry_out() == ["stop b (lost_join)", "j is cancelled (lost_join)", "complete"]


def test_a_loser_that_is_ignored_stays_so_when_the_run_is_retried_or_moved() -> None:
    definition = define(node("j", join=IGNORE), "quick > j", "slow > j", "j > after")
    retried = Story(definition, "quick succeeded", "slow started", "j succeeded", "after failed")
    retried.carry_out()
    assert retried.state.status is RunStatus.FAILED
    retried.tell("retried")
    assert retried.plan() == ["start slow", "start after"]

    retried.tell("slow failed")
    assert retried.carry_out() == ["slow fails (broken) handled", "start after"]
    retried.tell("after succeeded")
    assert retried.carry_out() == ["complete"]

    waiting = define(node("j", join=IGNORE), "quick > j", "gate > slow", "gate > other", "slow > j")
    moved = Story(waiting, "quick succeeded", "gate started", "j succeeded")
    moved.record(events.RunMoved(at=moved.now, definition="other", version=2, previous="", graph=graph_of(waiting)))
    moved.tell("gate succeeded", "slow started", "other succeeded")
    assert moved.carry_out() == ["stop slow (lost_join)", "complete"], "nobody waits for it"


def test_losers_inside_of_a_loop_that_is_a_loser_itself_go_first() -> None:
    definition = define(
        node("each", "loop"),
        node("x", parent="each"),
        node("w", parent="each"),
        node("y", parent="each"),
        node("i", parent="each", join=ANY),
        node("j", join=ANY),
        "x > i",
        "w > y",
        "y > i",
        "each > j",
        "k > j",
    )
    story = Story(definition, "each opened 1", "x[0] started", "w[0] started", "k succeeded", "x[0] succeeded")
    assert story.carry_out() == [
        "stop w[0] (lost_join)",
        "y[0] is cancelled (lost_join)",
        "stop each (lost_join)",
        "start j",
    ]


def test_a_loser_that_ended_in_time_is_left_alone() -> None:
    story = Story(define(node("j", join=ANY), "a > j", "b > j"), "a started", "b started", "a succeeded", "b succeeded")
    assert story.carry_out() == ["start j"]


def test_tokens_of_edges_can_be_asked_for() -> None:
    definition = define("a:yes > b", "a:no > c", "c > d", "b > d")
    story = Story(definition, "a succeeded yes", "b started")
    story.carry_out()
    tokens = {f"{edge.source}:{edge.port}": token(story.state, edge, ()) for edge in graph_edges(story)}
    assert tokens == {"a:yes": Token.LIVE, "a:no": Token.DEAD, "c:out": Token.DEAD, "b:out": Token.OPEN}


def graph_edges(story: Story) -> list[Edge]:
    return [edge for edges in story.state.graph.outgoing.values() for edge in edges]
