"""The event stream of a run over real HTTP, cut anywhere and resumed without loss or repeat; and calls that execute."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.portal_process import PortalProcess, wait_for

pytestmark = pytest.mark.processes

THREE_STEPS = {
    "format": "ensemble.workflow/1",
    "name": "Three steps",
    "inputs": {"type": "object", "properties": {"n": {"type": "integer"}, "wait": {"type": "number", "default": 0.4}}},
    "outputs": {"n": "{{ c.outputs.n }}"},
    "nodes": [
        {"id": "a", "type": "set", "settings": {"variables": {"n": "{{ inputs.n + 1 }}"}}},
        {"id": "b", "type": "delay", "settings": {"seconds": "{{ inputs.wait }}"}},
        {"id": "c", "type": "set", "settings": {"variables": {"n": "{{ a.outputs.n * 2 }}"}}},
    ],
    "edges": [{"source": "a", "target": "b"}, {"source": "b", "target": "c"}],
}


@pytest.fixture(scope="module")
def api(portal_process: PortalProcess) -> Iterator[httpx.Client]:
    made = portal_process.manage("token", "--user", "admin", "--org", "demo")
    token = made.stdout.strip().splitlines()[-1]
    with httpx.Client(
        base_url=portal_process.address, headers={"Authorization": f"Bearer {token}"}, timeout=120
    ) as client:
        name = client.post("/api/v1/workflows", json=THREE_STEPS).raise_for_status().json()["slug"]
        client.post(f"/api/v1/workflows/{name}/publish", json={}).raise_for_status()
        yield client


def start(api: httpx.Client, **more: Any) -> dict[str, Any]:
    answer = api.post("/api/v1/runs", json={"workflow": "three-steps", "inputs": {"n": 2}, **more})
    assert answer.status_code in (200, 201), answer.text
    return dict(answer.json())


def frames(response: httpx.Response) -> Iterator[dict[str, Any]]:
    """{"id", "event", "data"} of each."""
    frame: dict[str, Any] = {}
    for line in response.iter_lines():
        if not line:
            if "data" in frame:
                yield frame
            frame = {}
            continue
        key, _, value = line.partition(": ")
        if key:
            frame[key] = json.loads(value) if key == "data" else value


def test_a_stream_cut_at_every_event_and_resumed_tells_each_exactly_once(api: httpx.Client) -> None:
    run = start(api)
    numbers: list[int] = []
    last = ""
    for _ in range(100):
        headers = {"Last-Event-ID": last} if last else {}
        with api.stream("GET", f"/api/v1/runs/{run['id']}/stream", headers=headers) as response:
            frame = next(frames(response))
        if frame["event"] == "end":
            break
        last = frame["id"]
        numbers.append(int(last))
    log = api.get(f"/api/v1/runs/{run['id']}/events").json()
    assert numbers == [event["seq"] for event in log] == list(range(1, len(log) + 1))
    assert frame["data"] == {"status": "completed"}
    assert api.get(f"/api/v1/runs/{run['id']}").json()["outputs"] == {"n": 6}


def test_the_stream_of_a_run_under_way_follows_it_to_its_end(api: httpx.Client) -> None:
    run = start(api)
    with api.stream("GET", f"/api/v1/runs/{run['id']}/stream") as response:
        assert response.headers["content-type"] == "text/event-stream"
        told = list(frames(response))
    assert [told[0]["event"], told[-2]["event"], told[-1]["event"]] == ["RunStarted", "RunCompleted", "end"]


def test_the_same_key_starts_once(api: httpx.Client) -> None:
    first, second = start(api, idempotency_key="once"), start(api, idempotency_key="once")
    assert first["id"] == second["id"]
    other = api.post("/api/v1/runs", json={"workflow": "three-steps", "inputs": {"n": 3}, "idempotency_key": "once"})
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")


def test_command_line_and_api_give_the_same_outputs(api: httpx.Client, portal_process: PortalProcess) -> None:
    printed = portal_process.manage("run", "three-steps", "--org", "demo", "--input", "n=2", "--follow")
    assert printed.returncode == 0, printed.stderr
    run = start(api)
    ended = wait_for(lambda: _ended(api, run["id"]), 120)
    assert json.loads(printed.stdout) == ended["outputs"] == {"n": 6}  # type: ignore[index]


def _ended(api: httpx.Client, run_id: str) -> dict[str, Any] | None:
    run = dict(api.get(f"/api/v1/runs/{run_id}").json())
    return run if run["status"] == "completed" else None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no-such", "--org", "demo"], "There is no workflow 'no-such'"),
        (["three-steps", "--org", "nowhere"], "There is no organisation 'nowhere'"),
        (["three-steps", "--org", "demo", "--input", "n=x"], "$.n"),
        (["three-steps", "--org", "demo", "--input", "n"], "KEY=VALUE"),
        (["three-steps", "--org", "demo", "--input-file", "n=/no/such/file"], "cannot be read"),
    ],
)
def test_bad_input_on_the_command_line_is_exit_status_2_and_one_clear_line(
    api: httpx.Client, portal_process: PortalProcess, arguments: list[str], said: str
) -> None:
    printed = portal_process.manage("run", *arguments)
    assert printed.returncode == 2
    assert said in printed.stderr


def test_pause_resume_cancel_answer_with_the_run_or_the_state(api: httpx.Client) -> None:
    run = start(api, inputs={"n": 2, "wait": 3600})
    address = f"/api/v1/runs/{run['id']}"
    assert api.post(f"{address}/resume").json()["code"] == "run_state"
    assert api.post(f"{address}/cancel", json={"reason": "changed my mind"}).status_code == 202
    wait_for(lambda: api.get(address).json()["status"] == "cancelled", 120)
    refused = api.post(f"{address}/cancel")
    assert (refused.status_code, refused.json()["state"]) == (409, "cancelled")
    assert refused.headers["content-type"] == "application/problem+json"


def test_a_workflow_is_executed_and_told_in_one_answer(api: httpx.Client) -> None:
    body = {"workflowId": "three-steps", "parameters": {"n": 2}}
    with api.stream("POST", "/api/workflows/execute", json=body) as response:
        told = [(frame["data"]["type"], frame) for frame in frames(response)]
    types = [type for type, _ in told]
    assert types[0] == "workflow:start"
    assert types[-2:] == ["workflow:complete", "workflow:results"]
    assert [type for type in types if type.startswith("wave")] == ["wave:start", "wave:complete"] * 3
    summary = told[-2][1]["data"]["summary"]
    assert (summary["totalTasks"], summary["successfulTasks"]) == (3, 3)
    assert told[-1][1]["data"]["outputs"] == {"n": 6}


def test_a_list_of_tasks_runs_in_the_order_of_its_dependencies(api: httpx.Client) -> None:
    tasks = [
        {
            "id": "design-api",
            "agentName": "backend-architect",
            "description": "Design",
            "prompt": "Design a to-do API.",
        },
        {
            "id": "test-api",
            "agentName": "test-automator",
            "prompt": "Write tests. {{ not.an.expression }}",
            "dependencies": ["design-api"],
            "maxTokens": 12000,
        },
    ]
    body = {"workflowName": "Custom", "tasks": tasks, "config": {"maxParallelAgents": 2, "contextStrategy": "shared"}}
    with api.stream("POST", "/api/workflows/execute", json=body) as response:
        told = [frame["data"] for frame in frames(response)]
    done = [one["taskId"] for one in told if one["type"] == "task:complete"]
    assert done == ["design-api", "test-api"], told[-2:]
    assert [one["agentName"] for one in told if one["type"] == "agent:invoke"] == [
        "backend-architect",
        "test-automator",
    ]
    assert set(told[-1]["results"]) == {"design-api", "test-api"}


def test_wrong_tasks_are_told_all_at_once(api: httpx.Client) -> None:
    tasks = [
        {"id": "a", "agentName": "backend-architect", "prompt": "x", "dependencies": ["b"]},
        {"id": "a", "agentName": "backend-architect", "prompt": "y"},
    ]
    answer = api.post("/api/workflows/execute", json={"tasks": tasks})
    assert {problem["code"] for problem in answer.json()["problems"]} == {"unknown_dependency", "duplicate_id"}


def test_json_is_answered_with_202_and_the_addresses(api: httpx.Client) -> None:
    body = {"workflowId": "three-steps", "parameters": {"n": 1}}
    answer = api.post("/api/workflows/execute", json=body, headers={"Accept": "application/json"})
    assert answer.status_code == 202
    with api.stream("GET", answer.json()["links"]["stream"]) as response:
        assert list(frames(response))[-1]["data"]["type"] == "workflow:results"
