"""The shared context of a run: an agent sees what it was granted and what it wrote itself, and writes what it may."""

from typing import Any

import pytest

from agents import python_callables
from agents.models import Agent
from agents.python_callables import CallFacts
from agents.services.drafts import VersionDraft
from agents.services.registry import AgentCard, create_agent
from orchestration.definition.validation import validate
from orchestration.models import NodeRun, Run
from orchestration.monitoring import sharing
from portal.core.actors import Actor
from portal.core.models import Organisation
from tests.agents.endpoint import serving
from tests.engine_host import EngineHost, make_definition, start

pytestmark = pytest.mark.django_db(transaction=True)

JSON = Any
SEEN: list[dict[str, JSON]] = []


@pytest.fixture(autouse=True)
def function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_callables, "_REGISTERED", dict(python_callables._REGISTERED))
    SEEN.clear()

    @python_callables.callable_agent(
        "scribe", label="Scribe", description="Tells what it sees.", input_schema={"type": "object"},
        output_schema={"type": "object"}, effects=False,
    )  # fmt: skip
    def scribe(inputs: dict[str, JSON], call: CallFacts) -> dict[str, JSON]:
        SEEN.append({"who": inputs.get("who"), **call.shared})
        for key, value in (inputs.get("writes") or {}).items():
            call.shared.write(key, value)
        return {"sees": dict(call.shared), "said": inputs.get("said")}


def make_agent(organisation: Organisation, slug: str) -> Agent:
    draft = VersionDraft(kind="python", config={"callable": "scribe"})
    return create_agent(
        organisation=organisation, slug=slug, card=AgentCard(name=slug), draft=draft, actor=Actor.command()
    ).version.agent


def node(id: str, agent: str = "one", context: JSON = None, **inputs: JSON) -> dict[str, JSON]:
    settings = {"agent": agent, "inputs": {"who": id, **inputs}, **({"context": context} if context else {})}
    return {"id": id, "type": "agent", "settings": settings, "retry": {"max_attempts": 1}}


@pytest.fixture
def agents(organisation: Organisation) -> None:
    for slug in ("one", "two", "three"):
        make_agent(organisation, slug)


@pytest.mark.usefixtures("agents")
def test_an_agent_sees_its_own_keys_and_what_it_was_granted(engine: EngineHost, organisation: Organisation) -> None:
    write = {"write": {"customer": "{{ outputs.said.name }}", "draft/1": "outputs.said"}}
    definition = make_definition(
        [
            node("a", "one", write, said={"name": "Acme", "vat": 19}),
            node("stranger", "two"),
            node("granted", "two", {"read": ["draft/*"]}),
            node("own", "one"),
        ],
        ["a -> stranger", "stranger -> granted", "granted -> own"],
        outputs={"name": "{{ shared.customer }}", "vat": '{{ shared["draft/1"].vat }}'},
    )
    run = engine.wait_for(start(organisation, definition))
    seen = {entry.pop("who"): entry for entry in SEEN}
    draft = {"name": "Acme", "vat": 19}
    assert seen["a"] == {} and seen["stranger"] == {}
    assert seen["granted"] == {"draft/1": draft}
    assert seen["own"] == {"customer": "Acme", "draft/1": draft}
    assert run.outputs == {"name": "Acme", "vat": 19}
    assert NodeRun.objects.get(run=run, node="granted").inputs["shared"] == {"draft/1": draft}
    assert "shared" not in NodeRun.objects.get(run=run, node="stranger").inputs
    shown = {one.key: (one.value, one.node, one.writes) for one in sharing.of_run(run, definition.body)}
    assert shown == {"customer": ("Acme", "a", 1), "draft/1": (draft, "a", 1)}


@pytest.mark.usefixtures("agents")
def test_a_write_without_a_grant_fails_and_writes_nothing(engine: EngineHost, organisation: Organisation) -> None:
    definition = make_definition([node("a", context={"may_write": ["notes/*"]}, writes={"notes/1": 1, "customer": 2})])
    run = engine.wait_for(start(organisation, definition), "failed")
    assert run.error["code"] == "not_granted" and run.error["node"] == "a"
    assert "customer" in run.error["message"] and "context.may_write" in run.error["message"]
    assert sharing.of_run(run, definition.body) == []
    granted = make_definition([node("a", context={"may_write": ["notes/*"]}, writes={"notes/1": 1})])
    assert sharing.of_run(engine.wait_for(start(organisation, granted)), granted.body)[0].key == "notes/1"


@pytest.mark.usefixtures("agents")
def test_what_the_answer_does_not_have_is_named_with_its_place(engine: EngineHost, organisation: Organisation) -> None:
    definition = make_definition([node("a", context={"write": {"k": "{{ outputs.nothing }}"}})])
    run = engine.wait_for(start(organisation, definition), "failed")
    assert run.error["code"] == "expression" and run.error["message"].startswith("context.write.k: ")


