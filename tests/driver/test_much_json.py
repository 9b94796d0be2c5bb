"""Much structured JSON through a run: nothing handles it in one go, on the host's loop least of all.

The real sizes, made small in the same proportions: a "MiB" is some kilobytes here.
"""

import gc
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pydantic
import pytest

from orchestration.driving import much, seen
from orchestration.driving import values as run_values
from orchestration.expressions import program
from orchestration.models import NodeRun, Run, StoredValue
from orchestration.nodes.base import RunFacts
from orchestration.services import values, workflows
from orchestration.store import values as storing
from orchestration.values import encoding, keeper, pieces, portions, splitting
from orchestration.values.references import is_reference
from portal.core.actors import Actor
from portal.core.models import Organisation
from tests.agents.endpoint import Endpoint, serving
from tests.agents.factories import agent, python_draft
from tests.engine_host import EngineHost, make_definition, start, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

JSON = Any
ROWS = [{"id": n, "tags": ["a", {"b": n}], "name": f"name {n}", "text": "ünïcödé"} for n in range(4000)]
PIECE = 4000
LOOP = "engine-host"


@pytest.fixture
def endpoint(settings: Any) -> Iterator[Endpoint]:
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    with serving() as running:
        yield running


@pytest.fixture(autouse=True)
def _small_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (splitting, portions, run_values, much):
        monkeypatch.setattr(module, "INLINE_BYTES", PIECE)
    monkeypatch.setattr(portions, "PORTION_BYTES", PIECE)
    monkeypatch.setattr(portions, "MOST_MEMBERS", 100)
    monkeypatch.setattr(much, "MOST_MEMBERS", 100)
    monkeypatch.setattr(pieces, "PIECE_BYTES", PIECE)
    monkeypatch.setattr(keeper, "QUICK_BYTES", 2 * PIECE)
    monkeypatch.setattr(seen, "QUICK_BYTES", 2 * PIECE)
    monkeypatch.setattr(run_values, "MUCH_BYTES", 2 * PIECE)
    monkeypatch.setattr("orchestration.nodes.http._QUICK_BYTES", 2 * PIECE)


