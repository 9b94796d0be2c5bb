"""Sockets: only those who may enter, only what they may see, and not a minute longer than they may."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from channels.testing import WebsocketCommunicator
from django.db import transaction
from django.test import Client

from portal.core import live, sockets
from portal.core.actors import Actor
from portal.core.models import Membership, Notification, Organisation, SignIn, User
from portal.core.routing import websocket_urlpatterns
from portal.core.services import notifications, organisations, sessions
from tests.factories import make_member, make_organisation

pytestmark = [pytest.mark.django_db(transaction=True)]

application = AllowedHostsOriginValidator(sockets.SessionAuthMiddleware(URLRouter(websocket_urlpatterns)))


class Visit:
    """A socket of one signed-in person, for `async with`."""

    def __init__(self, user: User | None, path: str = "/ws/o/acme/", origin: str | None = "http://localhost") -> None:
        self.user, self.path, self.origin = user, path, origin
        self.client = Client()

    async def open(self) -> tuple[bool, int | None]:
        headers = [(b"origin", self.origin.encode())] if self.origin else []
        if self.user is not None:
            await sync_to_async(self.client.force_login)(self.user)
            headers.append((b"cookie", f"sessionid={self.client.cookies['sessionid'].value}".encode()))
        self.line = WebsocketCommunicator(application, self.path, headers=headers)
        return await self.line.connect(timeout=60)

    async def __aenter__(self) -> WebsocketCommunicator:
        connected, _ = await self.open()
        assert connected
        return self.line

    async def __aexit__(self, *_: object) -> None:
        await self.line.disconnect()


@pytest.fixture
def acme() -> Organisation:
    return make_organisation("acme")


async def send(group: str, **message: object) -> None:
    await sync_to_async(live.publish)(group, message)


async def closed_with(line: WebsocketCommunicator) -> int:
    while True:
        output = await line.receive_output(timeout=60)
        if output["type"] == "websocket.close":
            return int(output["code"])


async def test_a_member_hears_of_lists_they_may_see_and_of_nothing_else(acme: Organisation):
    viewer = await sync_to_async(make_member)(acme, "viewer")
    async with Visit(viewer) as line:
        await send(f"org.{acme.pk}", type="hint", topic="secrets")
        await send(f"org.{acme.pk}", type="hint", topic="runs", run="abc", seq=42)
        assert await line.receive_json_from(timeout=60) == {"type": "hint", "topic": "runs", "run": "abc", "seq": 42}
        assert await line.receive_nothing(timeout=0.2)


async def test_a_member_without_any_role_is_let_in_and_told_nothing(acme: Organisation):
    nobody = await sync_to_async(make_member)(acme)
    async with Visit(nobody) as line:
        await send(f"org.{acme.pk}", type="hint", topic="runs")
        assert await line.receive_nothing(timeout=0.3)


async def test_what_one_has_read_in_one_tab_the_others_hear(acme: Organisation):
    nobody = await sync_to_async(make_member)(acme)
    other = await sync_to_async(make_member)(acme, "viewer")

    def read() -> None:
        Notification.objects.create(organisation=acme, user=nobody, key="a", title="A run has ended")
        notifications.mark_read(user=nobody, organisation=acme)

    async with Visit(nobody) as line, Visit(other) as theirs:
        await sync_to_async(read)()
        assert await line.receive_json_from(timeout=60) == {"type": "hint", "topic": "notifications"}
        assert await theirs.receive_nothing(timeout=0.2)


async def test_strangers_and_visitors_are_refused_before_the_handshake(acme: Organisation):
    stranger = await sync_to_async(lambda: make_member(make_organisation("elsewhere"), "admin"))()
    assert await Visit(stranger).open() == (False, sockets.RIGHT_LOST)
    assert await Visit(None).open() == (False, sockets.NOT_SIGNED_IN)
    assert await Visit(stranger, "/ws/o/no-such/").open() == (False, sockets.RIGHT_LOST)


@pytest.mark.parametrize(
    ("origin", "welcome"),
    [("http://localhost", True), ("http://evil.example", False), ("null", False), (None, False)],
)
async def test_a_foreign_page_cannot_open_a_socket_with_the_users_cookie(acme: Organisation, origin, welcome):
    member = await sync_to_async(make_member)(acme, "viewer")
    visit = Visit(member, origin=origin)
    assert (await visit.open())[0] is welcome
    if welcome:
        await visit.line.disconnect()


async def test_a_hint_is_sent_after_the_commit_only(acme: Organisation):
    member = await sync_to_async(make_member)(acme, "viewer")

    def roll_back() -> None:
        try:
            with transaction.atomic():
                live.publish(f"org.{acme.pk}", {"type": "hint", "topic": "runs", "run": "never"})
                raise RuntimeError
        except RuntimeError:
            live.publish(f"org.{acme.pk}", {"type": "hint", "topic": "runs", "run": "yes"})

    async with Visit(member) as line:
        await sync_to_async(roll_back)()
        assert (await line.receive_json_from(timeout=60))["run"] == "yes"


def set_roles(user: User, *roles: str) -> None:
    membership = Membership.objects.get(user=user)
    chosen = membership.organisation.roles.filter(slug__in=roles)
    organisations.set_roles(membership=membership, roles=list(chosen), actor=Actor.command())


def deactivate(user: User) -> None:
    user.is_active = False
    organisations.save_user(user=user, actor=Actor.command())


def remove(user: User) -> None:
    organisations.remove_member(membership=Membership.objects.get(user=user), actor=Actor.command())


class RunsOnly(sockets.OrganisationConsumer):
    permission = sockets.Permission.RUNS_VIEW


@pytest.mark.parametrize(
    ("lose", "code"), [(remove, 4403), (deactivate, 4401), (lambda user: set_roles(user, "operator"), None)]
)
async def test_losing_membership_or_account_closes_the_socket_at_once(acme: Organisation, lose, code):
    user = await sync_to_async(lambda: (make_member(acme, "admin"), make_member(acme, "viewer"))[1])()
    async with Visit(user) as line:
        await sync_to_async(lose)(user)
        if code is None:  # another role, the same right to be here
            assert await line.receive_nothing(timeout=0.5)
        else:
            assert await closed_with(line) == code


async def test_losing_a_role_silences_what_it_allowed(acme: Organisation):
    user = await sync_to_async(lambda: (make_member(acme, "admin"), make_member(acme, "viewer"))[1])()
    async with Visit(user) as line:
        await sync_to_async(set_roles)(user)
        await asyncio.sleep(0.3)
        await send(f"org.{acme.pk}", type="hint", topic="runs")
        assert await line.receive_nothing(timeout=0.3)


async def test_signing_out_closes_the_sockets_of_that_session_only(acme: Organisation):
    user = await sync_to_async(make_member)(acme, "viewer")
    first, second = Visit(user), Visit(user)
    async with first as line, second as other:
        await sync_to_async(first.client.post)("/logout/")
        assert await closed_with(line) == sockets.NOT_SIGNED_IN
        await send(f"org.{acme.pk}", type="hint", topic="runs")
        assert (await other.receive_json_from(timeout=60))["topic"] == "runs"


async def test_ending_a_session_from_elsewhere_closes_its_sockets(acme: Organisation):
    user = await sync_to_async(make_member)(acme, "viewer")
    visit = Visit(user)
    async with visit as line:

        def end() -> None:
            visit.client.get("/account/")  # a sign of life makes it a row
            sessions.revoke(sign_in=SignIn.objects.get(user=user), actor=Actor.command())

        await sync_to_async(end)()
        assert await closed_with(line) == sockets.NOT_SIGNED_IN


async def test_without_any_message_a_lost_right_is_noticed_by_the_watch(acme: Organisation, monkeypatch):
    monkeypatch.setattr(sockets, "RECHECK_SECONDS", (0.2, 0.3))
    user = await sync_to_async(make_member)(acme, "viewer")
    async with Visit(user) as line:
        await sync_to_async(lambda: Membership.objects.filter(user=user).delete())()  # behind the services' back
        assert await closed_with(line) == sockets.RIGHT_LOST


async def test_a_client_that_does_not_read_is_asked_and_then_dropped(acme: Organisation, monkeypatch):
    monkeypatch.setattr(sockets, "PING_AFTER", 500)
    monkeypatch.setattr(sockets, "DROP_AFTER", 2_000)
    user = await sync_to_async(make_member)(acme, "viewer")
    async with Visit(user) as reader, Visit(user) as sleeper:

        async def read(run: str) -> None:
            await send(f"org.{acme.pk}", type="hint", topic="runs", run=run)
            while (message := await reader.receive_json_from(timeout=60))["type"] == "ping":
                await reader.send_json_to({"type": "pong"})
            assert message["run"] == run

        for _ in range(40):
            await read("x" * 60)
        assert await closed_with(sleeper) == sockets.DOES_NOT_READ
        await read("last")


def test_publishing_never_raises_and_takes_a_second_at_most_once(settings, monkeypatch):
    import socket
    import time

    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))
    silent.listen()  # accepts and never answers
    settings.REDIS_URL = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
    live._client.cache_clear()
    monkeypatch.setattr(live, "_silent_until", 0.0)
    try:
        begun = time.monotonic()
        for _ in range(20):
            live.publish("org.1", {"type": "hint", "topic": "runs"})
        assert time.monotonic() - begun < 10, "each by itself would take a second"
    finally:
        silent.close()
        live._client.cache_clear()


@pytest.mark.parametrize("step", ["new_channel", "group_add"])
async def test_without_redis_a_socket_is_told_to_come_back(acme: Organisation, monkeypatch, step: str):
    from channels_redis.pubsub import RedisPubSubLoopLayer

    async def refuse(*_: object, **__: object) -> None:
        raise ConnectionError("Redis is away")

    monkeypatch.setattr(RedisPubSubLoopLayer, step, refuse)
    user = await sync_to_async(make_member)(acme, "viewer")
    assert await Visit(user).open() == (False, sockets.TRY_AGAIN_LATER)
