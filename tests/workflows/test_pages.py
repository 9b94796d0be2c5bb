"""Pages of workflows: what owner, member and stranger meet, and that nothing typed is lost."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from orchestration.definition.canonical import pretty
from orchestration.models import Workflow
from orchestration.services import workflows as service
from portal.core.actors import Actor
from tests.cast import make_cast
from tests.workflows import factories as make

pytestmark = pytest.mark.django_db
INPUTS = {
    "type": "object",
    "properties": {"text": {"type": "string", "title": "The text"}},
    "required": ["text"],
    "examples": [{"text": "An example text"}],
}


@pytest.fixture
def cast():
    return make_cast()


@pytest.fixture
def made(cast):
    return make.published(cast.organisation, make.definition(name="Order check", inputs=INPUTS)).workflow


def url(name: str, *args) -> str:
    return reverse(f"workflows:{name}", args=["acme", *args])


def text_of(response) -> str:
    return response.content.decode()


READ = ["list", "detail", "export"]
WRITE = ["new", "edit"]


@pytest.mark.parametrize("name", READ + WRITE + ["start"])
def test_strangers_find_nothing(client, cast, made, name):
    args = [] if name in ("list", "new") else ["order-check"]
    for user in (cast.stranger, cast.homeless):
        client.force_login(user)
        assert client.get(url(name, *args)).status_code == 404
    client.logout()
    assert client.get(url(name, *args)).status_code == 302


@pytest.mark.parametrize("name", READ)
def test_every_member_reads(client, cast, made, name):
    client.force_login(cast.viewer)
    assert client.get(url(name, *([] if name == "list" else ["order-check"]))).status_code == 200


@pytest.mark.parametrize("role", ["viewer", "operator", "approver", "compliance-officer"])
def test_writing_needs_the_right(client, cast, made, role):
    client.force_login(cast.by_role[role])
    assert client.get(url("new")).status_code == 403
    assert client.get(url("edit", "order-check")).status_code == 403
    assert client.post(url("check"), {"text": "{}"}).status_code == 403
    for name in ("publish", "archive", "restore"):
        assert client.post(url(name, "order-check")).status_code == 403
    assert client.post(url("restore_version", "order-check", 1)).status_code == 403
    page = text_of(client.get(url("detail", "order-check")))
    assert url("edit", "order-check") not in page
    assert url("new") not in text_of(client.get(url("list")))


def test_a_get_changes_nothing(client, cast, made):
    client.force_login(cast.admin)
    for name in ("publish", "archive", "restore"):
        assert client.get(url(name, "order-check")).status_code == 405
    assert client.get(url("check")).status_code == 405


def test_the_detail_shows_drawing_versions_and_definition(client, cast, made):
    client.force_login(cast.viewer)
    page = text_of(client.get(url("detail", "order-check")))
    assert '<svg class="graph"' in page
    assert 'data-node="first"' in page
    assert "The text" in page
    assert "v1" in text_of(client.get(url("detail", "order-check") + "?tab=versions"))
    assert "ensemble.workflow/1" in text_of(client.get(url("detail", "order-check") + "?tab=definition"))
    assert client.get(url("detail", "order-check") + "?tab=runs").status_code == 200
    assert client.get(url("detail", "order-check") + "?version=9").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"nodes": 5},
        {"nodes": [], "edges": []},
        {},
        {"nodes": [1, {"id": 3}, {"id": "a"}, {"id": "a", "type": "x", "parent": "a"}], "edges": [{"source": "a"}]},
        {"nodes": [make.node("a", parent="b"), make.node("b", parent="a")]},
        {"nodes": [make.node("a"), make.node("b")], "edges": [make.edge("a", "b"), make.edge("b", "a")]},
        {"nodes": [{"id": "a", "type": "agent", "name": 7, "settings": [], "position": ["x"]}], "inputs": []},
        {
            "nodes": [{"id": "a", "type": "switch", "settings": {"cases": 3}}],
            "inputs": {"properties": [], "required": 1},
        },
    ],
)
def test_any_draft_can_be_looked_at(client, cast, body):
    wrong = make.workflow(cast.organisation, {"format": "ensemble.workflow/1", "name": "Wrong", **body})
    client.force_login(cast.admin)
    for address in (url("detail", wrong.slug), url("detail", wrong.slug) + "?tab=definition", url("edit", wrong.slug)):
        assert client.get(address).status_code == 200


# Writing


def test_a_workflow_is_created_from_text(client, cast):
    client.force_login(cast.by_role["designer"])
    page = client.get(url("new"))
    assert "No problems" in text_of(page)
    answer = client.post(url("new"), {"text": pretty(make.definition(name="Fresh")), "action": "create"}, follow=True)
    assert answer.redirect_chain[-1][0] == url("detail", "fresh")
    assert "has been created as a draft" in text_of(answer)


def test_a_workflow_is_created_from_a_file(client, cast):
    client.force_login(cast.by_role["designer"])
    body = make.definition(name="From a file")
    upload = SimpleUploadedFile("wf.json", pretty(body).encode("utf-8-sig"))
    client.post(url("new"), {"text": "", "file": upload, "action": "create"})
    assert Workflow.objects.get(slug="from-a-file").draft == body
    bad = SimpleUploadedFile("wf.bin", b"\xff\xfe\x00")
    refused = client.post(url("new"), {"text": "typed before", "file": bad, "action": "create"})
    assert refused.status_code == 422
    assert "wf.bin is not a text file in UTF-8." in text_of(refused)
    assert "typed before" in text_of(refused)


def test_errors_come_back_with_their_lines_and_the_text(client, cast):
    client.force_login(cast.by_role["designer"])
    wrong = pretty(make.definition(make.node("a", "dely"), edges=[make.edge("a", "b")]))
    line = wrong.split("\n").index(next(line for line in wrong.split("\n") if "dely" in line)) + 1
    refused = client.post(url("new"), {"text": wrong, "action": "create"})
    assert refused.status_code == 422
    page = text_of(refused)
    assert "There is no node type dely. Did you mean delay?" in page
    assert f'data-line="{line}"' in page
    assert "&quot;dely&quot;" in page
    assert not Workflow.objects.exists()
    kept = client.post(url("new"), {"text": wrong, "action": "keep"}, follow=True)
    assert kept.redirect_chain


@pytest.mark.parametrize(("text", "told"), [("{", "line 1"), ('{"a": 1, "a": 2}', "twice"), ("[]", "JSON object")])
def test_text_that_is_no_definition_is_kept_and_explained(client, cast, made, text, told):
    client.force_login(cast.by_role["designer"])
    for address, more in ((url("new"), {}), (url("edit", "order-check"), {"revision": 1})):
        refused = client.post(address, {"text": text, "action": "save", **more})
        assert refused.status_code == 422
        assert told in text_of(refused)
        assert text.replace('"', "&quot;") in text_of(refused)


def test_checking_is_live(client, cast):
    client.force_login(cast.by_role["designer"])
    answer = client.post(url("check"), {"text": pretty(make.definition())}, headers={"HX-Request": "true"})
    assert "No problems" in text_of(answer)
    assert '<svg class="graph"' in text_of(answer)
    assert "<html" not in text_of(answer)
    assert "1 error" in text_of(client.post(url("check"), {"text": "nonsense"}))


def test_saving_and_publishing(client, cast, made):
    client.force_login(cast.by_role["designer"])
    changed = pretty(make.definition(name="Order check 2"))
    saved = client.post(url("edit", "order-check"), {"text": changed, "revision": 1, "action": "save"})
    assert saved["Location"] == url("edit", "order-check")
    done = client.post(
        url("edit", "order-check"),
        {"text": changed, "revision": 2, "action": "publish", "note": "Better"},
        follow=True,
    )
    assert "Version 2 has been published." in text_of(done)
    assert "Better" in text_of(client.get(url("detail", "order-check") + "?tab=versions"))
    wrong = pretty(make.definition(make.node("a"), edges=[make.edge("a", "b")]))
    refused = client.post(url("edit", "order-check"), {"text": wrong, "revision": 2, "action": "publish"})
    assert refused.status_code == 422
    assert "cannot be published" in text_of(refused)
    made.refresh_from_db()
    assert (made.draft_revision, made.published.number) == (3, 2)
    assert 'name="revision" value="3"' in text_of(refused)


def test_two_people_editing_see_each_other(client, cast, made):
    client.force_login(cast.by_role["designer"])
    theirs = make.definition(name="Theirs", inputs=INPUTS)
    ann = Actor(user=cast.admin, label="admin", channel="web")
    service.save_draft(workflow=made, definition=theirs, revision=1, actor=ann)
    mine = pretty(make.definition(name="Mine", inputs=INPUTS))
    answer = client.post(url("edit", "order-check"), {"text": mine, "revision": 1, "action": "save"})
    page = text_of(answer)
    assert answer.status_code == 409
    assert "admin has changed the draft meanwhile" in page
    assert "Theirs" in page
    assert "&quot;Mine&quot;" in page
    assert 'name="revision" value="2"' in page
    client.post(url("edit", "order-check"), {"text": mine, "revision": 2, "action": "save"})
    made.refresh_from_db()
    assert made.name == "Mine"


def test_a_version_becomes_the_draft_and_the_file(client, cast, made):
    client.force_login(cast.by_role["designer"])
    changed = make.definition(name="Changed")
    service.save_draft(workflow=made, definition=changed, revision=1, actor=Actor.command())
    assert json.loads(client.get(url("export", "order-check")).content)["name"] == "Order check"
    assert json.loads(client.get(url("export", "order-check") + "?version=draft").content) == changed
    client.post(url("restore_version", "order-check", 1), {"revision": 2})
    made.refresh_from_db()
    assert made.draft["name"] == "Order check"


def test_archive_and_bring_back(client, cast, made):
    client.force_login(cast.by_role["designer"])
    client.post(url("archive", "order-check"))
    started = client.get(url("start", "order-check"))
    assert started.status_code == 409 and "until it is brought back" in text_of(started)
    assert "Its triggers start nothing" in text_of(client.get(url("triggers", "order-check")))
    assert "Order check" not in text_of(client.get(url("list"), headers={"HX-Request": "true"}))
    assert "Bring back" in text_of(client.get(url("detail", "order-check")))
    client.post(url("restore", "order-check"))
    assert "Order check" in text_of(client.get(url("list"), headers={"HX-Request": "true"}))


# The list


def test_the_list_filters(client, cast, made):
    make.workflow(cast.organisation, make.definition(name="Audit", category="security", tags=["owasp"]))
    client.force_login(cast.viewer)

    def listed(query: str) -> set[str]:
        page = text_of(client.get(url("list") + query, headers={"HX-Request": "true"}))
        return {name for name in ("Order check", "Audit") if f">{name}</a>" in page}

    assert listed("") == {"Order check", "Audit"}
    assert listed("?q=owasp") == {"Audit"}
    assert listed("?category=security") == {"Audit"}
    assert listed("?state=published") == {"Order check"}
    assert listed("?state=draft") == {"Audit"}
    assert listed("?q=nothing") == set()


def test_ten_more_workflows_cost_no_more_queries(client, cast, made, django_assert_max_num_queries):
    client.force_login(cast.viewer)
    client.get(url("list"))
    for number in range(10):
        make.published(cast.organisation, make.definition(name=f"Workflow {number}"))
    with django_assert_max_num_queries(12):
        client.get(url("list"), headers={"HX-Request": "true"})
