# ruff: noqa: E501  a case is a line of a table
"""Every kind of problem there is: found, at its place, in words that help."""

import time
from typing import Any

import pytest

from orchestration.definition.contracts import AgentContract, Contract, WorkflowContract, Workflows
from orchestration.definition.problems import Code, Severity
from orchestration.definition.validation import validate
from tests.workflows.factories import chain, definition, edge, node

AGENTS = {
    "analyst": AgentContract(
        "analyst",
        current=2,
        versions={
            2: Contract(
                {
                    "type": "object",
                    "properties": {"document": {"type": "string", "description": "What to read."}, "pages": {"type": "integer"}},
                    "required": ["document"],
                    "additionalProperties": False,
                },
                {
                    "type": "object",
                    "properties": {"score": {"type": "number"}, "rows": {"type": "array", "items": {"type": "object", "properties": {"sum": {}}}}},
                },
            )
        },
    ),
    "reader": AgentContract("reader", current=1, versions={1: Contract({"type": "object", "required": ["pages"]}, {})}),
    "old": AgentContract("old", status="deprecated", current=1, versions={1: Contract({}, {})}, replaced_by="analyst"),
    "gone": AgentContract("gone", status="offline", current=1, versions={1: Contract({}, {})}),
    "unpublished": AgentContract("unpublished"),
}  # fmt: skip


def ask(name: str = "ask", agent: str = "analyst", inputs: Any = None, **more: Any) -> dict[str, Any]:
    inputs = {"document": "x"} if inputs is None else inputs
    return node(name, "agent", settings={"agent": agent, "inputs": inputs, **more})


def loop(name: str = "each", **settings: Any) -> dict[str, Any]:
    return node(name, "loop", settings={"items": "[1]", **settings})


def repeat(condition: str, **settings: Any) -> dict[str, Any]:
    return node("each", "loop", settings={"while": condition, **settings})


def approval(name: str = "legal") -> dict[str, Any]:
    return node(name, "approval", settings={})


def handler(name: str = "h") -> dict[str, Any]:
    return node(name, "error_handler", settings={})


def delay(name: str, seconds: Any, **more: Any) -> dict[str, Any]:
    return node(name, settings={"seconds": seconds}, **more)


def join(**rule: Any) -> dict[str, Any]:
    return node("j", "join", settings={}, join=rule)


TEXT = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
    "additionalProperties": False,
}
GIVES = {"type": "object", "properties": {"summary": {}}, "additionalProperties": False}
WORKFLOWS = Workflows(
    {
        "summary": WorkflowContract("summary", current=3, numbers=frozenset({1, 3}), versions={3: Contract(TEXT, GIVES)}),
        "booking": WorkflowContract("booking", current=2, versions={1: Contract({}, {}), 2: Contract({}, {})}, undoing=frozenset({2})),
        "draft": WorkflowContract("draft"),
        "away": WorkflowContract("away", archived=True, current=1, numbers=frozenset({1}), versions={1: Contract({}, {})}),
        "back": WorkflowContract("back", current=1, numbers=frozenset({1}), versions={1: Contract({}, {})}, runs=frozenset({"on"})),
        "on": WorkflowContract("on", current=1, numbers=frozenset({1}), runs=frozenset({"own", "back"})),
        "own": WorkflowContract("own"),
    },
    own="own",
)  # fmt: skip


def sub(workflow: str = "summary", inputs: Any = None, **more: Any) -> dict[str, Any]:
    inputs = {"text": "x"} if inputs is None else inputs
    return node("sub", "subworkflow", settings={"workflow": workflow, "inputs": inputs, **more})


