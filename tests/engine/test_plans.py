"""What is planned next: a definition, what has happened so far, and the one plan that follows."""

from __future__ import annotations

import pytest

from tests.engine.definitions import Definition, define, node
from tests.engine.words import Story

ANY = {"rule": "any", "losers": "cancel"}
FINISH = {"rule": "any", "losers": "finish"}
IGNORE = {"rule": "any", "losers": "ignore"}
TWICE = {"max_attempts": 2, "jitter": False}

Row = tuple[str, Definition, list[str], list[str]]

BEGIN_AND_END: list[Row] = [
    ("a run begins with the nodes that nothing leads to", define("a > c", "b > c"), [], ["start a", "start b"]),
    ("a node begins when what leads to it has succeeded", define("a > b"), ["a succeeded"], ["start b"]),
    ("nothing is planned while everything is at work", define("a > b"), ["a started"], []),
    ("the run completes when all has ended", define("a > b"), ["a succeeded", "b succeeded"], ["complete"]),
    ("a run without nodes completes at once", define(), [], ["complete"]),
]

JOINS: list[Row] = [
    ("all: waits for every edge", define("a > c", "b > c"), ["a succeeded", "b started"], []),
    ("all: begins with the last", define("a > c", "b > c"), ["a succeeded", "b succeeded"], ["start c"]),
    (
        "all: dead edges are ignored",
        define("a:yes > b", "a:no > c", "b > d", "c > d"),
        ["a succeeded yes", "b succeeded", "c skipped"],
        ["start d"],
    ),
    (
        "all: all edges dead is a dead path",
        define("a:yes > b", "a:no > c", "a:no > d", "c > e", "d > e"),
        ["a succeeded yes", "b started"],
        ["c is skipped (dead_path)", "d is skipped (dead_path)", "e is skipped (dead_path)"],
    ),
    (
        "a dead path is cleared away only as far as it is dead",
        define("a:yes > b", "a:no > c", "c > d", "x > d"),
        ["a succeeded yes", "b started", "x started"],
        ["c is skipped (dead_path)"],
    ),
    (
        "any: begins with the first live edge, losers are cancelled first",
        define(node("c", join=ANY), "a > c", "b > c"),
        ["a started", "b started", "a succeeded"],
        ["stop b (lost_join)"],
    ),
    (
        "any: begins once the losers are gone",
        define(node("c", join=ANY), "a > c", "b > c"),
        ["a started", "b started", "a succeeded", "b cancelled lost_join"],
        ["start c"],
    ),
    (
        "any: a second edge changes nothing",
        define(node("c", join=FINISH), "a > c", "b > c"),
        ["a succeeded", "c succeeded", "b succeeded"],
        ["complete"],
    ),
    (
        "any: losers that finish are waited for",
        define(node("c", join=FINISH), "a > c", "b > c"),
        ["b started", "a succeeded", "c succeeded"],
        [],
    ),
    (
        "any: ignored losers are cancelled when all else has ended",
        define(node("c", join=IGNORE), "a > c", "b > c"),
        ["b started", "a succeeded", "c succeeded"],
        ["stop b (lost_join)"],
    ),
    (
        "any: an ignored loser may fail",
        define(node("c", join=IGNORE), "a > c", "b > c"),
        ["b started", "a succeeded", "c started", "b failed"],
        ["b fails (broken) handled"],
    ),
    (
        "any: who leads elsewhere too is no loser",
        define(node("c", join=ANY), "a > c", "b > c", "b > d"),
        ["b started", "a succeeded"],
        ["start c"],
    ),
    (
        "any: losers that have not begun are cancelled with those that have",
        define(node("c", join=ANY), "a > c", "b > b2", "b2 > c"),
        ["b started", "a succeeded"],
        ["stop b (lost_join)", "b2 is cancelled (lost_join)"],
    ),
    (
        "any: a dead edge does not begin it",
        define(node("d", join=ANY), "a:yes > b", "a:no > d", "b > d"),
        ["a succeeded yes", "b started"],
        [],
    ),
    (
        "any: all edges dead is a dead path",
        define(node("d", join=ANY), "a:yes > b", "a:no > c", "a:no > d", "c > d"),
        ["a succeeded yes", "b started"],
        ["c is skipped (dead_path)", "d is skipped (dead_path)"],
    ),
]

