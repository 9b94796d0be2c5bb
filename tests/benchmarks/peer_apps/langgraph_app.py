"""LangGraph with its PostgreSQL saver, durability "sync": `python langgraph_app.py <database url>`. In this process."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any, TypedDict

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph
from protocol import Peer, serve, sources, step
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool


def _node(name: str, delay: float) -> Callable[[dict[str, Any]], Any]:
    async def run(state: dict[str, Any]) -> dict[str, Any]:
        return {name: await step(state["run"], delay)}

    return run


def _graph(names: list[str], edges: list[tuple[str | list[str], str]], delay: float) -> StateGraph:
    """Every step has a channel of its own, so that its result is written once."""
    graph = StateGraph(TypedDict("State", {"run": str, **dict.fromkeys(names, dict)}))  # type: ignore[operator]
    for name in names:
        graph.add_node(f"do_{name}", _node(name, delay))
    for source, target in edges:
        start = [f"do_{one}" for one in source] if isinstance(source, list) else _place(source)
        graph.add_edge(start, _place(target))
    return graph


def _place(name: str) -> str:
    return name if name in (START, END) else f"do_{name}"


class LangGraph(Peer):
    def __init__(self, saver: AsyncPostgresSaver) -> None:
        self.saver = saver
        self.compiled = cache(self._compiled)

    async def start(self, work: str, run: str, args: dict[str, Any]) -> None:
        numbers = {key: value for key, value in args.items() if key not in ("work", "runs")}
        graph = self.compiled(work, tuple(sorted(numbers.items())))
        config = {"configurable": {"thread_id": run}, "recursion_limit": 10_000}
        await graph.ainvoke({"run": run}, config, durability="sync")

    def _compiled(self, work: str, numbers: tuple[tuple[str, Any], ...]) -> Any:
        args = dict(numbers)
        match work:
            case "chain":
                names = [f"s{n}" for n in range(args["steps"])]
                edges: list[Any] = [(START, names[0]), *pairwise(names), (names[-1], END)]
            case "fan":
                inner = [f"b{n}" for n in range(args["width"])]
                names = ["first", *inner, "last"]
                edges = [(START, "first"), *(("first", name) for name in inner), (inner, "last"), ("last", END)]
            case _:
                count, width = args["layers"], args["width"]
                names = [f"n{layer}_{place}" for layer in range(count) for place in range(width)]
                edges = [(START, f"n0_{place}") for place in range(width)]
                for layer in range(1, count):
                    for place in range(width):
                        before = [f"n{layer - 1}_{source}" for source in sources(place, width)]
                        edges.append((before, f"n{layer}_{place}"))
        return _graph(names, edges, args.get("delay", 0.0)).compile(checkpointer=self.saver)


async def main() -> None:
    settings = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    async with AsyncConnectionPool(sys.argv[1], min_size=20, max_size=20, kwargs=settings) as pool:
        saver = AsyncPostgresSaver(pool)
        await saver.setup()
        await serve(LangGraph(saver))


if __name__ == "__main__":
    asyncio.run(main())
