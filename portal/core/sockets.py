"""Who may hold a socket open, and for how long.

`SessionAuthMiddleware` finds the user of the session cookie. `OrganisationConsumer` is the base of every socket: it
asks the gate on connect, joins its groups, asks again every 30-60 seconds and whenever the user's rights or sessions
change, and closes when the answer is no. Messages are tiny and passed on without a query.

A client that does not read would make the server hoard messages (daphne has no back-pressure), so after
`PING_AFTER` bytes the client is asked for a sign of life, and without one is dropped at `DROP_AFTER`.

Close codes: 4401 not signed in (any more), 4403 right lost, 4408 does not read, 1013 no Redis just now.
"""

import asyncio
import contextlib
import json
import random
from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from typing import Any

import structlog
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.middleware import BaseMiddleware
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.http import Http404
from django.utils.crypto import constant_time_compare
from redis import RedisError

from portal.core import access, live
from portal.core.in_threads import in_database
from portal.core.models import Organisation, User
from portal.core.permissions import Permission

log = structlog.get_logger(__name__)

NOT_SIGNED_IN, RIGHT_LOST, DOES_NOT_READ, TRY_AGAIN_LATER = 4401, 4403, 4408, 1013
RECHECK_SECONDS = (30, 60)
SEND_SECONDS = 5
PING_AFTER = 256 * 1024
DROP_AFTER = 1024 * 1024


def session_user(session_key: str | None) -> User | None:
    """The active user of a live session, by the same rules as for pages. Two queries."""
    if not session_key:
        return None
    session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    try:
        user = User.objects.get(pk=int(session[SESSION_KEY]), is_active=True)
    except (KeyError, ValueError, User.DoesNotExist):
        return None
    if session.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return None
    if not constant_time_compare(session.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash()):
        return None
    return user


class SessionAuthMiddleware(BaseMiddleware):
    """Puts `session_key` and `user` (None: nobody) into the scope."""

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        key = _session_key(scope)
        scope = {**scope, "session_key": key, "user": await in_database(session_user, key)}
        return await super().__call__(scope, receive, send)


class OrganisationConsumer(AsyncWebsocketConsumer):
    """Base of the portal's sockets; the route names `org`.

    Subclasses set `permission` (None: any member) and may override `groups_of()` and `allowed()`.
    """

    permission: Permission | None = None
    organisation: Organisation
    permissions: frozenset[str] = frozenset()

    def groups_of(self) -> list[str]:
        """Groups to join besides the user's own; asked after the gate has said yes."""
        return [live.organisation_group(self.organisation.pk)]

    def allowed(self, user: User, organisation: Organisation) -> bool:
        """More to ask about the object of the route. Runs with database access, on connect and at each check."""
        return True

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        except (RedisError, OSError) as error:
            # Without Redis there are no hints: pages poll meanwhile and come back.
            log.warning("socket without Redis", path=scope.get("path"), error=str(error))
            with contextlib.suppress(Exception):  # the client may be gone as well
                await send({"type": "websocket.close", "code": TRY_AGAIN_LATER})

    async def connect(self) -> None:
        self._joined: list[str] = []
        self._unread = 0
        self._watch: asyncio.Task[None] | None = None
        refusal = await in_database(self._check)
        if refusal is not None:
            await self.close(code=refusal)  # before accept: the handshake is answered 403
            return
        for group in [live.user_group(self.scope["user"].pk), *self.groups_of()]:
            await self.channel_layer.group_add(group, self.channel_name)
            self._joined.append(group)
        await self.accept()
        self._watch = asyncio.create_task(self._keep_watch())

    async def disconnect(self, code: int) -> None:
        if self._watch is not None and self._watch is not asyncio.current_task():
            self._watch.cancel()
        for group in self._joined:
            await self.channel_layer.group_discard(group, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Anything the client says proves that it reads: the answer to a ping is `{"type": "pong"}`."""
        self._unread = 0

    async def hint(self, message: dict[str, Any]) -> None:
        """Group message {"type": "hint", ...}: passed on as it is."""
        await self.tell(message)

    async def recheck(self, message: dict[str, Any]) -> None:
        """Group message {"type": "recheck"}: rights or sessions of the user have changed."""
        await self._close_if_lost()

    async def tell(self, message: dict[str, Any]) -> None:
        """Send one small JSON message, or drop a client that has stopped reading."""
        text = json.dumps(message, separators=(",", ":"))
        before, self._unread = self._unread, self._unread + len(text)
        if self._unread > DROP_AFTER:
            await self.close(code=DOES_NOT_READ)
            return
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self.send(text_data=text)
                if before <= PING_AFTER < self._unread:
                    await self.send(text_data='{"type":"ping"}')
        except TimeoutError:
            await self.close(code=DOES_NOT_READ)

    async def _keep_watch(self) -> None:
        while True:
            await asyncio.sleep(random.uniform(*RECHECK_SECONDS))
            if await self._close_if_lost():
                return

    async def _close_if_lost(self) -> bool:
        refusal = await in_database(self._check)
        if refusal is None:
            return False
        await self.close(code=refusal)
        return True

    def _check(self) -> int | None:
        """None, or the close code. Three to five queries."""
        user = session_user(self.scope.get("session_key"))
        if user is None:
            return NOT_SIGNED_IN
        try:
            organisation = access.organisation_for(user, self.scope["url_route"]["kwargs"]["org"])
        except Http404:
            return RIGHT_LOST
        permissions = access.permissions_of(user, organisation)
        if self.permission is not None and self.permission.value not in permissions:
            return RIGHT_LOST
        if not self.allowed(user, organisation):
            return RIGHT_LOST
        self.scope["user"], self.organisation, self.permissions = user, organisation, permissions
        return None


class TopicsConsumer(OrganisationConsumer):
    """`/ws/o/<org>/`: hints about lists (runs, events, inbox, ...), each only to those who may see the list."""

    needs: dict[str, Permission | None] = {
        "notifications": None,  # one's own, by the group of the user
        "runs": Permission.RUNS_VIEW,
        "events": Permission.RUNS_VIEW,
        "inbox": Permission.APPROVALS_VIEW,
        "agents": Permission.AGENTS_VIEW,
        "workflows": Permission.WORKFLOWS_VIEW,
    }

    async def hint(self, message: dict[str, Any]) -> None:
        topic = str(message.get("topic"))
        if topic not in self.needs:
            return
        needed = self.needs[topic]
        if needed is None or needed.value in self.permissions:
            await self.tell(message)


def _session_key(scope: dict[str, Any]) -> str | None:
    for name, value in scope.get("headers", []):
        if name == b"cookie":
            try:
                cookies = SimpleCookie(value.decode("latin1"))
            except CookieError:
                return None
            found = cookies.get(settings.SESSION_COOKIE_NAME)
            return found.value if found else None
    return None