FAILURES: list[Row] = [
    (
        "an error that is retryable is tried again",
        define(node("a", retry=TWICE)),
        ["a failed busy"],
        ["a is tried again in 1 s"],
    ),
    ("an error that is not is final", define(node("a", retry=TWICE)), ["a failed broken"], ["a fails (broken)"]),
    (
        "named codes are retried, retryable or not",
        define(node("a", retry={**TWICE, "on": ["broken"]})),
        ["a failed broken"],
        ["a is tried again in 1 s"],
    ),
    (
        "other codes are not, retryable or not",
        define(node("a", retry={**TWICE, "on": ["broken"]})),
        ["a failed busy"],
        ["a fails (busy)"],
    ),
    (
        "after the last attempt the node fails",
        define(node("a", retry=TWICE)),
        ["a failed busy", "a failed busy"],
        ["a fails (busy)"],
    ),
    ("the error port handles it", define("a > b", "a:error > c"), ["a failed"], ["a fails (broken) handled"]),
    ("an optional node is left out", define(node("a", optional=True)), ["a failed"], ["a is skipped (optional)"]),
    (
        "the error port comes before leaving out",
        define(node("a", optional=True), "a:error > c"),
        ["a failed"],
        ["a fails (broken) handled"],
    ),
    ("what was left out leads on", define("a > b"), ["a started", "a failed", "a skipped optional"], ["start b"]),
]

WAITS: list[Row] = [
    ("nothing is planned while all wait", define(node("a")), ["a waits"], []),
    ("a wait is over when its time has come", define(node("a")), ["a waits 20", "20 seconds later"], ["resume a"]),
    ("not before", define(node("a")), ["a waits 20", "19.9 seconds later"], []),
    (
        "a wait that outlasts the node's timeout fails",
        define(node("a", timeout_seconds=10)),
        ["a waits 20", "10 seconds later"],
        ["a times out (timeout)"],
    ),
    (
        "a wait whose own time is up first goes on",
        define(node("a", timeout_seconds=30)),
        ["a waits 20", "20 seconds later"],
        ["resume a"],
    ),
]

PLACES: list[Row] = [
    (
        "no more than max_parallel begin",
        define(node("a"), node("b"), node("c"), max_parallel=2),
        [],
        ["start a", "start b"],
    ),
    (
        "who waits gives its place to another",
        define(node("a"), node("b"), node("c"), max_parallel=2),
        ["a started", "b waits"],
        ["start c"],
    ),
    (
        "inline nodes take no place",
        define(node("a"), node("b", "branch"), node("c", "branch"), max_parallel=1),
        ["a started"],
        ["start b", "start c"],
    ),
    (
        "a loop takes no place",
        define(node("each", "loop"), node("a"), max_parallel=1),
        ["a started"],
        ["start each"],
    ),
    (
        "the higher priority first",
        define(node("a", priority=1), node("b", priority=10), node("c"), max_parallel=2),
        [],
        ["start b", "start c"],
    ),
    (
        "of equal priority the longer way ahead first",
        define(node("a"), node("b"), "b > c", "c > d", "a > d", max_parallel=1),
        [],
        ["start b"],
    ),
]


def every(*tables: list[Row]) -> list[object]:
    return [pytest.param(*row[1:], id=row[0]) for table in tables for row in table]


@pytest.mark.parametrize(("definition", "told", "expected"), every(BEGIN_AND_END, JOINS, FAILURES, WAITS, PLACES))
def test_the_plan(definition: Definition, told: list[str], expected: list[str]) -> None:
    assert Story(definition, *told).plan() == expected
