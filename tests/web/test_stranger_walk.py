"""Nobody gets anywhere they should not: every address and every socket, as visitor, stranger and viewer.

The stranger is an administrator of another organisation, with a session, a token and every right there. Everything of
the organisation that is attacked carries the word MARK, so whatever the answer is, it must not be in it.

`tests.web.addresses` is the table of what a viewer of the organisation gets. An address that is missing there fails
`test_every_address_is_in_the_table`.
"""

import itertools
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import URLPattern, get_resolver

from approvals.models import ApprovalRequest
from orchestration.services.events import publish
from orchestration.services.starting import start_workflow
from portal.core.actors import Actor
from portal.core.models import AuditEntry, Notification, Organisation, Role, SignIn, User
from portal.core.services import secrets
from portal.routing import websocket_urlpatterns
from tests.agents.factories import agent
from tests.cast import Cast, make_cast
from tests.factories import bearer, make_token
from tests.triggers.factories import new as new_trigger
from tests.web.addresses import BODIES, VIEWER
from tests.workflows.factories import definition, published

MARK = "zebra"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

# The JSON Schema of definitions is published: editors fetch it without a token.
# Webhooks are called by machines: their own tests show that a stranger learns nothing there.
PUBLIC = {"login/", "health/live", "health/ready", "api/v1/workflows/schema", "hooks/<slug:org>/<str:path>"}
# Pages of one's own account and of the portal, open to everybody who is signed in.
OWN = {
    "",
    "logout/",
    "account/",
    "account/password/",
    "account/password/done/",
    "account/sessions/<int:sign_in_id>/revoke/",
    "account/sessions/revoke-others/",
    "account/tokens/",
    "account/tokens/<uuid:token_id>/revoke/",
    "api/openapi.json",
    "api/docs",
}
SOCKETS = {"ws/o/<slug:org>/", "ws/o/<slug:org>/runs/<uuid:run_id>/"}

QUERIES = {"api/v1/workflows/<slug:slug>/draft": "?revision=1"}


def addresses() -> list[str]:
    """Every route of the resolver, the admin's included."""

    def walk(resolver: Any, prefix: str) -> Any:
        for pattern in resolver.url_patterns:
            route = prefix + str(pattern.pattern)
            if isinstance(pattern, URLPattern):
                yield route
            else:
                yield from walk(pattern, route)

    return list(dict.fromkeys(walk(get_resolver(), "")))


ADMIN = [route for route in addresses() if route.startswith("admin/")]
# The root of the API answers nothing; it only makes reverse() work.
WALKED = [route for route in addresses() if not route.startswith("admin/") and route != "api/"]


@dataclass
class World:
    cast: Cast
    values: dict[str, Any]
    sign_in: SignIn
    tokens: dict[str, dict[str, str]]
    clients: dict[str, Client] = field(default_factory=dict)

    def client(self, who: str) -> Client:
        if who not in self.clients:
            self.clients[who] = Client(raise_request_exception=False)
            if who != "visitor":
                self.clients[who].force_login(self.cast.stranger if who == "stranger" else self.cast.viewer)
        return self.clients[who]

    def url(self, route: str) -> str:
        """The address with everything that belongs to the attacked organisation."""
        values = dict(self.values)
        values["slug"] = values["agent"] if "agents" in route else values["workflow"]
        if route.startswith("admin/"):
            values.update(self._admin(route))
        path = re.sub(r"\^\(\?P<app_label>[^)]*\)/\$", "core/", route).replace("(?P<url>.*)$", "nowhere/")
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(values[found[1]]), path)
        assert "<" not in path, f"{route}: what is {path}?"
        return f"/{path}"

    def _admin(self, route: str) -> dict[str, Any]:
        parts = route.split("/")
        if len(parts) > 3 and parts[1] in {"core", "agents", "approvals", "orchestration", "axes"}:
            model = apps.get_model(parts[1], parts[2])
            row = _rows(model, self.cast.organisation)
            return {"object_id": row, "id": row}
        organisation_type = ContentType.objects.get_for_model(Organisation).pk
        return {"content_type_id": organisation_type, "object_id": self.cast.organisation.pk}


