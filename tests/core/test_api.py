"""The API's frame: bearer tokens only, scope and role together, every error a problem document."""

import pytest
from django.http import Http404, HttpRequest
from django.test import Client
from django.urls import path
from ninja import Field, NinjaAPI, Schema

from portal.core import problems
from portal.core.api_auth import TokenAuth, allow
from portal.core.errors import Conflict, UserError
from portal.core.permissions import Permission
from tests.cast import Cast
from tests.factories import bearer, make_token

api = NinjaAPI(urls_namespace="probe", auth=TokenAuth(), docs_url=None, openapi_url=None)
problems.install(api)


class Inner(Schema):
    count: int = Field(ge=1)


class Body(Schema):
    name: str
    items: list[Inner] = []


@api.get("/who")
def who(request: HttpRequest) -> dict[str, str]:
    return {"user": request.user.username, "organisation": request.organisation.slug, "actor": request.actor.label}


@api.post("/start")
def start(request: HttpRequest, payload: Body) -> dict[str, bool]:
    allow(request, Permission.RUNS_START)
    return {"ok": True}


@api.get("/fail/{how}")
def fail(request: HttpRequest, how: str) -> None:
    error = UserError("Two things are wrong.", "bad_definition")
    error.problems = [{"code": "x", "message": "y", "path": "nodes[0]"}]  # type: ignore[attr-defined]
    raise {
        "conflict": Conflict("The run has ended.", "run_ended"),
        "missing": Http404("secret path"),
        "several": error,
        "unexpected": RuntimeError("inside story sk-abcdefghijklmnopqrstuv"),
    }[how]


urlpatterns = [path("probe/", api.urls)]

pytestmark = pytest.mark.urls(__name__)


def test_a_token_says_who_and_where(cast: Cast, client: Client):
    answer = client.get("/probe/who", headers=bearer(make_token(cast.organisation, cast.admin)))
    assert answer.json() == {"user": "admin", "organisation": "acme", "actor": "admin (token test)"}


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic YTpi"}])
def test_without_a_valid_token_nothing_is_told(cast: Cast, client: Client, headers: dict):
    client.force_login(cast.admin)  # a session is no ticket for the API: forms on foreign pages could use it
    answer = client.get("/probe/who", headers=headers)
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["code"] == "not_authenticated"


def test_a_token_in_the_address_is_refused(cast: Cast, client: Client):
    text = make_token(cast.organisation, cast.admin).text
    for name in ("token", "access_token", "authorization"):
        assert client.get("/probe/who", {name: text}).status_code == 401


@pytest.mark.parametrize(
    ("role", "scopes", "status"),
    [
        ("operator", [], 200),
        ("operator", ["runs.start"], 200),
        ("operator", ["runs.view"], 403),
        ("viewer", [], 403),
        ("admin", ["runs.view"], 403),
    ],
)
def test_scope_and_role_must_both_allow_it(cast: Cast, client: Client, role: str, scopes: list, status: int):
    token = make_token(cast.organisation, cast.by_role[role], scopes)
    answer = client.post("/probe/start", {"name": "x"}, "application/json", headers=bearer(token))
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["code"] == "missing_permission"
        assert answer.json()["permission"] == "runs.start"


def test_a_role_lost_after_the_token_was_made_counts(cast: Cast, client: Client):
    token = make_token(cast.organisation, cast.by_role["operator"], ["runs.start"])
    cast.by_role["operator"].memberships.get().roles.clear()
    answer = client.post("/probe/start", {"name": "x"}, "application/json", headers=bearer(token))
    assert answer.status_code == 403


def test_invalid_input_comes_with_the_path_of_each_fault(cast: Cast, client: Client):
    token = make_token(cast.organisation, cast.admin)
    body = {"items": [{"count": 1}, {"count": 0}]}
    answer = client.post("/probe/start", body, "application/json", headers=bearer(token))
    assert answer.status_code == 422
    found = answer.json()
    assert {one["path"] for one in found["problems"]} == {"name", "items[1].count"}
    assert found["code"] == "invalid_request" and found["request_id"] == answer["X-Request-ID"]


def test_a_body_that_is_no_json_is_a_problem_too(cast: Cast, client: Client):
    token = make_token(cast.organisation, cast.admin)
    answer = client.post("/probe/start", "{nonsense", "application/json", headers=bearer(token))
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("how", "status", "code"),
    [
        ("conflict", 409, "run_ended"),
        ("missing", 404, "not_found"),
        ("several", 400, "bad_definition"),
        ("unexpected", 500, "internal_error"),
    ],
)
def test_errors_are_problem_documents(cast: Cast, client: Client, how: str, status: int, code: str):
    answer = client.get(f"/probe/fail/{how}", headers=bearer(make_token(cast.organisation, cast.admin)))
    assert (answer.status_code, answer.json()["code"], answer.json()["status"]) == (status, code, status)
    assert "secret path" not in answer.text and "inside story" not in answer.text
    if how == "several":
        assert answer.json()["problems"][0]["path"] == "nodes[0]"
    if how == "unexpected":
        assert answer["X-Request-ID"] in answer.json()["detail"]