def test_a_variable_takes_only_what_it_declares(engine: EngineHost, organisation: Organisation) -> None:
    rate = {"type": "object", "properties": {"eur": {"type": "number"}}, "required": ["eur"]}
    definition = make_definition(
        [
            {
                "id": "a",
                "type": "set",
                "settings": {"variables": {"rate": {"eur": "{{ inputs.eur }}"}, "n": "{{ inputs.n }}"}},
            }
        ],
        variables={"rate": rate, "n": {"type": "integer", "default": 1}, "free": {"default": None}},
    )
    run = engine.wait_for(start(organisation, definition, {"eur": "much", "n": 1.5}), "failed")
    assert run.error["code"] == "invalid_variable" and run.error["node"] == "a"
    assert [fault["path"] for fault in run.error["detail"]["faults"]] == ["$.n", "$.rate.eur"]
    engine.wait_for(start(organisation, definition, {"eur": 1.1, "n": 2}))


def loop(limit: int) -> list[dict[str, JSON]]:
    mode = {"mode": "parallel", "limit": limit} if limit > 1 else {}
    return [
        {"id": "each", "type": "loop", "settings": {"items": "[1, 2, 3]", "output": "{{ shared.n }}", **mode}},
        {
            **node("add", "one", {"read": ["n"], "write": {"n": "outputs.said"}}, said="{{ loop.item }}"),
            "parent": "each",
        },
        {**node("look", "two", {"read": ["n"]}), "parent": "each"},
        node("after", "two", {"read": ["n"]}),
    ]


@pytest.mark.usefixtures("agents")
def test_iterations_one_after_the_other_see_what_the_one_before_left(
    engine: EngineHost, organisation: Organisation
) -> None:
    definition = make_definition(
        loop(1), ["add -> look", "each -> after"], outputs={"items": "{{ each.outputs.items }}"}
    )
    run = engine.wait_for(start(organisation, definition))
    assert run.outputs == {"items": [1, 2, 3]}
    assert [(entry["who"], entry.get("n")) for entry in SEEN] == [
        ("add", None), ("look", 1), ("add", 1), ("look", 2), ("add", 2), ("look", 3), ("after", 3),
    ]  # fmt: skip


@pytest.mark.usefixtures("agents")
def test_iterations_side_by_side_have_layers_of_their_own(engine: EngineHost, organisation: Organisation) -> None:
    definition = make_definition(
        loop(3), ["add -> look", "each -> after"], outputs={"items": "{{ each.outputs.items }}"}
    )
    run = engine.wait_for(start(organisation, definition))
    assert run.outputs == {"items": [1, 2, 3]}
    assert sorted(entry["n"] for entry in SEEN if entry["who"] == "look") == [1, 2, 3]
    assert all("n" not in entry for entry in SEEN if entry["who"] in ("add", "after"))


@pytest.mark.usefixtures("agents")
def test_large_values_are_shared_by_reference(engine: EngineHost, organisation: Organisation) -> None:
    text = "x" * 200_000
    definition = make_definition(
        [
            node("a", "one", {"write": {"text": "outputs.said"}}, said="{{ inputs.text }}"),
            node("b", "two", {"read": ["*"]}),
        ],
        ["a -> b"],
    )
    run = engine.wait_for(start(organisation, definition, {"text": text}))
    assert SEEN[-1] == {"who": "b", "text": text}
    assert Run.objects.get(pk=run.pk).inputs["text"] == sharing.of_run(run, definition.body)[0].value


def test_an_http_agent_reads_what_it_is_granted_and_its_answer_is_written(
    engine: EngineHost, organisation: Organisation, settings: Any
) -> None:
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    with serving() as endpoint:
        endpoint.answer(body={"rating": "A"})
        anything: dict[str, JSON] = {"type": "object", "properties": {}}
        config = {"url": endpoint.address}
        draft = VersionDraft(kind="http", config=config, input_schema=anything, output_schema=anything)
        for slug in ("crm", "risk"):
            create_agent(
                organisation=organisation, slug=slug, card=AgentCard(name=slug), draft=draft, actor=Actor.command()
            )
        definition = make_definition(
            [
                node("ask", "crm", {"write": {"rating": "{{ outputs.rating }}"}}),
                node("judge", "risk", {"read": ["rating"]}),
                node("stranger", "risk"),
            ],
            ["ask -> judge", "judge -> stranger"],
        )
        engine.wait_for(start(organisation, definition))
    assert [asked.body.get("shared_context") for asked in endpoint.asked] == [None, {"rating": "A"}, None]


def test_a_list_of_keys_to_write_is_refused_with_the_remedy() -> None:
    definition = make_definition([node("a", context={"write": ["summary"]})])
    (found,) = [p for p in validate(definition.body, agents={}) if p.place[-1] == "write"]
    assert "outputs.summary" in found.message and "may_write" in found.message