def _rows(model: Any, organisation: Organisation) -> Any:
    """The key of a row of the organisation."""
    if model is Organisation:
        return organisation.pk
    if model is User:
        return User.objects.get(username="admin").pk
    names = {field.name for field in model._meta.get_fields()}
    path = "organisation" if "organisation" in names else "request__organisation" if "request" in names else None
    row = model.objects.filter(**{path: organisation}).first() if path else model.objects.first()
    return row.pk if row else 1


def make_world() -> World:
    cast = make_cast()
    acme = cast.organisation
    acme.name = f"{MARK} corporation"
    acme.save()
    User.objects.filter(memberships__organisation=acme).update(first_name=MARK)
    for user in (*cast.by_role.values(), cast.stranger):
        user.refresh_from_db()
    Role.objects.filter(organisation=acme).update(name=MARK)
    secrets.set_secret(organisation=acme, name=f"{MARK}_KEY", value=f"{MARK}-value", actor=Actor.command())
    agent(acme, "striped", name=f"{MARK} agent", description=MARK)
    version = published(acme, definition(name=f"{MARK} workflow"), slug="striped-workflow")
    run, _ = start_workflow(
        workflow=version.workflow, inputs={}, actor=Actor.command(), source="cli", idempotency_key=f"{MARK}-1"
    )
    request = ApprovalRequest.objects.create(
        organisation=acme,
        run=run,
        node="first",
        kind="approval",
        title=MARK,
        options=[{"port": "approve", "label": "Yes"}],
    )
    trigger = new_trigger(version.workflow, "cron", name=MARK, inputs={}).trigger
    event = publish(
        organisation=acme, actor=Actor.command(), source="person", name=f"{MARK}.seen", data={"a": MARK}
    ).event
    signed_in = Client()
    signed_in.force_login(cast.admin)
    signed_in.get("/account/")
    token = make_token(acme, cast.admin).token
    tokens = {
        "stranger": bearer(make_token(cast.elsewhere, cast.stranger)),
        "viewer": bearer(make_token(acme, cast.viewer)),
        "visitor": {},
    }
    sign_in = SignIn.objects.get(user=cast.admin)
    notice = Notification.objects.create(
        organisation=acme, user=cast.admin, key=MARK, title=MARK, body=MARK, link="/x/"
    )
    values = {
        "org": "acme",
        "agent": "striped",
        "workflow": "striped-workflow",
        "run_id": run.pk,
        "request_id": request.pk,
        "notification_id": notice.pk,
        "trigger_id": trigger.pk,
        "kind": "cron",
        "event_id": event.pk,
        "node": "first",
        "act": "skip",
        "name": "proposal",
        "digest": "0" * 64,
        "number": 1,
        "sign_in_id": sign_in.pk,
        "token_id": token.pk,
        "object_id": 1,
        "id": 1,
    }
    return World(cast, values, sign_in, tokens)


@pytest.fixture
def world(db: None) -> World:
    return make_world()


def ask(world: World, who: str, method: str, route: str, **headers: str) -> Any:
    """The answer as `visitor`, `stranger` or `viewer`: by token for the API, by session elsewhere."""
    api = route.startswith("api/") and route not in OWN
    client = Client(raise_request_exception=False) if api else world.client(who)
    if api:
        headers = {**headers, **world.tokens[who]}
    if route in OWN:
        world.clients.pop(who, None)  # it may end with this request
    body = BODIES.get(route, {}) if method != "GET" else {}
    url = world.url(route) + QUERIES.get(route, "")
    kind = "application/json" if api else "application/x-www-form-urlencoded"
    data = "" if method == "GET" else json.dumps(body) if api else urlencode(body)
    return client.generic(method, url, data=data, headers=headers, content_type=kind)


def text_of(response: Any) -> str:
    """A stream is not read: it would wait for events."""
    return "" if response.streaming else response.text


def told(response: Any) -> bool:
    return MARK in (text_of(response) + str(response.headers)).lower()


