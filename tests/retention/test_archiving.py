"""An archived run is one row, and whoever reads it knows no difference; who lets it go on gets its rows back."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from orchestration.models import Effect, NodeRun, Run, RunArchive, RunEvent, RunSignal, RunSnapshot, ValueUse
from orchestration.monitoring import history
from orchestration.queries.replay import replay
from orchestration.retention import batches, packing, unpacking
from orchestration.services import rerun, runs
from portal.core.actors import Actor
from portal.core.models import Organisation
from tests.effects import Sink, effect, make_agent
from tests.engine_host import EngineHost, make_definition, start, wait_until
from tests.factories import bearer, make_member, make_token
from tests.retention.factories import age, ended, rule

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("scripted_nodes")]

JSON = Any
MODELS = (RunEvent, NodeRun, RunSignal, Effect)


NODES = [
    {
        "id": "begin",
        "type": "scripted",
        "settings": {
            "outputs": {"text": "Lorem ipsum dolor. " * 10_000, "number": 0.1},
            "usage": {"cost_usd": 0.0125, "input_tokens": 3, "output_tokens": 5},
        },
    },
    {"id": "each", "type": "loop", "settings": {"items": "[1, 2, 3]", "output": "{{ inside.outputs.n }}"}},
    {"id": "inside", "type": "scripted", "parent": "each", "settings": {"outputs": {"n": "{{ loop.item }}"}}},
    {
        "id": "flaky",
        "type": "scripted",
        "settings": {"fail_times": 1},
        "retry": {"max_attempts": 2, "initial_seconds": 0.1},
    },
    {"id": "asks", "type": "scripted", "settings": {"waits": True}},
]
EDGES = ["begin -> each", "each -> flaky", "flaky -> asks"]
OUTPUTS = {"text": "{{ begin.outputs.text }}", "all": "{{ each.outputs.items }}"}


@pytest.fixture
def run(engine: EngineHost, organisation: Organisation, settings: Any) -> Any:
    """With a loop, a failure, a signal, costs, a large value and a call outside."""
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    sink = Sink()
    make_agent(organisation, sink.address)
    definition = make_definition([*NODES, effect("outside")], [*EDGES, "asks -> outside"], outputs=OUTPUTS)
    run = start(organisation, definition)
    engine.wait_for_node(run, "asks", "waiting")
    runs.signal_node(run_id=run.pk, node="asks", by="somebody", data={"yes": True})
    engine.wait_for(run)
    wait_until(lambda: Run.objects.filter(pk=run.pk, host=None).exists(), 10, "the host to let it go")
    yield run
    sink.close()


def archive(organisation: Organisation, *among: Run) -> None:
    age([one for one in among if one.ended_at > timezone.now() - timedelta(days=1)], 10)
    rule(organisation, archive=5)
    after = batches.BEGINNING
    while (batch := batches.archive(organisation, after)).after is not None:
        after = batch.after
    for one in among:
        one.refresh_from_db()
        assert one.archived_at is not None


def rows_of(run: Run) -> dict[str, list[dict[str, JSON]]]:
    orders = {kind.model: kind.order for kind in packing.KINDS}
    return {model.__name__: list(model.objects.filter(run=run).order_by(*orders[model]).values()) for model in MODELS}


def read_by_api(client: Client, run: Run, token: Any) -> list[bytes]:
    address = f"/api/v1/runs/{run.pk}"
    paths = ["", "?values=inline", "/events", "/events?after=3&limit=2", "/effects", "/effects?node=outside&limit=1"]
    found = [client.get(address + path, headers=bearer(token)) for path in paths]
    assert all(answer.status_code == 200 for answer in found)
    return [re.sub(rb'"archived_at": "[^"]+"', b'"archived_at": null', answer.content) for answer in found]


def read_pages(client: Client, run: Run) -> list[Any]:
    slug = run.organisation.slug
    detail = reverse("runs:detail", args=[slug, run.pk])
    steps = ["", "?step=begin", "?step=inside", "?step=inside&path=1", "?step=flaky", "?step=outside"]
    addresses = [*(f"{detail}{step}" for step in steps), reverse("runs:events", args=[slug, run.pk])]
    addresses += [reverse("runs:download", args=[slug, run.pk, name]) for name in ("all.json", "text")]
    found = []
    for address in addresses:
        answer = client.get(address, headers={"HX-Request": "true"})
        assert answer.status_code == 200, address
        found.append(_streamed(answer) if answer.streaming else _without_tokens(answer.content))
    return found


def _streamed(answer: Any) -> bytes:
    async def read() -> bytes:
        return b"".join([piece async for piece in answer.streaming_content])

    return async_to_sync(read)()


def _without_tokens(page: bytes) -> list[bytes]:
    """And without the badge, which is the only difference there is."""
    lines = (line.strip() for line in page.splitlines())
    return [line for line in lines if line and b"csrf" not in line and b"Packed away" not in line]


def test_pages_and_api_say_the_same_as_before(client: Client, run: Run, organisation: Organisation) -> None:
    age([run], 10)
    user = make_member(organisation, "viewer")
    client.force_login(user)
    token = make_token(organisation, user)
    api, pages = read_by_api(client, run, token), read_pages(client, run)
    archive(organisation, run)
    assert not any(model.objects.filter(run=run).exists() for model in MODELS)
    assert read_by_api(client, run, token) == api
    assert read_pages(client, run) == pages


def test_it_folds_again_to_what_is_stored(run: Run, organisation: Organisation) -> None:
    events = run.last_seq
    archive(organisation, run)
    found = replay(run)
    assert (found.same, found.events) == (True, events)


def test_all_rows_come_back_as_they_were(run: Run, organisation: Organisation) -> None:
    age([run], 10)
    before = rows_of(run)
    assert all(before.values())
    archive(organisation, run)
    with transaction.atomic():
        assert unpacking.unpack_tree(run.pk) == 1
    run.refresh_from_db()
    assert rows_of(run) == before and run.archived_at is None and not RunArchive.objects.exists()


def test_its_stream_is_told_from_any_number(client: Client, organisation: Organisation) -> None:
    old = ended(organisation)
    archive(organisation, old)
    token = bearer(make_token(organisation, make_member(organisation, "viewer")))
    for after, numbers in ((0, [b"id: 1", b"id: 2"]), (1, [b"id: 2"]), (2, [])):
        told = _streamed(client.get(f"/api/v1/runs/{old.pk}/stream?after={after}", headers=token))
        assert [line for line in told.splitlines() if line.startswith(b"id: ")] == numbers
        assert b"event: end" in told


def test_large_values_stay_named(run: Run, organisation: Organisation) -> None:
    uses = ValueUse.objects.filter(run=run).count()
    assert uses
    archive(organisation, run)
    assert ValueUse.objects.filter(run=run).count() == uses


def test_an_archived_run_can_be_retried(engine: EngineHost, organisation: Organisation) -> None:
    nodes = [{"id": "a", "type": "scripted"}, {"id": "b", "type": "scripted", "settings": {"fail_times": 1}}]
    failed = engine.wait_for(start(organisation, make_definition(nodes, ["a -> b"])), "failed")
    archive(organisation, failed)
    before = failed.last_seq
    runs.retry_run(run=failed, actor=Actor.command())
    wait_until(lambda: engine.wait_for(failed, "failed").last_seq > before, 20, "it to fail again")  # as scripted
    assert failed.archived_at is None and replay(failed).same
    assert RunEvent.objects.filter(run=failed, type="RunRetried").count() == 1


def test_an_archived_run_can_be_re_run_and_stays_archived(
    engine: EngineHost, run: Run, organisation: Organisation
) -> None:
    archive(organisation, run)
    again = rerun.rerun_from(run=run, wish=rerun.Wish(nodes=["flaky"]), actor=Actor.command())
    engine.wait_for(again, "waiting")
    assert NodeRun.objects.filter(run=again, node="begin", status="succeeded").exists()
    run.refresh_from_db()
    assert run.archived_at is not None
    ledger = {step.node: step.calls for step in rerun.plan_of(run=run, wish=rerun.Wish(nodes=["outside"])).steps}
    assert [call.outcome for call in ledger["outside"]] == ["ok"]


def test_long_logs_are_packed_in_sections_and_read_from_the_middle(
    organisation: Organisation, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    monkeypatch.setattr(packing, "PIECE", 10)
    long = ended(organisation, last_seq=95)
    RunEvent.objects.bulk_create(
        RunEvent(run=long, seq=seq, at=long.created_at, type="NodeSkipped", node="a") for seq in range(3, 96)
    )
    RunSnapshot.objects.create(run=long, seq=95, shape="x", definition="y", body=b"z")
    archive(organisation, long)
    assert not RunSnapshot.objects.exists()
    with django_assert_num_queries(2):  # which sections there are, and the one that is asked for
        assert [row.seq for row in history.of(long).events(after=42, limit=5)] == [43, 44, 45, 46, 47]
    assert [row.seq for row in history.of(long).events(after=38, limit=5)] == [39, 40, 41, 42, 43]
    assert [row.seq for row in history.of(long).events()] == list(range(1, 96))
    assert list(history.of(long).events(after=95)) == []


def test_what_older_code_has_packed_is_read(organisation: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
    """A column it did not know has its default; one that is there no more is left out."""
    old = ended(organisation)
    archive(organisation, old)
    kept = RunArchive.objects.get(run=old)
    for section in kept.sections:
        if section["kind"] == "node_runs":
            section["columns"] = ["gone_by_now" if name == "attempts" else name for name in section["columns"]]
    kept.save()
    (row,) = history.node_runs(Run.objects.get(pk=old.pk))
    assert (row.attempts, row.node, row.status) == (0, "a", "succeeded")
