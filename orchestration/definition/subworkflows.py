"""Nodes that run workflows: the workflow is there and published, it does not lead back here, its inputs are given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from orchestration.definition.agents import check_inputs
from orchestration.definition.contracts import Contract, WorkflowContract, Workflows
from orchestration.definition.problems import Code, Problem, Severity, did_you_mean
from orchestration.definition.view import NodeView, View


def check(view: View, workflows: Workflows) -> Iterator[Problem]:
    for node in view.nodes.values():
        if node.type == "subworkflow" and isinstance(node.settings.get("workflow"), str) and node.settings["workflow"]:
            yield from _subworkflow(node, workflows)
            if not node.raw.get("compensate_with") and node.id not in view.undoes:
                yield from _left_as_it_is(node, workflows)


def contract_of(node: NodeView, workflows: Workflows | None) -> Contract | None:
    """What the workflow that a node runs takes and gives, where it is known."""
    slug, version = node.settings.get("workflow"), node.settings.get("version")
    if workflows is None or node.type != "subworkflow" or not isinstance(slug, str) or slug not in workflows.known:
        return None
    return workflows.known[slug].contract(version if isinstance(version, int) else None)


def _subworkflow(node: NodeView, workflows: Workflows) -> Iterator[Problem]:
    slug, place = node.settings["workflow"], (*node.place, "settings", "workflow")
    found = workflows.known.get(slug)
    if slug == workflows.own:
        yield Problem(Code.RECURSION, f"A workflow cannot run itself: {slug} → {slug}.", node.id, place)
        return
    if found is None:
        message = f"There is no workflow {slug}.{did_you_mean(slug, workflows.known.keys() - {workflows.own})}"
        yield Problem(Code.UNKNOWN_WORKFLOW, message, node.id, place)
        return
    if found.archived:
        message = f"The workflow {slug} is archived. Restore it first, or run another."
        yield Problem(Code.WORKFLOW_ARCHIVED, message, node.id, place)
    way = _way_to(workflows.own, slug, workflows.known)
    if way:
        message = f"A workflow cannot run itself: {' → '.join([workflows.own, *way])}."
        yield Problem(Code.RECURSION, message, node.id, place)
    contract = contract_of(node, workflows)
    if contract is None:
        yield _no_version(node, found)
    else:
        yield from check_inputs(node, slug, contract.inputs)


def _left_as_it_is(node: NodeView, workflows: Workflows) -> Iterator[Problem]:
    """What knows how to undo its steps leads one to expect more than happens: it does so only while it is under way."""
    slug, version = node.settings["workflow"], node.settings.get("version")
    found = workflows.known.get(slug)
    if found is not None and found.undoes(version if isinstance(version, int) else None):
        message = (
            f"The workflow {slug} undoes its steps when it is cut short. Once it has completed it stays as it is,"
            f" even if this workflow is undone: let {node.id} name a node that undoes it (compensate_with)."
        )
        yield Problem(Code.NOT_UNDONE, message, node.id, node.place, Severity.WARNING)


def _no_version(node: NodeView, found: WorkflowContract) -> Problem:
    version = node.settings.get("version")
    if isinstance(version, int) and found.numbers:
        message = f"The workflow {found.slug} has no version {version}. It has {_some(sorted(found.numbers))}."
        return Problem(Code.UNKNOWN_WORKFLOW_VERSION, message, node.id, (*node.place, "settings", "version"))
    message = f"The workflow {found.slug} has no published version. Publish it first."
    return Problem(Code.UNKNOWN_WORKFLOW_VERSION, message, node.id, (*node.place, "settings", "workflow"))


def _some(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[-8:])) if len(numbers) <= 8 else f"{numbers[0]} to {numbers[-1]}"


def _way_to(goal: str, start: str, known: Mapping[str, WorkflowContract]) -> list[str]:
    """The shortest chain of published workflows from `start` that ends at `goal`; empty if there is none."""
    if not goal:
        return []
    came_from: dict[str, str] = {start: ""}
    level = [start]
    while level:
        following = []
        for slug in level:
            for inner in sorted(known[slug].runs) if slug in known else ():
                if inner == goal:
                    return [*_back(slug, came_from), goal]
                if inner not in came_from:
                    came_from[inner] = slug
                    following.append(inner)
        level = following
    return []


def _back(slug: str, came_from: Mapping[str, str]) -> list[str]:
    way = [slug]
    while came_from[way[-1]]:
        way.append(came_from[way[-1]])
    return way[::-1]