def test_every_address_is_in_the_table():
    assert set(WALKED) == PUBLIC | OWN | set(VIEWER)
    assert {str(pattern.pattern) for pattern in websocket_urlpatterns} == SOCKETS


def test_a_visitor_gets_the_login_or_401(world: World):
    wrong = []
    for route, method in itertools.product(sorted(set(WALKED) - PUBLIC), METHODS):
        response = ask(world, "visitor", method, route)
        api = route.startswith("api/") and route not in OWN
        login = response.status_code != 302 or response.url.startswith("/login/")
        if response.status_code not in ({401, 405} if api else {302, 405}) or not login or told(response):
            wrong.append((method, route, response.status_code))
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}], ids=["page", "htmx"])
def test_a_stranger_gets_404_and_learns_nothing(world: World, headers: dict[str, str]):
    wrong = []
    for route, method in itertools.product(sorted(set(VIEWER) | OWN), METHODS):
        response = ask(world, "stranger", method, route, **headers)
        refused = {404, 405, 422} if route.startswith("api/") else {404, 405}
        # Without a parameter it is a list, and theirs is empty.
        if told(response) or ("<" in route and response.status_code not in refused):
            wrong.append((method, route, response.status_code))
    assert not wrong, "\n".join(map(str, wrong))
    assert SignIn.objects.filter(pk=world.sign_in.pk).exists()
    theirs = AuditEntry.objects.filter(organisation=world.cast.organisation, actor_id=world.cast.stranger.pk)
    assert not theirs.exists()


def test_a_viewer_gets_what_the_table_says(world: World):
    wrong = []
    for route, row in VIEWER.items():
        for method, expected in row.items():
            response = ask(world, "viewer", method, route)
            if response.status_code != expected:
                wrong.append((method, route, response.status_code, text_of(response)[:200]))
    assert not wrong, "\n".join(map(str, wrong))


def test_other_methods_are_refused_and_reading_changes_nothing(world: World):
    world.client("viewer")  # signing in is an entry
    written, wrong = AuditEntry.objects.count(), []
    for route, row in VIEWER.items():
        for method in [*(set(METHODS) - set(row)), *({"GET"} & set(row))]:
            response = ask(world, "viewer", method, route)
            if response.status_code not in {200, 302, 403, 404, 405}:
                wrong.append((method, route, response.status_code))
    assert not wrong, "\n".join(map(str, wrong))
    assert AuditEntry.objects.count() == written


def test_the_admin_is_closed_to_viewers_and_shows_strangers_nothing(world: World):
    written = AuditEntry.objects.filter(organisation=world.cast.organisation).count()
    wrong = []
    for route, method in itertools.product(ADMIN, ("GET", "POST")):
        for who in ("visitor", "viewer"):
            response = ask(world, who, method, route)
            if response.status_code not in {302, 403, 404} or told(response):
                wrong.append((who, method, route, response.status_code))
        response = ask(world, "stranger", method, route)
        if response.status_code >= 500 or told(response):
            wrong.append(("stranger", method, route, response.status_code))
    assert not wrong, "\n".join(map(str, wrong))
    assert AuditEntry.objects.filter(organisation=world.cast.organisation).count() == written


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("pattern", websocket_urlpatterns, ids=lambda pattern: str(pattern.pattern))
async def test_sockets_open_for_members_only(pattern: Any):
    from portal.asgi import application

    world = await sync_to_async(make_world)()
    for who, welcome in (("visitor", False), ("stranger", False), ("viewer", True)):
        headers = [(b"origin", b"http://localhost")]
        if who != "visitor":
            client = Client()
            await sync_to_async(client.force_login)(world.cast.stranger if who == "stranger" else world.cast.viewer)
            headers.append((b"cookie", f"sessionid={client.cookies['sessionid'].value}".encode()))
        line = WebsocketCommunicator(application, world.url(str(pattern.pattern)), headers=headers)
        connected, _ = await line.connect(timeout=60)
        assert connected is welcome, who
        if connected:
            await line.disconnect()
