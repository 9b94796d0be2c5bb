"""Who may hold a run's socket open, and what comes through it."""

from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.test import Client

from orchestration import live
from orchestration.models import Run
from portal.asgi import application
from portal.core import live as core_live
from portal.core.models import User
from tests.cast import Cast, make_cast
from tests.engine_host import make_definition, start

pytestmark = pytest.mark.django_db(transaction=True)


@sync_to_async
def a_cast_and_a_run() -> tuple[Cast, Run]:
    cast = make_cast()
    return cast, start(cast.organisation, make_definition([{"id": "a", "type": "join"}]))


async def socket(user: User | None, organisation: str, run: object) -> WebsocketCommunicator:
    headers = [(b"origin", b"http://localhost"), (b"host", b"localhost")]
    if user is not None:
        client = Client()
        await sync_to_async(client.force_login)(user)
        headers.append((b"cookie", f"sessionid={client.cookies['sessionid'].value}".encode()))
    return WebsocketCommunicator(application, f"/ws/o/{organisation}/runs/{run}/", headers=headers)


async def connects(user: User | None, organisation: str, run: object) -> bool:
    communicator = await socket(user, organisation, run)
    connected, _ = await communicator.connect(timeout=60)
    await communicator.disconnect()
    return bool(connected)


async def test_members_who_may_see_runs_get_in_and_nobody_else() -> None:
    cast, run = await a_cast_and_a_run()
    assert await connects(cast.viewer, "acme", run.pk)
    assert await connects(cast.superuser, "acme", run.pk)
    assert not await connects(None, "acme", run.pk)
    assert not await connects(cast.homeless, "acme", run.pk)
    assert not await connects(cast.stranger, "acme", run.pk)
    assert not await connects(cast.stranger, "elsewhere", run.pk), "another organisation's run"
    assert not await connects(cast.viewer, "acme", uuid4())


async def test_hints_and_tokens_are_passed_on() -> None:
    cast, run = await a_cast_and_a_run()
    communicator = await socket(cast.viewer, "acme", run.pk)
    await communicator.connect(timeout=60)
    messages = [
        {"type": "hint", "run": str(run.pk), "seq": 3},
        {"type": "tokens", "run": str(run.pk), "node": "a", "path": "", "offset": 0, "text": "Hello"},
    ]
    for message in messages:
        await sync_to_async(core_live.send_now)(live.run_group(run.pk), message)
        assert await communicator.receive_json_from(timeout=60) == message
    await sync_to_async(core_live.send_now)(live.run_group(uuid4()), messages[0])
    assert await communicator.receive_nothing(timeout=0.3)
    await communicator.disconnect()
