"""Large values on pages and by the API: by their beginning, by address, and whole only where asked."""

import json
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from orchestration.models import Run
from orchestration.services import workflows
from portal.core.actors import Actor
from tests.cast import Cast, make_cast
from tests.engine_host import EngineHost, make_definition, start
from tests.factories import bearer, make_token

pytestmark = pytest.mark.django_db(transaction=True)

LARGE = "Line of a long report. " * 40_000
REPORT = "# Report\n" + "x" * 100_000


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


@pytest.fixture
def run(cast: Cast, engine: EngineHost) -> Run:
    set_it = {"id": "keep", "type": "set", "settings": {"variables": {"text": "{{ inputs.text }}", "n": 1}}}
    outputs = {
        "text": "{{ keep.outputs.text }}",
        "report": "{{ inputs.report }}",
        "all": {"both": "{{ [inputs.text, inputs.report] }}", "$value": "mine"},
    }
    definition = make_definition([set_it], outputs=outputs)
    return engine.wait_for(start(cast.organisation, definition, {"text": LARGE, "report": REPORT}))


@async_to_sync
async def content(response: Any) -> bytes:
    return b"".join([piece async for piece in response.streaming_content])


def test_the_page_shows_how_it_begins_and_where_it_is(client: Client, cast: Cast, run: Run) -> None:
    client.force_login(cast.by_role["operator"])
    page = client.get(reverse("runs:detail", args=[cast.organisation.slug, run.pk]) + "?step=keep").content.decode()
    address = reverse("runs:value", args=[cast.organisation.slug, run.pk, run.outputs["text"]["$value"]])
    assert address in page and LARGE[:300] in page and len(page) < 400_000
    assert REPORT in page or "x" * 100_000 in page, "what can be read is shown whole"
    assert "$value" not in page.replace("$value&quot;: &quot;mine", "").replace('">$value<', "")
    log = client.get(reverse("runs:events", args=[cast.organisation.slug, run.pk])).content.decode()
    assert address in log and len(log) < 100_000


def test_downloads_are_whole_and_only_for_those_who_may_see_the_run(client: Client, cast: Cast, run: Run) -> None:
    digest = run.outputs["text"]["$value"]
    address = reverse("runs:value", args=[cast.organisation.slug, run.pk, digest])
    client.force_login(cast.by_role["operator"])
    answer = client.get(address)
    assert content(answer).decode() == LARGE
    assert answer["Content-Type"] == "text/plain; charset=utf-8" and answer["Content-Length"] == str(len(LARGE))
    assert answer["Content-Disposition"].startswith("attachment;")
    whole = client.get(reverse("runs:download", args=[cast.organisation.slug, run.pk, "all.json"]))
    assert json.loads(content(whole)) == {
        "text": LARGE, "report": REPORT, "all": {"both": [LARGE, REPORT], "$value": "mine"},
    }  # fmt: skip
    named = client.get(reverse("runs:download", args=[cast.organisation.slug, run.pk, "text"]))
    assert named["Content-Disposition"].endswith('.md"') and content(named).decode() == LARGE
    other = start(cast.organisation, run.definition, {"text": "a", "report": "b"})
    assert client.get(address.replace(str(run.pk), str(other.pk))).status_code == 404, "that run does not name it"
    client.force_login(cast.stranger)
    assert client.get(address).status_code == 404


def test_the_api_gives_references_with_addresses_or_whole_values(client: Client, cast: Cast, run: Run) -> None:
    headers = bearer(make_token(cast.organisation, cast.by_role["operator"]))
    found = client.get(f"/api/v1/runs/{run.pk}", headers=headers).json()
    assert found["outputs"]["text"]["bytes"] == len(LARGE) and found["inputs"]["text"] == found["outputs"]["text"]
    assert found["nodes"][0]["outputs"]["text"]["url"] == found["outputs"]["text"]["url"]
    assert content(client.get(found["outputs"]["text"]["url"], headers=headers)).decode() == LARGE
    whole = client.get(f"/api/v1/runs/{run.pk}?values=inline", headers=headers).json()
    assert whole["outputs"]["all"] == {"both": [LARGE, REPORT], "$value": "mine"}


def test_large_inputs_come_as_files(client: Client, cast: Cast, engine: EngineHost) -> None:
    body = {
        "format": "ensemble.workflow/1",
        "name": "Measure",
        "inputs": {"type": "object", "properties": {"text": {"type": "string"}, "rows": {"type": "array"}}},
        "outputs": {"n": "{{ size(inputs.text) + size(inputs.rows) }}"},
        "nodes": [{"id": "a", "type": "set", "settings": {"variables": {"x": 1}}}],
        "edges": [],
    }
    made = workflows.create_workflow(organisation=cast.organisation, actor=Actor.command(), definition=body)
    workflows.publish(workflow=made, actor=Actor.command())
    headers = bearer(make_token(cast.organisation, cast.by_role["operator"]))
    text = "long " * 4_000_000
    files = {
        "text": SimpleUploadedFile("t.txt", text.encode()),
        "rows": SimpleUploadedFile("r.json", json.dumps(list(range(50_000))).encode()),
    }
    data = {"run": json.dumps({"workflow": made.slug}), **files}
    answer = client.post("/api/v1/runs/upload", data, headers=headers)
    assert answer.status_code == 201, answer.content
    run = engine.wait_for(Run.objects.get(pk=answer.json()["id"]))
    assert run.outputs == {"n": len(text) + 50_000}
    bad = client.post("/api/v1/runs/upload", {"run": "{"}, headers=headers)
    assert bad.status_code == 400 and bad.json()["code"] == "invalid_upload"
