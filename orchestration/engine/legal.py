"""Whether an event may come now: what the tables of moves (moves.py) say, and what they cannot.

Asked before anything is touched, so that an event which is refused changes nothing.
"""

from __future__ import annotations

from orchestration.engine import events, handlers, saga
from orchestration.engine.events import Event, NodeEvent
from orchestration.engine.ids import path_text
from orchestration.engine.moves import NODE_MOVES, RUN_MOVES, IllegalEvent
from orchestration.engine.states import LoopState, RunState
from orchestration.engine.statuses import UNDER_WAY, NodeStatus, RunStatus


def node_move(state: RunState, event: NodeEvent) -> NodeStatus:
    """The status the event leads to. Raises IllegalEvent."""
    node, path = event.key
    if state.status not in UNDER_WAY:
        raise IllegalEvent(f"{_words(event)} in a run that is {state.status}.")
    if state.compensation is not None:
        return _move_of_undoing(state, event)
    if node in state.graph.compensators:
        raise IllegalEvent(f"{_words(event)}: it undoes another node, and is no part of the normal flow.")
    if node not in state.graph.nodes or state.scope_of(event.key) not in state.scopes:
        raise IllegalEvent(f"{_words(event)}: there is no such node in the run, or its iteration is not open.")
    if isinstance(event, events.ErrorHandled) and handlers.free(state, state.scope_of(event.key)) != event.key:
        raise IllegalEvent(f"{_words(event)}: it is no error handler, or has begun.")
    parent = state.graph.nodes[node].parent
    if parent is not None and state.nodes[(parent, path[:-1])].status is not NodeStatus.RUNNING:
        raise IllegalEvent(f"{_words(event)}: the loop around it has ended.")
    node_run = state.nodes.get(event.key)
    before = node_run.status if node_run else NodeStatus.PENDING
    after = NODE_MOVES[before].get(type(event))
    if after is None:
        raise IllegalEvent(f"{_words(event)}, but the node run is {before}.")
    loop = node_run.loop if node_run else None
    if not _fits_loop(event, loop):
        raise IllegalEvent(f"{_words(event)} does not fit the iterations of the loop.")
    return after


def _move_of_undoing(state: RunState, event: NodeEvent) -> NodeStatus:
    left = state.compensation.left if state.compensation is not None else []
    if not left or event.key != saga.undoing(state, left[-1]):
        raise IllegalEvent(f"{_words(event)}: it is not what is being undone.")
    after = NODE_MOVES[state.node(event.key).status].get(type(event))
    if after is None or not _fits_loop(event, None):
        raise IllegalEvent(f"{_words(event)}, but the node run is {state.node(event.key).status}.")
    return after


def run_move(state: RunState, event: Event) -> RunStatus:
    """The status the event leads to. Raises IllegalEvent."""
    status = RUN_MOVES[state.status].get(type(event))
    if status is None:
        raise IllegalEvent(f"{type(event).__name__} in a run that is {state.status}.")
    if isinstance(event, events.RunMoved) and event.graph is None:
        raise IllegalEvent(f"RunMoved to a definition that is not at hand: {event.definition}.")
    return status


def _fits_loop(event: NodeEvent, loop: LoopState | None) -> bool:
    match event:
        case events.IterationStarted():
            fits = loop is not None and event.index == loop.started and not loop.ended_by
            return fits and loop is not None and event.index < (len(loop.items) if loop.most is None else loop.most)
        case events.IterationEnded():
            return loop is not None and event.index in loop.open and event.index not in loop.errors
        case events.LoopBroken():
            return loop is not None and event.index in loop.open and not loop.ended_by
        case events.LoopClosed():
            return loop is not None and loop.repeats and not loop.open and not loop.ended_by
        case events.LoopOpened() | events.NodeWaiting() | events.AttemptFailed() | events.AttemptAbandoned():
            return loop is None
        case _:
            return True


def _words(event: NodeEvent) -> str:
    where = f"[{path_text(event.path)}]" if event.path else ""
    return f"{type(event).__name__} of {event.node}{where}"
