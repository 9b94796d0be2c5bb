"""A run's log told in the words of `POST /api/workflows/execute`: workflow, waves, tasks, agents.

The log is read from its beginning, so that the same event gives the same words at every reconnection; what the caller
has had (`after`) is left out. Of several frames of one event only the last carries its number.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from orchestration.adhoc import TASK_IDS
from orchestration.api.sse import Frame
from orchestration.engine.graph import Graph
from orchestration.engine.shape import waves
from orchestration.models import Run, RunEvent
from orchestration.monitoring.large import linked

JSON = Any


class Story:
    """Call it with each event in turn; it says the frames. One instance a stream."""

    def __init__(self, run: Run, definition: dict[str, JSON], *, after: int) -> None:
        self.run, self.after = run, after
        self.task_ids: dict[str, str] = run.inputs.get(TASK_IDS) or {}
        self.nodes = {node["id"]: node for node in definition["nodes"]}
        self.needs: dict[str, list[str]] = {}
        for edge in definition["edges"]:
            self.needs.setdefault(edge["target"], []).append(edge["source"])
        self.waves = [list(wave) for wave in waves(Graph.of(definition))]
        self.wave_of = {node: number for number, wave in enumerate(self.waves) for node in wave}
        self.open = [set(wave) for wave in self.waves]
        self.begun: set[int] = set()
        self.started: dict[tuple[str, str], datetime] = {}
        self.began: datetime | None = None
        self.results: dict[str, JSON] = {}
        self.failed = 0
        self.tokens = 0

    def __call__(self, event: RunEvent) -> list[Frame]:
        told = list(self._tell(event))
        if event.seq <= self.after:
            return []
        frames: list[Frame] = [(None, "", data) for data in told]
        if frames:
            frames[-1] = (event.seq, "", frames[-1][2])
        return frames

    def _tell(self, event: RunEvent) -> Iterator[dict[str, JSON]]:
        match event.type:
            case "RunStarted":
                yield from self._start(event)
            case "NodeStarted":
                yield from self._node_start(event)
            case "NodeSucceeded" | "NodeFailed" | "NodeSkipped" | "NodeCancelled":
                yield from self._node_end(event)
            case "RunCompleted":
                yield {"type": "workflow:complete", "summary": self._summary(event)}
                yield {
                    "type": "workflow:results",
                    "results": self.results,
                    "outputs": linked(event.data.get("outputs"), self.run),
                }
            case "RunFailed":
                yield {"type": "workflow:error", "error": event.data.get("error"), "summary": self._summary(event)}
            case "RunCancelled":
                error = {"code": "cancelled", "message": event.data.get("reason") or "The run was cancelled."}
                yield {"type": "workflow:error", "error": error, "summary": self._summary(event)}

    def _start(self, event: RunEvent) -> Iterator[dict[str, JSON]]:
        self.began = event.at
        top = [node for node in self.nodes if node in self.wave_of]
        yield {
            "type": "workflow:start",
            "executionId": str(self.run.pk),
            "workflowName": self.run.name,
            "taskCount": len(top),
        }
        for node in top:
            needs = [self._id(needed) for needed in self.needs.get(node, [])]
            yield {"type": "task:added", **self._task(node), "dependencies": needs}

    def _node_start(self, event: RunEvent) -> Iterator[dict[str, JSON]]:
        wave = self.wave_of.get(event.node)
        if wave is not None and wave not in self.begun:
            self.begun.add(wave)
            yield {"type": "wave:start", "wave": wave + 1, "tasks": [self._id(node) for node in self.waves[wave]]}
        self.started.setdefault((event.node, event.path), event.at)
        attempt = event.data.get("attempt", 1)
        yield {"type": "task:start", **self._task(event.node, event.path), "attempt": attempt}
        if self.nodes[event.node]["type"] == "agent":
            agent = self.nodes[event.node]["settings"].get("agent")
            yield {"type": "agent:invoke", "taskId": self._id(event.node), "agentName": agent, "attempt": attempt}

    def _node_end(self, event: RunEvent) -> Iterator[dict[str, JSON]]:
        began = self.started.get((event.node, event.path))
        duration = round((event.at - began).total_seconds() * 1000) if began else 0
        task = self._task(event.node, event.path)
        if event.type == "NodeSucceeded":
            usage = event.data.get("usage") or {}
            tokens = (usage.get("input_tokens") or 0) + (usage.get("output_tokens") or 0)
            self.tokens += tokens
            if not event.path:
                self.results[self._id(event.node)] = linked(event.data.get("outputs"), self.run)
            yield {
                "type": "task:complete",
                **task,
                "duration": duration,
                "tokensUsed": tokens,
                "model": usage.get("model"),
                "result": linked(event.data.get("outputs"), self.run),
            }
        elif event.type == "NodeFailed":
            self.failed += not event.path
            yield {"type": "task:error", **task, "duration": duration, "error": event.data.get("error")}
        wave = self.wave_of.get(event.node)
        if wave is not None and event.node in self.open[wave]:
            self.open[wave].discard(event.node)
            if not self.open[wave] and wave in self.begun:
                yield {"type": "wave:complete", "wave": wave + 1}

    def _task(self, node: str, path: str = "") -> dict[str, JSON]:
        raw = self.nodes[node]
        agent = raw["settings"].get("agent")
        found = {"taskId": self._id(node), "description": raw.get("name") or node, "agentName": agent}
        return {**found, "iteration": path} if path else found

    def _id(self, node: str) -> str:
        """A task of a list keeps the id its caller gave it."""
        return self.task_ids.get(node, node)

    def _summary(self, event: RunEvent) -> dict[str, JSON]:
        return {
            "totalTasks": len(self.wave_of),
            "successfulTasks": len(self.results),
            "failedTasks": self.failed,
            "totalTokens": self.tokens,
            "totalDuration": round((event.at - self.began).total_seconds() * 1000) if self.began else 0,
        }
