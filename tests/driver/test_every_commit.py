"""A host is killed at every commit of a run, one run for each: whatever the moment, it comes to the same.

The run has every type of node, runs below it, somebody who is asked, and something that is undone. It is first lived
through undisturbed, which also tells how many commits there are; then again, each time with a host that is killed in
another moment of its work (tests/crashing_host.py) and a second one that goes on. Nothing is left to chance but how
many events share a commit.

A few moments of each kind, unless all are asked for (some minutes), or all of one kind:

    CRASHES=all python -m pytest tests/driver/test_every_commit.py
    CRASHES=within python -m pytest tests/driver/test_every_commit.py
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from approvals.models import ApprovalRequest
from approvals.services.decisions import decide
from orchestration.models import BusEvent, EventDelivery, NodeRun, Run, RunEvent
from orchestration.queries.replay import replay
from orchestration.services.starting import start_workflow
from portal.core.actors import Actor
from portal.core.models import Notification
from portal.core.services import ledger
from tests.cast import Cast, make_cast
from tests.crashing_host import PLACES, CrashingHosts, Moment, crashing_hosts
from tests.effects import Sink, effect, make_agent
from tests.workflows.factories import chain, definition, edge, node, published

pytestmark = pytest.mark.django_db(transaction=True)

OF_EACH_PLACE = {"before": 2, "within": 2, "after": 2, "claimed": 1}
"""How many moments are tried where not all are."""
SECONDS = 120
"""For one run to its end; a quiet machine needs one."""
_TOLD_ANEW = frozenset({"at", "until", "ended_at", "decided_at", "headers", "id"})


def once(id: str, **more: Any) -> dict[str, Any]:
    """Calls the outside world at most once."""
    return effect(id, 0, delivery="at_most_once", **more)


def everything(sink: str) -> dict[str, Any]:
    """Every type of node, one thing after the other but for three branches and a loop of two side by side."""
    each = {"items": "range(2)", "mode": "parallel", "limit": 2, "output": "{{ in_each.outputs.was }}"}
    nodes = [
        node("begin", "set", settings={"variables": {"n": 1}}),
        node("split", "parallel"),
        effect("call", 0),
        once("once"),
        node("post", "http", settings={"method": "POST", "url": sink, "body": {"value": 7}, "repeatable": True}),
        node("both", "join"),
        node("shape", "transform", settings={"input": "{{ [3, 1, 2] }}", "output": "value.size()"}),
        node("odd", "condition", settings={"condition": "shape.outputs.result == 3"}),
        node("which", "switch", settings={"cases": [{"port": "this", "when": "begin.outputs.n == 1"}]}),
        node("each", "loop", settings=each),
        effect("in_each", 0, parent="each"),
        once("once_in_each", parent="each"),
        node("until", "loop", settings={"while": "true", "max_iterations": 9}),
        node("enough", "condition", parent="until", settings={"condition": "loop.index == 1"}),
        node("leave", "break", parent="until", settings={"result": "{{ loop.index }}"}),
        node("guarded", "loop", settings={"items": "range(1)"}),
        node("breaks", "fail", parent="guarded", settings={"message": "No.", "code": "no"}),
        node("caught", "error_handler", parent="guarded", settings={"then": "complete"}),
        effect("tidy", 0, parent="guarded"),
        node("below", "subworkflow", settings={"workflow": "below"}),
        node("backwards", "subworkflow", settings={"workflow": "undone"}),
        node("publish", "publish_event", settings={"name": "story.told", "key": "{{ run.id }}", "data": {"n": 1}}),
        node("hear", "wait_event", settings={"name": "story.told", "key": "{{ run.id }}", "since": "run_start"}),
        node("pause", "delay", settings={"seconds": 0.02}),
        node("tell", "notify", settings={"title": "Told", "roles": ["approver"]}),
        node("ask", "approval", settings={"title": "Go on?", "assignee": {"role": "approver"}}),
        once("once_more"),
    ]
    edges = [
        *chain("both", "shape", "odd"),
        edge("begin", "split"),
        *(edge("split", name) for name in ("call", "once", "post")),
        *(edge(name, "both") for name in ("call", "once", "post")),
        edge("odd", "which", "true"),
        edge("which", "each", "this"),
        *chain("each", "until", "guarded", "below", "backwards"),
        edge("in_each", "once_in_each"),
        edge("enough", "leave", "true"),
        edge("caught", "tidy"),
        edge("backwards", "publish", "error"),
        *chain("publish", "hear", "pause", "tell", "ask"),
        edge("ask", "once_more", "approve"),
    ]
    outputs = {
        "each": "{{ each.outputs.items }}",
        "until": "{{ until.outputs }}",
        "last": "{{ once_more.outputs.was }}",
    }
    return definition(*nodes, edges=edges, outputs=outputs)


@dataclass
class Lived:
    """What became of a run."""

    came_to: dict[str, Any] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    """By idempotency key."""
    at_work: set[str] = field(default_factory=set)
    """Steps that were, by what was written, when the host was killed."""
    repeated: list[str] = field(default_factory=list)
    crashed: bool = False
    called_twice: list[str] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)
    """How many moments there were, if no host was killed."""


class Stage:
    """The workflows, the people and the outside world."""

    def __init__(self, cast: Cast, sink: Sink, hosts: CrashingHosts) -> None:
        self.cast, self.sink, self.hosts = cast, sink, hosts
        make_agent(cast.organisation, sink.address)
        published(cast.organisation, definition(effect("inner", 0)), slug="below")
        undone = definition(
            effect("did", 0, compensate_with="un_did"),
            effect("un_did", 0),
            node("no", "fail", settings={"message": "No."}),
            edges=[edge("did", "no")],
        )
        published(cast.organisation, undone, slug="undone")
        self.workflow = published(cast.organisation, everything(sink.address), slug="everything").workflow

    def live(self, moment: Moment | None = None) -> Lived:
        """A run from its start to its end, the first host killed in that moment."""
        self.sink.begun.clear()
        lived = Lived()
        self.hosts.begin(moment)
        run, _ = start_workflow(workflow=self.workflow, inputs={}, actor=Actor.command(), source="cli")
        end = time.monotonic() + SECONDS
        while not self._is_over(run):
            if self.hosts.over(0.02) is not None:
                lived.crashed, lived.at_work = True, self._at_work(run)
                self.hosts.begin()
            self._answer(run)
            assert time.monotonic() < end, (moment, run.status, self._statuses(run))
        lived.seen = self.hosts.kill()
        self._tell(run, lived)
        return lived

    def _tree(self, run: Run) -> list[Run]:
        return [run, *Run.objects.filter(parent=run).order_by("parent_node")]

    def _is_over(self, run: Run) -> bool:
        run.refresh_from_db()
        return run.ended and run.host_id is None

    def _at_work(self, run: Run) -> set[str]:
        found = NodeRun.objects.filter(run__in=self._tree(run), status="running")
        return {_step(*row) for row in found.values_list("run", "node", "path")}

    def _statuses(self, run: Run) -> list[Any]:
        return list(NodeRun.objects.filter(run__in=self._tree(run)).values_list("node", "path", "status"))

    def _answer(self, run: Run) -> None:
        """What people are asked: to approve; and what the call of an at-most-once step came to, which they know."""
        for asked in ApprovalRequest.objects.filter(run=run, status="open").select_related("organisation"):
            if asked.kind == "escalation":
                answer = {"key": _step(run.pk, asked.node, asked.path), "was": asked.node}
                self._decide(asked, "operator", "skip", {"outputs": answer})
            else:
                self._decide(asked, "approver", "approve", None)

    def _decide(self, asked: ApprovalRequest, who: str, option: str, values: Any) -> None:
        user = self.cast.by_role[who]
        decide(request=asked, user=user, actor=Actor.command(user), option=option, comment="Fine.", values=values)

    def _tell(self, run: Run, lived: Lived) -> None:
        runs = self._tree(run)
        names = {str(one.pk): one.parent_node or "top" for one in runs}
        for key, times in self.sink.begun.items():
            lived.calls[_named(key, names)] = times
        abandoned = RunEvent.objects.filter(run__in=runs, type="AttemptAbandoned")
        lived.repeated = [_step(*row) for row in abandoned.values_list("run", "node", "path")]
        lived.called_twice = [key for key, times in self.sink.begun.items() if times > 1]
        for one in runs:
            at = names[str(one.pk)]
            lived.came_to[f"run {at}"] = one.status, _plain(one.outputs, names), (one.error or {}).get("code")
            for row in NodeRun.objects.filter(run=one):
                settled = "once" in row.node  # perhaps by a person
                said = None if settled else _plain(row.outputs, names)
                lived.came_to[f"{at}/{row.node}[{row.path}]"] = settled or row.status, row.port, said
            found = replay(one)
            assert found.same, (at, found)
            numbers = list(RunEvent.objects.filter(run=one).order_by("seq").values_list("seq", flat=True))
            assert numbers == list(range(1, one.last_seq + 1))
        lived.came_to["told"] = (
            BusEvent.objects.filter(run=run).count(),
            EventDelivery.objects.filter(run=run).count(),
            Notification.objects.filter(link__contains=str(run.pk), title="Told").count(),
            ApprovalRequest.objects.filter(run=run, kind="approval").count(),
        )


def _step(run: Any, node: str, path: str) -> str:
    """As in its idempotency key."""
    return f"{run}/{node}/{path}".removesuffix("/")


def _named(text: str, names: dict[str, str]) -> str:
    for run, name in names.items():
        text = text.replace(run, name)
    return text


def _plain(value: Any, names: dict[str, str]) -> Any:
    """Without what is new each time: times, headers of answers, the runs' own ids, and what is made of them."""

    def without(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: without(item) for key, item in value.items() if key not in _TOLD_ANEW}
        return [without(item) for item in value] if isinstance(value, list) else value

    return json.loads(_named(json.dumps(without(value)), names))


