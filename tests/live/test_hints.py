"""What a page hears of a run, over the real Redis."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.test import override_settings

from orchestration import live
from orchestration.live import Live
from orchestration.models import Run, RunEvent
from portal.core.models import Organisation
from tests.driver.scripted import OPEN, registered
from tests.driver.test_runs import scripted
from tests.engine_host import PATIENCE, EngineHost, make_definition, start, wait_until
from tests.factories import make_organisation

pytestmark = pytest.mark.django_db(transaction=True)


@asynccontextmanager
async def listening(*groups: str) -> AsyncIterator[Any]:
    layer = get_channel_layer()
    channel = await layer.new_channel()
    for group in groups:
        await layer.group_add(group, channel)

    async def next_message(seconds: float = PATIENCE) -> dict[str, Any]:
        async with asyncio.timeout(seconds):
            found: dict[str, Any] = await layer.receive(channel)
            return found

    try:
        yield next_message
    finally:
        for group in groups:
            await layer.group_discard(group, channel)
        await layer.flush()


async def test_a_hint_tells_how_far_the_log_has_come_and_comes_after_the_commit(engine: EngineHost) -> None:
    organisation: Organisation = await sync_to_async(make_organisation)()
    with registered():
        definition = await sync_to_async(make_definition)([scripted("a", gate="a")])
        run: Run = await sync_to_async(start)(organisation, definition)
        async with listening(live.run_group(run.pk)) as next_message:
            OPEN.add("a")
            seq = 0
            while seq < 4:
                message = await next_message()
                assert message["type"] == "hint" and message["run"] == str(run.pk)
                assert message["seq"] > seq, "coalesced, and never backwards"
                seq = message["seq"]
                assert await RunEvent.objects.filter(run=run, seq=seq).aexists()


async def test_lists_hear_of_their_organisation_only(engine: EngineHost) -> None:
    mine, other = await sync_to_async(make_organisation)(), await sync_to_async(make_organisation)()
    with registered():
        definition = await sync_to_async(make_definition)([scripted("a", waits=True)])
        async with listening(f"org.{mine.pk}") as next_message:
            await sync_to_async(start)(other, definition)
            run = await sync_to_async(start)(mine, definition)
            topics = set()
            while topics != {"runs", "inbox"}:
                message = await next_message()
                assert message["run"] == str(run.pk)
                topics.add(message["topic"])


async def test_streamed_text_comes_in_order_and_late_comers_see_it(engine: EngineHost) -> None:
    organisation = await sync_to_async(make_organisation)()
    with registered():
        pieces = ["Über ", "🙂 ", "the end"]
        # The first step waits until this test listens: what came earlier is not sent again.
        nodes = [scripted("first", gate="first"), scripted("a", gate="a", streams=pieces)]
        definition = await sync_to_async(make_definition)(nodes, ["first -> a"])
        run = await sync_to_async(start)(organisation, definition)
        async with listening(live.run_group(run.pk)) as next_message:
            OPEN.add("first")
            text = ""
            while text != "".join(pieces):
                message = await next_message()
                if message["type"] == "tokens":
                    assert message["offset"] == len(text.encode("utf-16-le")) // 2, "as browsers count"
                    assert (message["node"], message["path"]) == ("a", "")
                    text += message["text"]
        assert await sync_to_async(live.partial_text)(run.pk, "a") == text
        OPEN.add("a")


async def test_a_new_attempt_begins_its_text_anew(engine: EngineHost) -> None:
    organisation = await sync_to_async(make_organisation)()
    with registered():
        node = scripted(
            "a", streams=["x"], seconds=0.2, fail_times=1, retry={"max_attempts": 2, "initial_seconds": 0.01}
        )
        run = await sync_to_async(start)(organisation, await sync_to_async(make_definition)([node]))
        await sync_to_async(engine.wait_for)(run)
        text = await sync_to_async(wait_until)(lambda: live.partial_text(run.pk, "a"), 10, "the text")
        assert text == "x"


@override_settings(REDIS_URL="redis://127.0.0.1:1/0")
def test_runs_complete_without_redis(start_engine: Any) -> None:
    live._client.cache_clear()
    try:
        with registered():
            engine = start_engine()
            run = engine.wait_for(start(make_organisation(), make_definition([scripted("a", streams=["x"])])))
        assert run.status == "completed"
        assert live.partial_text(run.pk, "a") == ""
    finally:
        live._client.cache_clear()


def test_runs_complete_while_redis_hangs(start_engine: Any) -> None:
    """It takes connections and never answers. Nobody waits for that longer than once."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with override_settings(REDIS_URL=f"redis://127.0.0.1:{silent.getsockname()[1]}/0"), registered():
            live._client.cache_clear()
            try:
                engine, organisation = start_engine(), make_organisation()
                steps = [scripted(f"s{number}", streams=["x"]) for number in range(10)]
                edges = [f"s{number} -> s{number + 1}" for number in range(9)]
                engine.wait_for(start(organisation, make_definition(steps, edges)))
                engine.stop()
            finally:
                live._client.cache_clear()


async def test_text_beyond_the_limit_is_not_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    from uuid import uuid4

    monkeypatch.setattr(live, "MOST_TEXT", 10)
    run, sender = uuid4(), Live()
    sending = asyncio.create_task(sender.run())
    await asyncio.sleep(0)
    for _ in range(5):
        sender.stream(run, "a", "", 1, "12345678")
    await sync_to_async(wait_until)(lambda: live.partial_text(run, "a"), 10, "the text")
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    assert await sync_to_async(live.partial_text)(run, "a") == "12345678" * 2
    assert json.dumps(live.run_group(run))
