"""Loops: what they repeat over, breaks outside of them, and conditions that can never change."""

from __future__ import annotations

from collections.abc import Iterator

from orchestration.definition.problems import Code, Problem, Severity
from orchestration.definition.view import NodeView, View
from orchestration.expressions.errors import ExpressionError
from orchestration.expressions.names import Reference
from orchestration.expressions.templates import references_of_late


def check(view: View) -> Iterator[Problem]:
    for node in view.nodes.values():
        if node.type == "break":
            yield from _break(view, node)
        if node.type == "loop":
            yield from _kind(node)
            yield from _never_ends(view, node)


def _break(view: View, node: NodeView) -> Iterator[Problem]:
    around = view.nodes.get(node.parent) if node.parent else None
    if around is None or around.type != "loop":
        message = f"{node.id} breaks no loop: it stands outside of any. Set its parent to the loop it is to end."
        yield Problem(Code.OUTSIDE_LOOP, message, node.id, node.place)


def _kind(node: NodeView) -> Iterator[Problem]:
    settings, place = node.settings, (*node.place, "settings")
    if "items" not in settings and "while" not in settings:
        message = f"{node.id} needs the setting items (once for each) or the setting while (as long as it holds)."
        yield Problem(Code.MISSING_KEY, message, node.id, place)
    elif "items" in settings and "while" in settings:
        message = f"{node.id} has items and while; a loop goes by one of them. A break can end a loop over items early."
        yield Problem(Code.INVALID_SETTING, message, node.id, (*place, "while"))
    elif "while" in settings and settings.get("mode") == "parallel":
        message = f"{node.id} repeats while a condition holds, so its iterations come one after the other."
        yield Problem(Code.INVALID_SETTING, message, node.id, (*place, "mode"))
    elif "while" in settings and not str(settings["while"]).strip():
        yield Problem(Code.INVALID_SETTING, f"The condition of {node.id} is empty.", node.id, (*place, "while"))
    elif "max_iterations" in settings and "while" not in settings:
        message = f"max_iterations has no effect on {node.id}: it runs once for each item."
        yield Problem(Code.NOT_IN_EFFECT, message, node.id, (*place, "max_iterations"), Severity.WARNING)


def _never_ends(view: View, node: NodeView) -> Iterator[Problem]:
    """Warn where nothing in the body could change what the condition reads."""
    condition = node.settings.get("while")
    if not isinstance(condition, str) or not condition.strip():
        return
    body = list(_inside(view, node))
    if any(item.type == "break" and item.parent == node.id for item in body):
        return
    try:
        read = list(references_of_late(condition))
    except ExpressionError:
        return  # references.py says what is wrong with it
    if not any(_may_change(reference, node, body) for reference in read):
        message = (
            f"The condition of {node.id} can never change: nothing inside sets what it reads, and it asks "
            "neither for loop.index nor for loop.previous. If it holds once the loop fails in the end."
        )
        yield Problem(Code.LOOP_NEVER_ENDS, message, node.id, (*node.place, "settings", "while"), Severity.WARNING)


def _may_change(reference: Reference, loop: NodeView, body: list[NodeView]) -> bool:
    step = reference.path[0] if reference.path else None
    match reference.root:
        case "loop":
            gives = bool(loop.settings.get("output"))
            return step in (None, "index") or (step == "previous" and gives)
        case "vars":
            named = [item.settings.get("variables") for item in body if item.type == "set"]
            return any(isinstance(names, dict) and (step is None or step in names) for names in named)
        case "shared":
            granted = [item.settings.get("context") for item in body if item.type == "agent"]
            return any(isinstance(grants, dict) and ("write" in grants or "may_write" in grants) for grants in granted)
    return False


def _inside(view: View, loop: NodeView) -> Iterator[NodeView]:
    """The nodes of the body, with those of loops within."""
    return (node for node in view.nodes.values() if any(around.id == loop.id for around in view.parents(node)))