@pytest.fixture
def stage(settings: Any) -> Iterator[Stage]:
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    sink = Sink()
    with crashing_hosts() as hosts:
        yield Stage(make_cast(), sink, hosts)
    sink.close()


def moments(seen: dict[str, int]) -> list[Moment]:
    """All there are, or some spread over all of them."""
    if asked := os.environ.get("CRASHES"):
        places = PLACES if asked == "all" else asked.split(",")
        return [Moment(place, nth) for place in places for nth in range(1, seen[place] + 1)]
    return [
        Moment(place, 1 + (2 * number + (place == "after")) * seen[place] // (2 * wanted))
        for place, wanted in OF_EACH_PLACE.items()
        for number in range(wanted)
    ]


@pytest.mark.timeout(3600)
def test_a_host_killed_at_a_commit_changes_nothing(stage: Stage) -> None:
    undisturbed = stage.live()
    assert not undisturbed.crashed and set(undisturbed.calls.values()) == {1}
    crashed = Counter[str]()
    wanted = moments(undisturbed.seen)
    for moment in wanted:
        lived = stage.live(moment)
        crashed[moment.place] += lived.crashed
        assert lived.came_to == undisturbed.came_to, moment
        # the next host knows of an at-most-once call that it was about to be made, and leaves it to a person
        unmade = undisturbed.calls.keys() - lived.calls.keys()
        assert set(lived.calls) <= set(undisturbed.calls) and all("/once" in key for key in unmade), (moment, lived)
        assert lived.at_work.issuperset(lived.repeated), (moment, "only what was at work is repeated", lived)
        assert len(set(lived.repeated)) == len(lived.repeated), (moment, lived)
        assert set(lived.repeated).issuperset(lived.called_twice), (moment, lived)
        assert max(lived.calls.values()) <= 2, (moment, lived)
        assert not [key for key in lived.called_twice if "/once" in key], (moment, lived)
    # how many events share a commit differs, so the last of the moments may not come
    assert all(crashed[place] for place, _ in wanted) and 3 * crashed.total() >= 2 * len(wanted), crashed
    assert ledger.verify(stage.cast.organisation.pk).fault is None