@pytest.fixture
def handled(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The most bytes of JSON that one call was given or made, by what it was and where: "loads on the loop"."""
    most: dict[str, int] = defaultdict(int)

    def note(what: str, size: int) -> None:
        where = "on the loop" if threading.current_thread().name == LOOP else "in a thread"
        most[f"{what} {where}"] = max(most[f"{what} {where}"], size)

    def watch(owner: Any, name: str, what: str, size_of: Callable[[Any, Any], int]) -> None:
        real = getattr(owner, name)

        def watched(*arguments: Any, **named: Any) -> Any:
            made = real(*arguments, **named)
            note(what, size_of(arguments[0], made))
            return made

        monkeypatch.setattr(owner, name, watched)

    watch(pieces.json, "loads", "loads", lambda text, made: len(text))
    watch(storing, "from_json", "loads", lambda text, made: len(text))
    watch(storing, "_quickly", "dumps", lambda value, made: len(made or ""))
    watch(storing, "_encode", "dumps", lambda value, made: len(made))
    watch(encoding, "as_json", "dumps", lambda value, made: len(made))
    watch(splitting, "as_json", "dumps", lambda value, made: len(made))
    watch(pydantic.BaseModel, "model_dump", "shows", lambda model, made: len(str(made)))
    watch(program.paths, "needed", "computes", lambda scope, made: len(str(made)))
    return most


def through(endpoint: Endpoint, *nodes: JSON, rows: str, **more: JSON) -> Any:
    """get → the nodes, one after the other; what they made is the run's output."""
    ids = ["get", *(node["id"] for node in nodes)]
    get = {"id": "get", "type": "http", "settings": {"url": endpoint.address, "max_bytes": 2_000_000}}
    edges = [f"{one} -> {other}" for one, other in pairwise(ids)]
    return make_definition([get, *nodes], edges, outputs={"rows": rows}, **more)


def test_it_goes_from_an_answer_to_a_variable_an_agent_a_filter_and_the_output(
    engine: EngineHost, organisation: Organisation, endpoint: Endpoint, handled: dict[str, int]
) -> None:
    endpoint.answer(200, {"page": 1, "rows": ROWS})
    agent(organisation, "echo", python_draft("echo"))
    definition = through(
        endpoint,
        {"id": "keep", "type": "set", "settings": {"variables": {"rows": "{{ get.outputs.body.rows }}"}}},
        {"id": "ask", "type": "agent", "settings": {"agent": "echo", "inputs": {"rows": "{{ vars.rows }}", "n": 1}}},
        {
            "id": "odd",
            "type": "transform",
            "settings": {
                "input": "{{ ask.outputs.rows }}",
                "steps": [{"op": "filter", "where": "item.id % 2 == 1"}],
            },
        },
        {"id": "one", "type": "set", "settings": {"variables": {"one": "{{ odd.outputs.result[7].tags[1].b }}"}}},
        rows="{{ odd.outputs.result }}",
        variables={"rows": {"type": "array"}, "one": {}},
    )
    run = engine.wait_for(start(organisation, definition), seconds=60)
    assert values.whole_of(organisation.pk, run.outputs) == {"rows": ROWS[1::2]}
    assert NodeRun.objects.get(run=run, node="one").outputs == {"one": 15}
    assert values.whole_of(organisation.pk, NodeRun.objects.get(run=run, node="keep").outputs) == {"rows": ROWS}
    assert {kind: size for kind, size in handled.items() if size > 3 * PIECE} == {}
    assert "loads in a thread" in handled and "dumps in a thread" in handled, "the bounds were of what was watched"


def test_what_a_node_was_given_is_shown_by_the_reference_it_came_with(
    engine: EngineHost, organisation: Organisation, endpoint: Endpoint
) -> None:
    endpoint.answer(200, {"rows": ROWS, "index": {row["name"]: row for row in ROWS}})
    agent(organisation, "echo", python_draft("echo"))
    given = {"all": "{{ get.outputs.body }}", "rows": ["{{ get.outputs.body.rows }}", "{{ 1 + 1 }}"]}
    definition = through(
        endpoint,
        {"id": "ask", "type": "agent", "settings": {"agent": "echo", "inputs": given}},
        {"id": "made", "type": "transform", "settings": {"input": "{{ get.outputs.body.rows.map(r, r.name) }}"}},
        rows="{{ ask.outputs.all.index }}",
    )
    run = engine.wait_for(start(organisation, definition), seconds=60)
    body = NodeRun.objects.get(run=run, node="get").outputs["body"]
    assert is_reference(body["rows"]) and is_reference(body["index"])
    assert NodeRun.objects.get(run=run, node="ask").inputs["inputs"] == {"all": body, "rows": [body["rows"], 2]}
    assert NodeRun.objects.get(run=run, node="ask").outputs == {"all": body, "rows": [body["rows"], 2]}, "same content"
    assert run.outputs["rows"] == body["index"]
    shown = values.whole_of(organisation.pk, NodeRun.objects.get(run=run, node="made").inputs)
    assert shown["input"] == [row["name"] for row in ROWS], "what was computed for it as well"


def test_a_long_secret_beside_much_is_not_shown() -> None:
    class Settings(pydantic.BaseModel):
        inputs: dict[str, JSON]

    reference = {"$value": "0" * 64, "bytes": 500_000, "type": "array"}
    facts = RunFacts(id=uuid4(), organisation_id=1, workflow_slug="", started_by_id=None, priority=5)
    shown = much.MuchValues(keeper.Keeper(), facts, [(ROWS, reference)]).shown(
        Settings(inputs={"rows": ROWS, "password": "p" * 200_000, "nested": [{"secret": "q" * 200_000}]})
    )
    hidden = "[redacted]"
    assert shown == {"inputs": {"rows": reference, "password": hidden, "nested": [{"secret": hidden}]}}


def test_what_was_read_is_let_go(engine: EngineHost, organisation: Organisation, endpoint: Endpoint) -> None:
    endpoint.answer(200, ROWS)
    agent(organisation, "echo", python_draft("echo"))
    definition = through(
        endpoint,
        {"id": "ask", "type": "agent", "settings": {"agent": "echo", "inputs": {"rows": "{{ get.outputs.body }}"}}},
        {"id": "hold", "type": "wait_event", "settings": {"name": "never"}},
        rows="",
    )
    assert engine.host
    engine.host._keeper.cache.most = 0
    run = engine.wait_for(start(organisation, definition), "waiting", seconds=60)
    endpoint.answers.clear()
    wait_until(lambda: not rows_in_memory(), 20, "the rows to be let go")
    assert Run.objects.get(pk=run.pk).status == "waiting"


def rows_in_memory() -> list[JSON]:
    """The rows as they were answered, stored and loaded again; and not those of this file."""
    gc.collect()
    alive = [found for found in gc.get_objects() if type(found) is list and len(found) == len(ROWS)]
    return [found for found in alive if found is not ROWS and found[0] == ROWS[0]]


def test_more_than_one_node_may_read_is_refused_before_it_is_loaded(
    organisation: Organisation, endpoint: Endpoint, start_engine: Callable[..., EngineHost], settings: Any
) -> None:
    settings.ENGINE_READ_MIB = 1
    endpoint.answer(200, ["x" * 700_000, "y" * 700_000])
    definition = through(
        endpoint,
        {"id": "one", "type": "transform", "settings": {"input": "{{ size(get.outputs.body[1]) }}"}},
        {
            "id": "both",
            "type": "transform",
            "settings": {"input": ["{{ get.outputs.body[0] }}", "{{ get.outputs.body[1] }}"]},
        },
        rows="{{ one.outputs.result }}",
    )
    engine = start_engine()
    assert engine.host
    engine.host._keeper.cache.most = 0
    run = engine.wait_for(start(organisation, definition), "failed", seconds=60)
    assert run.error["code"] == "too_large" and run.error["node"] == "both"
    assert "more than 1 MiB" in run.error["message"] and "ENGINE_READ_MIB" in run.error["message"]
    assert NodeRun.objects.get(run=run, node="one").outputs["result"] == 700_000
    whole = {"id": "all", "type": "transform", "settings": {"input": "{{ get.outputs.body }}"}}
    loads = engine.host._keeper.loads
    run = engine.wait_for(start(organisation, through(endpoint, whole, rows="")), "failed", seconds=60)
    assert run.error["node"] == "all" and engine.host._keeper.loads == loads


def test_more_than_is_kept_is_refused_with_the_remedy(
    engine: EngineHost, organisation: Organisation, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "LARGEST_BYTES", 50_000)
    endpoint.answer(200, ROWS)
    run = engine.wait_for(start(organisation, through(endpoint, rows="")), "failed", seconds=60)
    assert run.error["code"] == "too_large" and run.error["node"] == "get"
    assert "in parts" in run.error["message"] and "file store" in run.error["message"]
    assert not StoredValue.objects.exists()


def test_much_is_sent_and_handed_to_a_run_within_the_run(
    engine: EngineHost, organisation: Organisation, endpoint: Endpoint, handled: dict[str, int]
) -> None:
    endpoint.answer(200, {"rows": ROWS})
    inner = publish(organisation, "Inner", {"rows": "{{ inputs.rows }}"})
    definition = through(
        endpoint,
        {"id": "within", "type": "subworkflow", "settings": {"workflow": inner, "inputs": "{{ get.outputs.body }}"}},
        {
            "id": "send",
            "type": "http",
            "settings": {
                "method": "POST",
                "url": endpoint.address,
                "body": {"all": "{{ within.outputs.rows }}"},
                "max_bytes": 2_000_000,
            },
        },
        rows="{{ within.outputs.rows }}",
    )
    run = engine.wait_for(start(organisation, definition), seconds=60)
    assert values.whole_of(organisation.pk, run.outputs) == {"rows": ROWS}
    assert endpoint.asked[1].body == {"all": ROWS}
    assert endpoint.asked[1].headers["Content-Type"] == "application/json"
    handled.pop("loads in a thread")  # the endpoint's, which is in this process
    assert {kind: size for kind, size in handled.items() if size > 3 * PIECE} == {}


def publish(organisation: Organisation, name: str, outputs: JSON) -> str:
    """A workflow of one node; its short name."""
    keep = {"id": "keep", "type": "set", "settings": {"variables": {"n": 1}}}
    body = {"format": "ensemble.workflow/1", "name": name, "inputs": {"type": "object"}, "nodes": [keep], "edges": []}
    actor = Actor.command()
    body = {**body, "variables": {"n": {}}, "outputs": outputs}
    workflow = workflows.create_workflow(organisation=organisation, definition=body, actor=actor)
    workflows.publish(workflow=workflow, actor=actor)
    return str(workflow.slug)