A, B = node("a"), node("b")
INNER = node("inner", parent="each")
CHOICE = node("c", "condition", settings={"condition": "true"})
CASES: list[tuple[str, Any, str | None, str, str]] = [
    # code, definition, node, path, a part of the message
    ("not_an_object", [], None, "", "JSON object"),
    ("unknown_format", {**definition(), "format": "other/1"}, None, "format", "other/1"),
    ("missing_key", {"name": "A", "nodes": [A]}, None, "format", "format"),
    ("missing_key", {"format": "ensemble.workflow/1", "nodes": [A]}, None, "name", "name"),
    ("missing_key", definition({"id": "a", "settings": {}}), "a", "nodes[0].type", "A node needs the key type"),
    ("missing_key", definition(node("a", "set", settings={})), "a", "nodes[0].settings.variables", "a needs the setting variables"),
    ("unknown_key", definition(nme="x"), None, "nme", "Did you mean name?"),
    ("unknown_key", definition(node("a", retyr={})), "a", "nodes[0].retyr", "not a key of a node. Did you mean retry?"),
    ("unknown_key", definition(node("a", retry={"tries": 3})), "a", "nodes[0].retry.tries", "not a key of retry"),
    ("unknown_key", definition(node("a", settings={"seconds": 1, "minutes": 2})), "a", "nodes[0].settings.minutes", "delay"),
    ("unknown_key", definition(A, B, edges=[{**edge("a", "b"), "via": 1}]), None, "edges[0].via", "an edge"),
    ("invalid_value", definition(settings={"max_parallel": 0}), None, "settings.max_parallel", "greater than or equal to 1"),
    ("invalid_value", definition(node("a", retry={"max_attempts": "x"})), "a", "nodes[0].retry.max_attempts", "'x'"),
    ("invalid_value", definition(node("a", join={"rule": "some"})), "a", "nodes[0].join.rule", "'n_of_m' or 'all_settled'"),
    ("no_nodes", definition(edges=[]) | {"nodes": []}, None, "nodes", "no nodes"),
    ("too_many_nodes", definition(*(node(f"n{i}") for i in range(2001)), edges=[]), None, "nodes", "2,000"),
    ("invalid_id", definition(node("Legal review")), "Legal review", "nodes[0].id", "Perhaps legal_review?"),
    ("reserved_id", definition(node("inputs")), "inputs", "nodes[0].id", "meaning of its own"),
    ("reserved_id", definition(node("while")), "while", "nodes[0].id", "meaning of its own"),
    ("duplicate_id", definition(A, B, A, edges=chain("a", "b")), "a", "nodes[2].id", "the 1st and the 3rd"),
    ("unknown_node", definition(A, B, edges=[edge("a", "c"), edge("a", "b")]), "a", "edges[0].target", "no node c"),
    ("unknown_node", definition(node("review"), edges=[edge("reviw", "review")]), "review", "edges[0].source", "Did you mean review?"),
    ("unknown_node", definition(node("a", parent="lop")), "a", "nodes[0].parent", "no node lop"),
    ("unknown_type", definition(node("a", "dely")), "a", "nodes[0].type", "Did you mean delay?"),
    ("not_a_container", definition(A, node("b", parent="a"), edges=[]), "b", "nodes[1].parent", "a is no loop"),
    ("parent_cycle", definition({**loop("x"), "parent": "y"}, {**loop("y"), "parent": "x"}, edges=[]), "x", "nodes[0].parent", "x in y in x"),
    ("empty_container", definition(loop()), "each", "nodes[0]", "no nodes in it"),
    ("unknown_port", definition(node("c", "condition"), B, edges=[edge("c", "b", "treu")]), "c", "edges[0].port", "Did you mean true?"),
    ("unknown_port", definition(node("f", "fail", settings={"message": "m"}), B, edges=[edge("f", "b")]), "f", "edges[0].port", "only the port error"),
    ("duplicate_edge", definition(A, B, edges=[edge("a", "b"), edge("a", "b")]), "a", "edges[1]", "twice"),
    ("edge_across_loop", definition(loop(), node("in", parent="each") | {"id": "inner"}, edges=[edge("each", "inner")]), "each", "edges[0]", "start by themselves"),
    ("edge_across_loop", definition(loop(), node("inner", parent="each"), A, edges=[edge("inner", "a")]), "inner", "edges[0]", "Leave the loop by an edge from each"),
    ("cycle", definition(A, B, node("c"), edges=[edge("a", "b"), edge("b", "c"), edge("c", "b")]), "b", "edges[2]", "b → c → b"),
    ("cycle", definition(A, edges=[edge("a", "a")]), "a", "edges[0]", "a → a"),
    ("unreachable", definition(A, B, node("c"), edges=[edge("a", "b", "nope"), edge("b", "c")]), "c", "nodes[2]", "waits for b, which can never run"),
    ("unconnected", definition(A, B, node("c"), edges=[edge("a", "b")]), "c", "nodes[2]", "starts at once"),
    ("join_never_fires", definition(node("j", "join", settings={}), A, edges=[edge("j", "a")]), "j", "nodes[0]", "no edge leads to it"),
    ("join_never_fires", definition(A, node("b", join={"rule": "any"})), "b", "nodes[1].join", "only one edge leads to it"),
    ("join_never_fires", definition(A, B, join(rule="n_of_m", count=3), edges=[edge("a", "j"), edge("b", "j")]), "j", "nodes[2].join.count", "3 branches must come, but only 2 edges lead to it"),
    ("join_never_fires", definition(CHOICE, A, B, join(rule="n_of_m", count=2), edges=[edge("c", "a", "true"), edge("c", "b", "false"), edge("a", "j"), edge("b", "j")]), "j", "nodes[3].join.count", "at most 1 can in the same run"),
    ("missing_key", definition(A, join(rule="n_of_m"), edges=[edge("a", "j")]), "j", "nodes[1].join.count", "needs the key count"),
    ("invalid_value", definition(A, join(rule="n_of_m", count=0), edges=[edge("a", "j")]), "j", "nodes[1].join.count", "greater than or equal to 1"),
    ("invalid_value", definition(A, join(combine="first"), edges=[edge("a", "j")]), "j", "nodes[1].join.combine", "object, list or one {{ expression }}"),
    ("not_in_effect", definition(A, join(count=2), edges=[edge("a", "j")]), "j", "nodes[1].join.count", "belongs to the rule n_of_m"),
    ("not_in_effect", definition(A, node("b", join={"combine": "list"})), "b", "nodes[1].join.combine", "only join nodes combine"),
    ("not_in_effect", definition(A, join(combine="list") | {"settings": {"outputs": {"x": "1"}}}, edges=[edge("a", "j")]), "j", "nodes[1].join.combine", "its setting outputs"),
    ("unknown_field", definition(A, join(combine="{{ branches.b.outputs }}"), edges=[edge("a", "j")]), "j", "nodes[1].join.combine", "no branch b here"),
    ("unknown_field", definition(A, join(combine="{{ branches.a.result }}"), edges=[edge("a", "j")]), "j", "nodes[1].join.combine", "it has status, outputs, error"),
    ("unknown_reference", definition(delay("a", "{{ branches.b.outputs.n }}")), "a", "nodes[0].settings.seconds", "branches is known only where"),
    ("expression_syntax", definition(A, join(combine="{{ 1 + }}"), edges=[edge("a", "j")]), "j", "nodes[1].join.combine", "combine"),
    ("outside_loop", definition(A, node("stop", "break")), "stop", "nodes[1]", "breaks no loop"),
    ("missing_key", definition(node("each", "loop"), INNER, edges=[]), "each", "nodes[0].settings", "items (once for each) or the setting while"),
    ("invalid_setting", definition(loop(**{"while": "loop.index < 3"}), INNER, edges=[]), "each", "nodes[0].settings.while", "has items and while"),
    ("invalid_setting", definition(repeat("loop.index < 3", mode="parallel"), INNER, edges=[]), "each", "nodes[0].settings.mode", "one after the other"),
    ("invalid_setting", definition(repeat(" "), INNER, edges=[]), "each", "nodes[0].settings.while", "is empty"),
    ("invalid_setting", definition(repeat("loop.index < 3", max_iterations=20_000), INNER, edges=[]), "each", "nodes[0].settings.max_iterations", "less than or equal to 10000"),
    ("not_in_effect", definition(loop(max_iterations=5), INNER, edges=[]), "each", "nodes[0].settings.max_iterations", "once for each item"),
    ("loop_never_ends", definition(repeat("inputs.text != ''"), INNER, edges=[]), "each", "nodes[0].settings.while", "can never change"),
    ("loop_never_ends", definition(repeat("loop.previous < 3"), INNER, edges=[]), "each", "nodes[0].settings.while", "can never change"),
    ("not_upstream", definition(repeat("inner.outputs.seconds < 3"), INNER, edges=[]), "each", "nodes[0].settings.while", "has not run yet when this is asked"),
    ("expression_syntax", definition(repeat("1 +"), INNER, edges=[]), "each", "nodes[0].settings.while", "while"),
    ("approval_bypassed", definition(A, approval(), B, edges=[edge("a", "legal"), edge("legal", "b", "approve"), edge("a", "b")]), "b", "nodes[2]", "round the approval"),
    ("approval_bypassed", definition(approval(), B, edges=[edge("legal", "b", "approve"), edge("legal", "b", "error")]), "legal", "edges[1]", "as though it had been decided"),
    ("invalid_setting", definition(node("a", settings={"seconds": -1})), "a", "nodes[0].settings.seconds", "greater than or equal to 0"),
    ("invalid_setting", definition(node("c", "condition", settings={"condition": True})), "c", "nodes[0].settings.condition", "written as text"),
    ("invalid_setting", definition(node("s", "switch", settings={"cases": [{"port": "x", "when": "true"}] * 2})), "s", "nodes[0].settings.cases", "same port"),
    ("invalid_setting", definition({**loop(), "escalate": {"role": "x"}}, node("in1", parent="each"), edges=[]), "each", "nodes[0].escalate", "Let the nodes inside"),
    ("not_in_effect", definition(node("a", escalate={"role": "x"}, optional=True), B), "a", "nodes[0].escalate", "is optional"),
    ("not_in_effect", definition(node("a", escalate={"role": "x", "user": "ann"}), B), "a", "nodes[0].escalate.role", "ann alone"),
    ("expression_syntax", definition(node("c", "condition", settings={"condition": "1 +"})), "c", "nodes[0].settings.condition", "(line 1, column 4)"),
    ("template_syntax", definition(delay("a", "{{ 1")), "a", "nodes[0].settings.seconds", "no }} that closes it"),
    ("unknown_function", definition(delay("a", "{{ siez('a') }}")), "a", "nodes[0].settings.seconds", "Did you mean size?"),
    ("expression_limit", definition(delay("a", "{{ " + "(" * 50 + "1" + ")" * 50 + " }}")), "a", "nodes[0].settings.seconds", "32 levels"),
    ("unknown_reference", definition(A, delay("b", "{{ aa.outputs.seconds }}")), "b", "nodes[1].settings.seconds", "nothing called aa here. Did you mean a?"),
    ("unknown_reference", definition(A, outputs={"x": "{{ aa.outputs }}"}), None, "outputs.x", "nothing called aa"),
    ("not_upstream", definition(delay("a", "{{ b.outputs.seconds }}"), B), "a", "nodes[0].settings.seconds", "b runs after a"),
    ("not_upstream", definition(A, delay("b", "{{ a.outputs.seconds }}"), edges=[]), "b", "nodes[1].settings.seconds", "no path leads from it to b"),
    ("not_upstream", definition(delay("a", "{{ a.outputs.seconds }}")), "a", "nodes[0].settings.seconds", "cannot refer to itself"),
    ("not_upstream", definition(loop(), delay("inner", "{{ each.outputs.count }}", parent="each"), edges=[]), "inner", "nodes[1].settings.seconds", "before it has ended"),
    ("not_upstream", definition(A, delay("b", "{{ error.code }}")), "b", "nodes[1].settings.seconds", "behind the port error"),
    ("outside_loop", definition(delay("a", "{{ loop.item }}")), "a", "nodes[0].settings.seconds", "only inside of a loop"),
    ("outside_loop", definition(loop(), node("inner", parent="each"), delay("b", "{{ inner.outputs.seconds }}"), edges=[edge("each", "b")]), "b", "nodes[2].settings.seconds", "each.outputs.items"),
    ("unknown_field", definition(delay("a", "{{ inputs.tex }}"), inputs={"type": "object", "properties": {"text": {}}}), "a", "nodes[0].settings.seconds", "Did you mean text?"),
    ("unknown_field", definition(A, delay("b", "{{ a.outputs.second }}")), "b", "nodes[1].settings.seconds", "Did you mean seconds?"),
    ("unknown_field", definition(A, delay("b", "{{ a.result }}")), "b", "nodes[1].settings.seconds", "in a.outputs"),
    ("unknown_field", definition(ask(), delay("b", "{{ ask.outputs.scroe }}")), "b", "nodes[1].settings.seconds", "Did you mean score?"),
    ("unknown_field", definition(ask(), delay("b", "{{ ask.outputs.rows[0].total }}")), "b", "nodes[1].settings.seconds", "in ask.outputs.rows[0]"),
    ("unknown_field", definition(ask(), delay("b", "{{ ask.outputs.score.value }}")), "b", "nodes[1].settings.seconds", "is a number and has no value"),
    ("unknown_field", definition(loop(), delay("inner", "{{ loop.itm }}", parent="each"), edges=[]), "inner", "nodes[1].settings.seconds", "item, index, previous and parent"),
    ("unknown_variable", definition(delay("a", "{{ vars.currncy }}"), variables={"currency": {"type": "string"}}), "a", "nodes[0].settings.seconds", "Did you mean currency?"),
    ("unknown_workflow", definition(sub("sumary")), "sub", "nodes[0].settings.workflow", "Did you mean summary?"),
    ("workflow_archived", definition(sub("away", {})), "sub", "nodes[0].settings.workflow", "Restore it first"),
    ("unknown_workflow_version", definition(sub("draft")), "sub", "nodes[0].settings.workflow", "Publish it first"),
    ("unknown_workflow_version", definition(sub(version=2)), "sub", "nodes[0].settings.version", "It has 1, 3."),
    ("recursion", definition(sub("own", {})), "sub", "nodes[0].settings.workflow", "own → own"),
    ("recursion", definition(sub("back", {})), "sub", "nodes[0].settings.workflow", "own → back → on → own"),
    ("missing_input", definition(sub(inputs={})), "sub", "nodes[0].settings.inputs.text", "summary needs the input text"),
    ("unknown_input", definition(sub(inputs={"text": "", "txt": 1})), "sub", "nodes[0].settings.inputs.txt", "Did you mean text?"),
    ("invalid_input", definition(sub(inputs={"text": 1})), "sub", "nodes[0].settings.inputs.text", "summary does not take"),
    ("unknown_field", definition(sub(), outputs={"s": "{{ sub.outputs.sumary }}"}), None, "outputs.s", "Did you mean summary?"),
    ("unknown_agent", definition(ask(agent="analist")), "ask", "nodes[0].settings.agent", "Did you mean analyst?"),
    ("agent_offline", definition(ask(agent="gone")), "ask", "nodes[0].settings.agent", "offline"),
    ("agent_deprecated", definition(ask(agent="old")), "ask", "nodes[0].settings.agent", "Use analyst instead"),
    ("unknown_agent_version", definition(ask(version=9)), "ask", "nodes[0].settings.version", "no version 9"),
    ("unknown_agent_version", definition(ask(agent="unpublished")), "ask", "nodes[0].settings.version", "no published version"),
    ("unknown_agent", definition(ask(alternatives=["raeder"])), "ask", "nodes[0].settings.alternatives[0]", "Did you mean reader?"),
    ("alternative_differs", definition(ask(alternatives=["reader"])), "ask", "nodes[0].settings.alternatives[0]", "does not quite stand in for analyst"),
    ("missing_input", definition(ask(inputs={"pages": 1})), "ask", "nodes[0].settings.inputs.document", "What to read."),
    ("unknown_input", definition(ask(inputs={"document": "x", "page": 1})), "ask", "nodes[0].settings.inputs.page", "Did you mean pages?"),
    ("invalid_input", definition(ask(inputs={"document": "x", "pages": "many"})), "ask", "nodes[0].settings.inputs.pages", "must be a whole number"),
    ("unknown_shared_key", definition(ask(context={"read": ["customer"]})), "ask", "nodes[0].settings.context.read[0]", "which no agent of this workflow writes"),
    ("invalid_schema", definition(inputs={"type": "object", "properties": {"a": {"type": "strin"}}}), None, "inputs.properties.a.type", "string"),
    ("invalid_schema", definition(inputs={"type": "array"}), None, "inputs.type", "object"),
    ("invalid_schema", definition(variables={"v": {"type": "number", "default": "x"}}), None, "variables.v", "default"),
    ("invalid_name", definition(outputs={"the proposal": 1}), None, "outputs.the proposal", "no name for an output"),
    ("not_in_effect", definition(settings={"budget": {"usd": 5}}), None, "settings.budget", "nothing is stopped"),
    ("handler_misused", definition(A, handler(), B, edges=[edge("a", "h")]), "h", "edges[0]", "only the error handler h"),
    ("handler_misused", definition(A, handler(), handler("i"), edges=[]), "i", "nodes[2]", "two error handlers: h and i"),
    ("handler_misused", definition(handler(), A, edges=[edge("h", "a")]), "h", "nodes[0]", "nothing besides its path"),
    ("not_undone", definition(sub("booking", {})), "sub", "nodes[0]", "name a node that undoes it"),
    ("compensation_misused", definition(A, node("b", compensate_with="a")), "b", "nodes[1].compensate_with", "remove its edges"),
    ("compensation_misused", definition(A, node("b", compensate_with="b")), "b", "nodes[1].compensate_with", "cannot undo itself"),
    ("compensation_misused", definition(node("a", compensate_with="u"), node("b", compensate_with="u"), node("u"), edges=[edge("a", "b")]), "b", "nodes[1].compensate_with", "undoes a already"),
    ("compensation_misused", definition(loop(), node("inner", parent="each", compensate_with="u"), node("u"), edges=[]), "inner", "nodes[1].compensate_with", "same body"),
    ("not_upstream", definition(delay("a", "{{ undone.outputs.seconds }}"), B), "a", "nodes[0].settings.seconds", "compensate_with"),
    ("unknown_field", definition(node("a", compensate_with="u"), B, delay("u", "{{ undone.outputs.minutes }}"), edges=[edge("a", "b")]), "u", "nodes[2].settings.seconds", "no minutes"),
    ("too_large", definition(description=[[]]) | {"inputs": __import__("functools").reduce(lambda v, _: [v], range(80), [])}, None, "", "nested deeper"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "body", "at", "path", "part"), CASES, ids=[f"{case[0]}-{number}" for number, case in enumerate(CASES)]
)
def test_the_problem_is_found_at_its_place(code, body, at, path, part):
    found = [
        problem
        for problem in validate(body, agents=AGENTS, workflows=WORKFLOWS)
        if (problem.code, problem.path) == (code, path)
    ]
    assert found, [(p.code.value, p.path, p.message) for p in validate(body, agents=AGENTS, workflows=WORKFLOWS)]
    assert found[0].node == at
    assert part in found[0].message
    assert found[0].message[-1] in ".?)"


