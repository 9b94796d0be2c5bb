"""The list, the page, the log and the files of runs; who may see and steer them; and what they cost in queries."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from orchestration.models import NodeRun, Run, RunEvent, RunSignal
from orchestration.monitoring import steps
from tests.cast import Cast, make_cast
from tests.engine_host import make_definition

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


def make_run(cast: Cast, **fields: Any) -> Run:
    definition = make_definition(
        [
            {"id": "think", "type": "set", "name": "Think it over", "settings": {"variables": {"a": 1}}},
            {"id": "each", "type": "loop", "settings": {"items": "[1, 2]"}},
            {"id": "inner", "type": "set", "parent": "each", "settings": {"variables": {"b": 2}}},
        ],
        ["think -> each"],
    )
    values = {"name": "RFP response", "status": "running", "inputs": {"rfp": "text"}, "nodes_total": 2, **fields}
    run = Run.objects.create(organisation=cast.organisation, definition=definition, **values)
    NodeRun.objects.create(
        run=run, node="think", type="set", name="Think it over", status="succeeded", outputs={"a": 1}
    )
    for index in range(2):
        NodeRun.objects.create(run=run, node="inner", path=str(index), type="set", name="inner", status="succeeded")
    RunEvent.objects.create(run=run, seq=1, at=run.created_at, type="RunStarted", data={"inputs": {}})
    return run


def page(client: Client, cast: Cast, role: str, name: str, *args: Any, query: str = "", **more: Any) -> Any:
    client.force_login(cast.by_role.get(role) or getattr(cast, role))
    return client.get(reverse(name, args=[cast.organisation.slug, *args]) + query, **more)


def test_the_list_filters_by_status_words_and_id(client: Client, cast: Cast) -> None:
    running, failed = make_run(cast), make_run(cast, name="Code review", status="failed")
    for query, found in {
        "": {running, failed},
        "?status=failed": {failed},
        "?status=unfinished": {running},
        "?q=code": {failed},
        f"?q={str(running.pk)[:8]}": {running},
        "?q=nothing": set(),
    }.items():
        answer = page(client, cast, "viewer", "runs:list", query=query)
        assert {run.pk for run in answer.context["page"].object_list} == {run.pk for run in found}, query


def test_ten_more_runs_cost_no_more_queries(client: Client, cast: Cast) -> None:
    make_run(cast)
    with CaptureQueriesContext(connection) as few:
        page(client, cast, "viewer", "runs:list")
    for _ in range(10):
        make_run(cast)
    with CaptureQueriesContext(connection) as many:
        page(client, cast, "viewer", "runs:list")
    assert len(many) <= len(few)


def test_the_page_shows_steps_with_the_loops_body_beneath_and_counts_its_iterations(client: Client, cast: Cast) -> None:
    answer = page(client, cast, "viewer", "runs:detail", make_run(cast).pk)
    rows = answer.context["page"].steps
    assert [(row.node, row.depth, row.status) for row in rows] == [
        ("think", 0, "succeeded"),
        ("each", 0, "pending"),
        ("inner", 1, "succeeded"),
    ]
    assert rows[2].tally == {"succeeded": 2}
    assert "Think it over" in answer.content.decode()


def test_a_partial_request_gets_the_live_part_and_what_moves_with_it(client: Client, cast: Cast) -> None:
    run = make_run(cast)
    whole = page(client, cast, "viewer", "runs:detail", run.pk).content.decode()
    part = page(client, cast, "viewer", "runs:detail", run.pk, headers=HTMX).content.decode()
    assert "<html" in whole and "<html" not in part
    assert 'id="run-status" hx-swap-oob' in part


def test_a_step_of_a_loop_lists_its_iterations_then_one(client: Client, cast: Cast) -> None:
    run = make_run(cast)
    listed = page(client, cast, "viewer", "runs:detail", run.pk, query="?step=inner").context["page"].step
    assert [row.path for row in listed.iterations.object_list] == ["0", "1"]
    one = page(client, cast, "viewer", "runs:detail", run.pk, query="?step=inner&path=1").context["page"].step
    assert one.node_run.path == "1"
    unknown = page(client, cast, "viewer", "runs:detail", run.pk, query="?step=nothing")
    assert unknown.status_code == 200 and unknown.context["page"].step is None


def test_the_tries_of_a_loop_are_told_without_reading_its_iterations(cast: Cast) -> None:
    run = make_run(cast)
    kinds = ["NodeStarted", "LoopOpened", *["IterationStarted", "IterationEnded"] * 20, "NodeSucceeded"]
    RunEvent.objects.bulk_create(
        RunEvent(run=run, seq=seq, at=run.created_at, type=kind, node="each") for seq, kind in enumerate(kinds, 2)
    )
    with CaptureQueriesContext(connection) as asked:
        (only,) = steps.attempts(run, "each", "")
    assert only["outcome"] == "succeeded"
    with connection.cursor() as cursor:
        cursor.execute(asked[0]["sql"])
        assert len(cursor.fetchall()) == 2


@pytest.mark.parametrize("action", ["cancel", "pause", "resume", "retry"])
def test_control_needs_the_right_and_a_post(client: Client, cast: Cast, action: str) -> None:
    run = make_run(cast)
    address = reverse(f"runs:{action}", args=[cast.organisation.slug, run.pk])
    client.force_login(cast.viewer)
    assert client.post(address).status_code == 403
    client.force_login(cast.stranger)
    assert client.post(address).status_code == 404
    client.force_login(cast.by_role["operator"])
    assert client.get(address).status_code == 405
    assert not RunSignal.objects.exists()


def test_cancel_posts_a_signal_and_a_refusal_is_said(client: Client, cast: Cast) -> None:
    run, ended = make_run(cast), make_run(cast, status="completed")
    client.force_login(cast.by_role["operator"])
    client.post(reverse("runs:cancel", args=[cast.organisation.slug, run.pk]))
    assert RunSignal.objects.get(run=run).kind == "cancel"
    answer = client.post(reverse("runs:cancel", args=[cast.organisation.slug, ended.pk]), follow=True)
    assert "cannot be cancelled" in answer.content.decode()


def test_outputs_are_downloads_never_pages(client: Client, cast: Cast) -> None:
    run = make_run(cast, status="completed", outputs={"proposal": "# Hi <script>", "sums": {"eur": 3}})
    text = page(client, cast, "viewer", "runs:download", run.pk, "proposal")
    assert text["Content-Disposition"].startswith("attachment") and text["X-Content-Type-Options"] == "nosniff"
    assert text.content == b"# Hi <script>"
    assert page(client, cast, "viewer", "runs:download", run.pk, "sums").json() == {"eur": 3}
    assert page(client, cast, "viewer", "runs:download", run.pk, "all.json").json()["sums"] == {"eur": 3}
    assert page(client, cast, "viewer", "runs:download", run.pk, "nothing").status_code == 404


def test_text_of_models_is_never_markup(client: Client, cast: Cast) -> None:
    run = make_run(cast, status="completed", outputs={"proposal": "<script>alert(1)</script> <img src=//evil>"})
    html = page(client, cast, "viewer", "runs:detail", run.pk).content.decode()
    assert "<script>alert" not in html and "<img" not in html


def test_strangers_get_404_for_every_page_of_a_run(client: Client, cast: Cast) -> None:
    run = make_run(cast, outputs={"x": "y"})
    for name, more in (("detail", ()), ("events", ()), ("download", ("x",))):
        assert page(client, cast, "stranger", f"runs:{name}", run.pk, *more).status_code == 404
    other = Run.objects.create(organisation=cast.elsewhere, definition=run.definition, name="Other")
    assert page(client, cast, "admin", "runs:detail", other.pk).status_code == 404
