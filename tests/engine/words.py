"""Events and commands as short sentences, so that a table of (definition, events, plan) can be read.

Events, for a node run `a` or `a[0]` (iteration 0 of the loop around it):

    a started · a succeeded · a succeeded yes · a failed · a failed busy (an attempt; busy is retryable) · a waits
    a waits 20 (seconds) · a resumed · a abandoned · a opened 3 · a opened 3/2 (items/limit) · a skipped · a cancelled
    a ended 1 (iteration) · a ended 1 nothing (yields nothing) · a repeats 9 (at most) · a holds · a closes · a errs
    (its condition) · a answered retry (a person, to an escalation) · paused · resumed · cancel requested
    5 seconds later

What must have come before in the life of one node run (it started, its iteration began) is filled in.
Commands: see `command_words`.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from orchestration.engine import events, loops
from orchestration.engine.apply import apply, begin
from orchestration.engine.commands import (
    CheckCondition,
    Command,
    CompleteRun,
    EndIteration,
    Record,
    ResumeNode,
    StartNode,
    StopNode,
)
from orchestration.engine.events import Event
from orchestration.engine.ids import Key, Path, path_of, path_text
from orchestration.engine.planner import plan
from orchestration.engine.states import RunState
from orchestration.engine.statuses import NodeStatus
from tests.engine.definitions import Definition
from tests.engine.simulator import BEGINNING, graph_of

NODE = re.compile(r"^(\w+)(?:\[([\d.]+)\])? (\w+)(?: (.+))?$")


class Story:
    """A run told in sentences. `now` is the time of the last one."""

    def __init__(self, definition: Definition, *told: str) -> None:
        self.state: RunState = begin(graph_of(definition), "run")
        self.now = BEGINNING
        self.record(events.RunStarted(at=self.now, inputs={}))
        self.tell(*told)

    def tell(self, *told: str) -> Story:
        for sentence in told:
            self._tell(sentence)
        return self

    def plan(self) -> list[str]:
        return [command_words(command, self.now) for command in plan(self.state, self.now)]

    def carry_out(self) -> list[str]:
        """Plan and record what follows without doing anything (facts, stops, ends), until something is to begin."""
        said: list[str] = []
        while commands := plan(self.state, self.now):
            done = [self._carry_out(command) for command in commands]
            said += [command_words(command, self.now) for command in commands]
            if not all(done):
                break
        return said

    def record(self, event: Event) -> None:
        apply(self.state, event)

    def _carry_out(self, command: Command) -> bool:
        match command:
            case Record(event):
                self.record(event)
            case StopNode(node, path, reason):
                self.record(events.NodeCancelled(at=self.now, node=node, path=path, reason=reason))
            case EndIteration(node, path, index):
                self.record(events.IterationEnded(at=self.now, node=node, path=path, index=index, result=index))
            case CompleteRun():
                self.record(events.RunCompleted(at=self.now))
            case _:
                return False
        return True

    def _tell(self, sentence: str) -> None:
        if match := re.fullmatch(r"([\d.]+) seconds later", sentence):
            self.now += timedelta(seconds=float(match[1]))
            return
        simple = {
            "paused": events.RunPaused(at=self.now),
            "resumed": events.RunResumed(at=self.now),
            "cancel requested": events.RunCancelRequested(at=self.now),
            "cancel with undo requested": events.RunCancelRequested(at=self.now, undo=True),
            "retried": events.RunRetried(at=self.now),
        }
        if sentence in simple:
            self.record(simple[sentence])
            return
        match = NODE.match(sentence)
        assert match, f"not a sentence: {sentence}"
        node, path, verb, rest = match[1], path_of(match[2] or ""), match[3], match[4] or ""
        self._lead_up_to((node, path), verb)
        self.record(self._node_event(node, path, verb, rest))

    def _lead_up_to(self, key: Key, verb: str) -> None:
        node, path = key
        undoes = node in self.state.graph.compensators
        if path and self.state.scope_of(key) not in self.state.scopes and not undoes:
            parent = self.state.graph.nodes[node].parent
            assert parent
            self.record(events.IterationStarted(at=self.now, node=parent, path=path[:-1], index=path[-1]))
        fresh = self.state.node(key).status in (NodeStatus.PENDING, NodeStatus.RETRYING)
        if verb in ("succeeded", "failed", "waits", "begins", "opened", "abandoned", "repeats") and fresh:
            self.record(self._node_event(node, path, "started", ""))

    def _node_event(self, node: str, path: Path, verb: str, rest: str) -> Event:
        at, attempt = self.now, self.state.node((node, path)).attempt
        match verb:
            case "started":
                return events.NodeStarted(at=at, node=node, path=path, attempt=attempt + 1)
            case "succeeded":
                return events.NodeSucceeded(at=at, node=node, path=path, port=rest or "out")
            case "failed":
                return events.AttemptFailed(at=at, node=node, path=path, attempt=attempt, error=error(rest or "broken"))
            case "abandoned":
                return events.AttemptAbandoned(at=at, node=node, path=path, attempt=attempt)
            case "waits":
                until = at + timedelta(seconds=float(rest)) if rest else None
                return events.NodeWaiting(at=at, node=node, path=path, reason="approval", until=until)
            case "begins":
                return events.NodeWaiting(at=at, node=node, path=path, reason="subworkflow", below=rest)
            case "resumed":
                return events.NodeResumed(at=at, node=node, path=path, signal=rest or None)
            case "opened":
                items, _, limit = rest.partition("/")
                given = list(range(int(items)))
                return events.LoopOpened(at=at, node=node, path=path, items=given, limit=int(limit or 1))
            case "repeats":
                return events.LoopOpened(at=at, node=node, path=path, items=[], limit=1, most=int(rest))
            case "holds":
                return loops.checked(self.state, (node, path), True, at)
            case "closes":
                return loops.checked(self.state, (node, path), False, at)
            case "errs":
                return events.LoopClosed(at=at, node=node, path=path, error=error("expression"))
            case "ended":
                index, _, left_out = rest.partition(" ")
                result = None if left_out else f"result {index}"
                return events.IterationEnded(
                    at=at, node=node, path=path, index=int(index), result=result, yields=not left_out
                )
            case "skipped":
                return events.NodeSkipped(at=at, node=node, path=path, reason=rest or "dead_path")
            case "answered":
                action, _, given = rest.partition(" ")
                value = given or None
                return events.EscalationAnswered(
                    at=at, node=node, path=path, action=action, settings=value, outputs=value
                )
            case "cancelled":
                return events.NodeCancelled(at=at, node=node, path=path, reason=rest or "cancelled")
        raise AssertionError(f"not a verb: {verb}")


def error(code: str, **more: object) -> dict[str, object]:
    """`busy` is the only code that is retryable."""
    shape = {"code": code, "message": code, "retryable": code == "busy", "retry_after": None, "detail": None}
    return {**shape, **more}


def command_words(command: Command, now: datetime) -> str:
    """start a · resume a · stop a (why) · end each 0 · complete, or the fact that is to be recorded."""
    match command:
        case StartNode(node, path, attempt):
            return f"start {_key(node, path)}" + (f" again ({attempt})" if attempt > 1 else "")
        case ResumeNode(node, path, signal):
            return f"resume {_key(node, path)}" + (f" with {signal}" if signal else "")
        case StopNode(node, path, reason):
            return f"stop {_key(node, path)} ({reason})"
        case EndIteration(node, path, index):
            return f"end {_key(node, path)} {index}"
        case CheckCondition(node, path, index):
            return f"check {_key(node, path)} {index}"
        case CompleteRun():
            return "complete"
        case Record(event):
            return _fact(event, now)


def _fact(event: Event, now: datetime) -> str:
    match event:
        case events.NodeSkipped(reason=reason):
            return f"{_key(*event.key)} is skipped ({reason})"
        case events.NodeCancelled(reason=reason):
            return f"{_key(*event.key)} is cancelled ({reason})"
        case events.RetryScheduled(due=due):
            return f"{_key(*event.key)} is tried again in {(due - now).total_seconds():g} s"
        case events.AlternativeChosen(agent=agent, error=error):
            return f"{_key(*event.key)} turns to {agent} ({error['code']})"
        case events.ErrorHandled(error=error):
            return f"{_key(*event.key)} takes over ({error['code']})"
        case events.NodeEscalated(error=error, assignee=assignee):
            return f"{_key(*event.key)} asks {assignee['user'] or assignee['role'] or 'anybody'} ({error['code']})"
        case events.NodeFailed(error=error, handled=handled, taken_by=taker):
            how = " handled" if handled else f" taken by {taker}" if taker else ""
            return f"{_key(*event.key)} fails ({error['code']}){how}"
        case events.AttemptFailed(error=error):
            return f"{_key(*event.key)} times out ({error['code']})"
        case events.NodeSucceeded(outputs=outputs):
            return f"{_key(*event.key)} succeeds with {outputs}"
        case events.IterationStarted(index=index):
            return f"{_key(*event.key)} begins {index}"
        case events.IterationEnded(index=index, error=error):
            return f"{_key(*event.key)} ends {index} ({error['code']})"
        case events.LoopBroken(index=index, source=source):
            return f"{_key(*event.key)} is broken in {index} by {source}"
        case events.RunFailed(error=error, node=node, path=path):
            return f"the run fails ({error['code']}" + (f" at {_key(node, path)})" if node else ")")
        case events.CompensationStarted(error=error):
            return f"undoing begins ({error['code'] if error else 'cancelled'})"
        case events.CompensationEnded(undone=undone, failed=failed, left=left):
            return f"undoing ends ({len(undone)} undone, {len(failed)} failed, {len(left)} left)"
        case events.RunCancelled():
            return "the run is cancelled"
    raise AssertionError(f"no words for {event}")


def _key(node: str, path: Path) -> str:
    return f"{node}[{path_text(path)}]" if path else node
