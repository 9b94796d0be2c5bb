"""A run's checkpoints on their way to the disk."""

import asyncio
from typing import Any, cast

import pytest

from orchestration.driving.pen import Pen, Recorded
from orchestration.store import Checkpoint, LeaseLost, Writer, Written


class Hand:
    """A writer that answers when it is told to."""

    def __init__(self) -> None:
        self.answers: list[asyncio.Future[Written]] = []

    def hand_in(self, checkpoint: Checkpoint) -> asyncio.Future[Written]:
        self.answers.append(asyncio.get_running_loop().create_future())
        return self.answers[-1]


def pen_of(hand: Hand) -> Pen:
    return Pen(cast(Writer, hand), lambda: None)


async def test_what_was_recorded_is_told_even_if_the_answer_is_taken_before_anybody_heard_of_it() -> None:
    hand = Hand()
    pen, recorded = pen_of(hand), [Recorded(), Recorded()]
    pen.write(cast(Any, None), recorded[0])
    hand.answers[0].set_result(cast(Any, "written"))
    assert pen.take() == "written"  # the driver was awake already, for another reason
    pen.write(cast(Any, None), recorded[1])
    await asyncio.wait_for(recorded[0].wait(), 60)
    assert not recorded[1].is_set()


async def test_a_lost_lease_is_raised_and_nothing_was_recorded() -> None:
    hand = Hand()
    pen, recorded = pen_of(hand), Recorded()
    pen.write(cast(Any, None), recorded)
    hand.answers[0].set_exception(LeaseLost("in other hands"))
    await pen.wait()
    with pytest.raises(LeaseLost):
        pen.take()
    assert pen.free and not recorded.is_set()
