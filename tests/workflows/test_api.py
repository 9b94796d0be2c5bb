"""Definitions by API: in and out without a change, every problem told, rights and scopes kept."""

import json

import pytest

from portal.core.permissions import Permission
from tests.factories import bearer, make_member, make_organisation, make_token
from tests.workflows import factories as make

pytestmark = pytest.mark.django_db
ALL = "/api/v1/workflows"


@pytest.fixture
def org():
    return make_organisation("acme")


@pytest.fixture
def call(client, org):
    """call("post", "/publish", body, role="viewer") → response of the API as a member of that role."""

    def run(method: str, path: str = "", body=None, *, role: str = "designer", scopes=()):
        user = make_member(org, role, user=None)
        headers = bearer(make_token(org, user, scopes=scopes))
        more = {"data": json.dumps(body or {}), "content_type": "application/json"} if method != "get" else {}
        return getattr(client, method)(f"{ALL}{path}", headers=headers, **more)

    return run


def test_create_read_save_publish(call):
    body = make.definition(name="Order check", description="It checks.", category="sales", tags=["orders"])
    made = call("post", "", body)
    assert made.status_code == 201
    answer = made.json()
    assert (answer["slug"], answer["revision"], answer["published"], answer["draft"]) == ("order-check", 1, None, body)
    assert (answer["category"], answer["tags"], answer["problems"]) == ("sales", ["orders"], [])

    changed = {**body, "name": "Order check 2"}
    assert call("put", "/order-check/draft?revision=1", changed).json()["revision"] == 2
    late = call("put", "/order-check/draft?revision=1", body)
    assert (late.status_code, late.json()["code"]) == (409, "draft_conflict")

    version = call("post", "/order-check/publish", {"note": "First"})
    assert (version.status_code, version.json()["number"], version.json()["note"]) == (201, 1, "First")
    again = call("post", "/order-check/publish", {})
    assert (again.status_code, again.json()["code"]) == (409, "nothing_to_publish")

    read = call("get", "/order-check", role="viewer").json()
    assert (read["published"], read["definition"]) == (1, changed)
    assert [row["number"] for row in call("get", "/order-check/versions").json()] == [1]
    assert [row["slug"] for row in call("get", "?category=sales&tags=orders").json()] == ["order-check"]
    assert call("get", "?tags=orders,other").json() == []


def test_export_and_import_give_the_same_text(call):
    body = make.definition(inputs={"type": "object", "properties": {"z": {"type": "number"}, "a": {"type": "string"}}})
    call("post", "?slug=one", body)
    exported = call("get", "/one/export")
    assert exported["Content-Disposition"] == 'attachment; filename="one.json"'
    call("post", "?slug=two", json.loads(exported.content))
    assert call("get", "/two/export").content == exported.content
    assert json.loads(exported.content) == body


def test_every_problem_is_told_at_once(call):
    wrong = make.definition(make.node("a", "dely"), edges=[make.edge("a", "b")], nam="x")
    answer = call("post", "/validate", wrong).json()
    assert answer["valid"] is False
    assert [(p["code"], p["path"], p["node"]) for p in answer["problems"]] == [
        ("unknown_key", "nam", None),
        ("unknown_type", "nodes[0].type", "a"),
        ("unknown_node", "edges[0].target", "a"),
    ]
    refused = call("post", "", wrong)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_definition")
    assert refused.json()["problems"] == answer["problems"]
    kept = call("post", "?with_problems=true", wrong)
    assert kept.status_code == 201
    publishing = call("post", f"/{kept.json()['slug']}/publish")
    assert (publishing.status_code, len(publishing.json()["problems"])) == (422, 3)


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"', b"null", b"\xff"])
def test_what_is_no_definition_is_refused_and_breaks_nothing(client, org, body):
    headers = bearer(make_token(org, make_member(org, "designer")))
    answer = client.post(f"{ALL}/validate", data=body, content_type="application/json", headers=headers)
    assert answer.status_code in (400, 422)
    assert answer["Content-Type"].startswith("application/problem+json")


def test_rights_and_scopes(call):
    call("post", "?slug=one", make.definition())
    assert call("post", "", make.definition(), role="viewer").status_code == 403
    assert call("put", "/one/draft?revision=1", make.definition(), role="operator").status_code == 403
    assert call("post", "/one/publish", role="approver").status_code == 403
    assert call("post", "/one/archive", role="viewer").status_code == 403
    assert call("post", "/one/publish", scopes=[Permission.WORKFLOWS_VIEW.value]).status_code == 403
    assert call("get", "/one", role="viewer").status_code == 200


def test_strangers_see_nothing(call, client):
    call("post", "?slug=one", make.definition())
    elsewhere = make_organisation("elsewhere")
    headers = bearer(make_token(elsewhere, make_member(elsewhere, "admin")))
    for path in ("/one", "/one/versions", "/one/export"):
        assert client.get(f"{ALL}{path}", headers=headers).status_code == 404
    assert client.get(ALL, headers=headers).json() == []
    assert client.get(ALL).status_code == 401


def test_archive_and_restore(call):
    call("post", "?slug=one", make.definition())
    assert call("post", "/one/archive").json()["archived"] is True
    assert call("get", "").json() == []
    assert [row["slug"] for row in call("get", "?state=archived").json()] == ["one"]
    assert call("post", "/one/publish").status_code == 409
    assert call("post", "/one/restore").json()["archived"] is False


def test_the_schema_needs_no_token_and_fits_definitions(client):
    from jsonschema import Draft202012Validator

    schema = client.get(f"{ALL}/schema").json()
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    assert validator.is_valid(make.definition(make.node("a", settings={"seconds": "{{ inputs.n }}"})))
    assert not validator.is_valid(make.definition(make.node("a", settings={"seconds": "soon"})))
    assert not validator.is_valid(make.definition(make.node("a", "nothing")))
    assert not validator.is_valid({**make.definition(), "more": 1})


def test_the_listing_in_camel_case(call, client, org):
    make.published(org, make.definition(name="Audit", category="security", tags=["code", "owasp"]))
    make.workflow(org, make.definition(name="Unpublished"))
    headers = bearer(make_token(org, make_member(org, "viewer")))
    answer = client.get("/api/workflows/list?category=security&tags=code,owasp", headers=headers).json()
    assert answer == {
        "workflows": [
            {
                "id": "audit", "name": "Audit", "description": "", "category": "security", "tags": ["code", "owasp"],
                "estimatedDuration": 0.0, "complexity": "simple",
            }
        ]
    }  # fmt: skip
    assert client.get("/api/workflows/list?category=other", headers=headers).json() == {"workflows": []}