def test_the_table_has_every_code():
    told_by_text = {Code.DUPLICATE_KEY}  # of the text, not of the definition: tests/definition/test_places.py
    assert {case[0] for case in CASES} == {code.value for code in Code if code not in told_by_text}


WARNINGS = {"unconnected", "loop_never_ends", "approval_bypassed", "agent_deprecated", "not_in_effect", "not_undone"}


def test_warnings_keep_nothing_from_being_published():
    for code, body, *_ in CASES:
        for problem in validate(body, agents=AGENTS, workflows=WORKFLOWS):
            if problem.code in WARNINGS:
                assert problem.severity is Severity.WARNING, code


# What must not be a problem

RIGHT: dict[str, Any] = {
    "a chain": definition(A, delay("b", "{{ a.outputs.seconds }}"), delay("c", "{{ a.outputs.seconds + b.outputs.seconds }}")),
    "a subworkflow": definition(sub(), outputs={"s": "{{ sub.outputs.summary }}"}),
    "a subworkflow that is undone": definition(sub("booking", {}) | {"compensate_with": "u"}, node("u"), edges=[]),
    "a subworkflow whose version undoes nothing": definition(sub("booking", {}, version=1)),
    "a subworkflow that undoes": definition(A | {"compensate_with": "sub"}, sub("booking", {}), edges=[]),
    "parallel nodes only": definition(A, B, edges=[]),
    "a loop": definition(
        A,
        loop(items="range(3)", output="{{ second.outputs.seconds }}"),
        delay("first", "{{ loop.item + loop.index + a.outputs.seconds }}", parent="each"),
        delay("second", "{{ first.outputs.seconds }}", parent="each"),
        delay("end", "{{ each.outputs.count }}"),
        edges=[edge("a", "each"), edge("first", "second"), edge("each", "end")],
        outputs={"all": "{{ each.outputs.items }}", "nested": {"n": ["{{ end.outputs.seconds }}"]}},
    ),
    "loops in loops": definition(
        loop(), {**loop("inner"), "parent": "each"}, delay("x", "{{ loop.parent.item }}", parent="inner"), edges=[]
    ),
    "a loop that repeats": definition(
        repeat("vars.score < 3 && loop.index < 10", output="{{ inner.outputs.seconds }}"),
        node("inner", "set", settings={"variables": {"score": "{{ vars.score + 1 }}"}}, parent="each"),
        variables={"score": {"type": "number", "default": 0}}, edges=[],
        outputs={"how": "{{ each.outputs.ended_by }}"},
    ),
    "a loop that goes on from what it gave": definition(
        repeat("loop.previous != 5", output="{{ inner.outputs.seconds }}"), INNER, edges=[],
    ),
    "a loop that watches the shared context": definition(
        repeat("size(shared.draft) < 100"),
        node("inner", "agent", settings={"agent": "analyst", "inputs": {"document": "x"}, "context": {"may_write": ["draft"]}}, parent="each"),
        edges=[],
    ),
    "a loop that is broken": definition(
        repeat("true"), node("inner", "condition", parent="each"),
        node("stop", "break", parent="each", settings={"result": "{{ loop.index }}"}), edges=[edge("inner", "stop", "true")],
    ),
    "joins": definition(
        A, B, node("c"), join(rule="n_of_m", count=2, combine="{{ {'first': branches.a.outputs, 'how': branches.b.status} }}"),
        edges=[edge("a", "j"), edge("b", "j"), edge("c", "j")],
    ),
    "error port": definition(
        ask(), delay("b", "{{ size(error.message) }}"), edges=[edge("ask", "b", "error")]
    ),
    "agent with a template for a number": definition(
        ask(inputs={"document": "{{ inputs.t }}", "pages": "{{ 1 + 1 }}"}), inputs={"type": "object", "properties": {"t": {}}}
    ),
    "optional references": definition(A, delay("b", "{{ has(a.outputs.nothing) ? 1 : a.outputs.?nothing.orValue(2) }}")),
    "an approval asked only in doubt": definition(
        node("doubt", "condition"), approval(), B,
        edges=[edge("doubt", "legal", "true"), edge("doubt", "b", "false"), edge("legal", "b", "approve")],
    ),
    "a refusal that fails": definition(
        A, approval(), B, node("no", "fail", settings={"message": "No."}), node("price"),
        edges=[edge("a", "legal"), edge("a", "price"), edge("price", "b"), edge("legal", "b", "approve"), edge("legal", "no", "reject")],
    ),
    "variables": definition(
        node("s", "set", settings={"variables": {"n": 2}}), delay("b", "{{ vars.n + vars.m }}"),
        variables={"m": {"type": "number", "default": 1}, "n": {"type": "number"}},
    ),
    "an element of any object": definition(
        ask(), delay("b", "{{ inputs.more.anything }}"),
        inputs={"type": "object", "properties": {"more": {"type": "object"}}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("body", RIGHT.values(), ids=RIGHT.keys())
def test_what_is_right_has_no_problems(body):
    assert [(p.code.value, p.path, p.message) for p in validate(body, agents=AGENTS, workflows=WORKFLOWS)] == []


def test_all_problems_come_at_once():
    wrong = definition(
        ask("one", agent="analist"),
        node("two", "dely"),
        delay("three", "{{ on.outputs }}"),
        edges=[edge("one", "two"), edge("two", "one"), edge("three", "nowhere")],
        nme="x",
        inputs={"type": "strng"},
    )
    codes = {problem.code.value for problem in validate(wrong, agents=AGENTS, workflows=WORKFLOWS)}
    assert codes >= {
        "unknown_agent", "unknown_type", "unknown_reference", "cycle", "unknown_node", "unknown_key", "invalid_schema",
    }  # fmt: skip


@pytest.mark.parametrize("junk", [None, 5, "x", {}, {"nodes": 5, "edges": "x"}, {"nodes": [None, 1, [], {}], "edges": [[]]},
    {"nodes": [{"id": [], "type": {}, "settings": 5}], "inputs": 5, "variables": [], "outputs": 7, "settings": []},
    {"nodes": [{"id": "a", "type": "switch", "settings": {"cases": [None, 5, {"port": []}]}}], "edges": [{"source": "a", "port": 5, "target": "a"}]},
    {"nodes": [{"id": "a", "type": "agent", "settings": {"agent": [], "inputs": 5, "version": "x"}}], "edges": []},
    {"nodes": [{"id": "a", "type": "approval", "settings": {"options": 5}}], "edges": []},
    {"nodes": [{"id": "a", "type": "set", "settings": {"variables": 5}}], "variables": {"x": 5, "": {}}},
])  # fmt: skip
def test_junk_breaks_nothing(junk):
    assert validate(junk, agents=AGENTS, workflows=WORKFLOWS)


def test_a_thousand_nodes_take_less_than_a_second():
    many = [delay(f"n{i}", f"{{{{ n{i - 1}.outputs.seconds + inputs.n }}}}" if i else 1) for i in range(1000)]
    body = definition(*many, inputs={"type": "object", "properties": {"n": {"type": "number"}}})
    validate(body, agents={})  # compiled expressions are kept; what a page meets is the second time
    begun = time.process_time()
    assert validate(body, agents={}) == []
    assert time.process_time() - begun < 1


def test_a_key_that_nobody_writes_is_a_warning():
    from orchestration.definition.sharing import check
    from orchestration.definition.view import View

    def node(id, **context):
        return {"id": id, "type": "agent", "settings": {"agent": "x", "context": context}}

    nodes = [
        node("a", write={"customer": "{{ outputs.c }}", "draft/1": "{{ outputs.d }}"}, may_write=["notes/*"]),
        node("b", read=["customer", "draft/*", "notes/2", "*", "costumer", "plan/*"]),
    ]
    found = list(check(View.of({"nodes": nodes, "edges": []})))
    assert [(one.code, one.node, one.place[-1], one.is_error) for one in found] == [
        ("unknown_shared_key", "b", 4, False),
        ("unknown_shared_key", "b", 5, False),
    ]
    assert "Did you mean customer?" in found[0].message
