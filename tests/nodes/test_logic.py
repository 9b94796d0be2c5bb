"""What single types decide."""

from typing import Any

import pytest

from orchestration.expressions import resolve_settings
from orchestration.nodes.base import Done, NodeFailure, OpenLoop, Wait, node_type
from tests.nodes.test_conformance import SCOPE, context


async def do(kind: str, settings: dict[str, Any], **scope: Any) -> Any:
    found = node_type(kind)
    return await found.execute(context(found, resolve_settings(found, settings, {**SCOPE, **scope})))


@pytest.mark.parametrize(
    ("condition", "port"), [("1 < 2", "true"), ("{{ 1 > 2 }}", "false"), ("inputs.text == 'hello'", "true")]
)
async def test_a_condition_takes_its_port(condition: str, port: str) -> None:
    assert (await do("condition", {"condition": condition})).port == port


@pytest.mark.parametrize("condition", ["1", "'true'", "inputs.text", "[]", "null"])
async def test_nothing_but_a_truth_value_is_a_branch(condition: str) -> None:
    with pytest.raises(NodeFailure, match="must be true or false"):
        await do("condition", {"condition": condition})


async def test_a_switch_takes_the_first_that_is_true_and_else_the_default() -> None:
    cases = [{"port": "a", "when": "inputs.n > 10"}, {"port": "b", "when": "inputs.n > 5"}]
    taken = [(await do("switch", {"cases": cases}, inputs={"n": n})).port for n in (11, 7, 1)]
    assert taken == ["a", "b", "default"]
    assert node_type("switch").ports({"cases": cases}) == ("a", "b", "default")


async def test_a_loop_takes_lists_only_and_one_at_a_time_unless_told() -> None:
    assert await do("loop", {"items": "[1, 2]", "limit": 7}) == OpenLoop(items=[1, 2], limit=1)
    assert (await do("loop", {"items": "[1]", "mode": "parallel", "limit": 7})).limit == 7
    for items in ("inputs.text", "{'a': 1}", "3", "null"):
        with pytest.raises(NodeFailure, match="must be a list"):
            await do("loop", {"items": items})
    with pytest.raises(NodeFailure, match="at most"):
        await do("loop", {"items": "inputs.many"}, inputs={"many": list(range(10_001))})


async def test_a_delay_counts_from_the_start_of_the_attempt() -> None:
    found = node_type("delay")
    ctx = context(found, resolve_settings(found, {"seconds": "{{ 90 }}"}, SCOPE))
    waiting = await found.execute(ctx)
    assert isinstance(waiting, Wait) and waiting.until and (waiting.until - ctx.started_at).total_seconds() == 90


async def test_set_keeps_types() -> None:
    assert await do("set", {"variables": {"n": "{{ 1 + 1 }}", "t": "n is {{ 2 }}"}}) == Done(
        outputs={"n": 2, "t": "n is 2"}, variables={"n": 2, "t": "n is 2"}
    )


async def test_fail_fails_with_its_message() -> None:
    with pytest.raises(NodeFailure, match="no hello here") as failure:
        await do("fail", {"message": "no {{ inputs.text }} here", "code": "mine"})
    assert failure.value.code == "mine" and not failure.value.retryable
