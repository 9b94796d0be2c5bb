"""The shared context of a run: keys that agents write for others to read.

What is written counts with the success of the node that writes it, in its commit. Of several that write a key the last
commit wins; the log keeps what each wrote.

It has layers. One is the run's. Each iteration of a loop that runs several side by side has a layer of its own, on top
of the one around the loop: what is written there is seen in that iteration alone, and gone when it ends, so that
iterations do not step on each other. A loop that goes one after the other writes to the layer around it: each iteration
sees what the one before has left.
"""

from __future__ import annotations

from orchestration.engine.events import NodeSucceeded
from orchestration.engine.scopes import TOP, ScopeKey
from orchestration.engine.states import RunState, SharedEntry


def write(state: RunState, event: NodeSucceeded) -> None:
    layer = state.shared.setdefault(layer_of(state, state.scope_of(event.key)), {})
    agent = (event.usage or {}).get("agent") or str(state.graph.nodes[event.node].settings.get("agent", ""))
    for name, value in event.shared.items():
        before = layer.get(name)
        layer[name] = SharedEntry(
            value=value,
            node=event.node,
            path=event.path,
            agent=agent,
            at=event.at,
            writes=before.writes + 1 if before else 1,
        )


def layer_of(state: RunState, scope_key: ScopeKey) -> ScopeKey:
    """Where a node of this body writes: the innermost iteration that has others beside it, else the run."""
    loop, path = scope_key
    while loop is not None:
        opened = state.node((loop, path[:-1])).loop
        if opened is not None and opened.limit > 1:
            return (loop, path)
        loop, path = state.graph.nodes[loop].parent, path[:-1]
    return TOP


def visible(state: RunState, scope_key: ScopeKey) -> dict[str, SharedEntry]:
    """What is seen from a body: its layer over those around it."""
    if not state.shared:
        return {}
    around = [scope_key]
    while (loop := around[-1][0]) is not None:
        around.append((state.graph.nodes[loop].parent, around[-1][1][:-1]))
    found: dict[str, SharedEntry] = {}
    for layer in reversed(around):
        found |= state.shared.get(layer, {})
    return found


def written_by(state: RunState, node: str) -> dict[str, SharedEntry]:
    """The run's keys that this node, or one inside of it, was the last to write: what goes with its result."""
    return {name: entry for name, entry in state.shared.get(TOP, {}).items() if _step_of(state, entry) == node}


def _step_of(state: RunState, entry: SharedEntry) -> str:
    """The node that wrote it, or the outermost loop around that."""
    return state.graph.outermost(entry.node) if entry.node in state.graph.nodes else entry.node
