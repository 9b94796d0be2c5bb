"""The format `ensemble.workflow/1` as pydantic models; the published JSON Schema is made from them (`published.py`).

The models say what a definition may look like; what it means is checked by `validation.py`, which reports every
problem at once. A definition is kept as it was written: nothing here fills in defaults.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

JSON = Any
FORMAT = "ensemble.workflow/1"
MAX_NODES = 2000
MAX_EDGES = 10_000
NODE_ID = r"^[a-z][a-z0-9_]{0,62}$"
NAME = r"^[A-Za-z_][A-Za-z0-9_]{0,62}$"
COMBINE = r"^(object|list|\s*\{\{[\s\S]+\}\}\s*)$"
LONGEST_SECONDS = 31 * 24 * 3600

NodeId = Annotated[str, Field(pattern=NODE_ID)]
Port = Annotated[str, Field(pattern=NODE_ID)]
Seconds = Annotated[float, Field(gt=0, le=LONGEST_SECONDS)]
Place = Annotated[float, Field(ge=-1e6, le=1e6)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Retry(_Part):
    """When a failed attempt is tried again."""

    max_attempts: int = Field(1, ge=1, le=100, description="Tries in all, the first included.")
    backoff: Literal["fixed", "linear", "exponential"] = "exponential"
    initial_seconds: float = Field(1.0, ge=0, le=LONGEST_SECONDS, description="Pause before the second try.")
    max_seconds: float = Field(60.0, ge=0, le=LONGEST_SECONDS, description="No pause is longer.")
    jitter: bool = Field(True, description="Vary the pause, so that many do not try again at the same moment.")
    on: tuple[str, ...] = Field((), description="Error codes to retry; empty: every error that says it may be retried.")
    not_on: tuple[str, ...] = Field((), description="Error codes never to retry.")


class Join(_Part):
    """When a node with several incoming edges starts."""

    rule: Literal["all", "any", "first_success", "n_of_m", "all_settled"] = Field(
        "all",
        description="all: when every branch that was taken has come. any: with the first. first_success: with the "
        "first, others may fail. n_of_m: with so many, others may fail. all_settled: when all have ended, well or not.",
    )
    count: int | None = Field(None, ge=1, le=1000, description="Rule n_of_m: how many branches must come.")
    losers: Literal["cancel", "finish", "ignore"] = Field(
        "cancel", description="Rules any, first_success, n_of_m: what becomes of branches still under way."
    )
    combine: str = Field(
        "object",
        description="Of join nodes, what is passed on: object (by node), list (in the order of the edges), or one "
        "{{ expression }}, which finds the branches under the name branches.",
        json_schema_extra={"pattern": COMBINE},
    )


class Escalate(_Part):
    """Whom to ask when the node has failed for good: a person, or the holders of a role."""

    role: str = Field("", max_length=80, description="Slug of a role; any of its holders may answer.")
    user: str = Field("", max_length=150, description="User name; this person alone may answer.")
    message: str = Field("", max_length=2000, description="What to tell them, in Markdown. Taken as it is.")


class Node(_Part):
    id: NodeId = Field(description="Its name in expressions.")
    type: str = Field(description="One of the registered node types.")
    name: str = Field("", max_length=200, description="What people read; the id if empty.")
    parent: NodeId | None = Field(None, description="The loop whose body this node belongs to.")
    settings: dict[str, JSON] = Field(default_factory=dict, description="By the node's type. Strings are templates.")
    retry: Retry | None = None
    timeout_seconds: Seconds | None = Field(None, description="Of one attempt.")
    total_timeout_seconds: Seconds | None = Field(
        None, description="Of all attempts together, pauses between them and alternatives included."
    )
    optional: bool = Field(False, description="If it fails for good it is skipped, and the run goes on.")
    priority: int = Field(5, ge=1, le=10, description="10 starts first when places are few.")
    delivery: Literal["at_least_once", "at_most_once"] = Field(
        "at_least_once", description="at_most_once: never begun again by itself after a crash; a person is asked."
    )
    escalate: Escalate | None = Field(None, description="Ask a person when it has failed for good.")
    join: Join | None = None
    compensate_with: NodeId | None = Field(
        None, description="The node that undoes this one if the run fails or is cancelled so."
    )
    position: tuple[Place, Place] | None = Field(None, description="[x, y] of its upper left corner in the drawing.")


class Edge(_Part):
    source: NodeId
    port: Port = Field("out", description="The way out of the source: out, error, or a port of its type.")
    target: NodeId


class Budget(_Part):
    """Kept, not acted on yet."""

    usd: float | None = Field(None, ge=0)
    tokens: int | None = Field(None, ge=0)


class Limits(_Part):
    runs: int | None = Field(
        None, ge=1, le=10_000, description="Runs of the workflow under way at the same time; others wait in the queue."
    )


class Settings(_Part):
    max_parallel: int = Field(10, ge=1, le=1000, description="Nodes at work at the same time.")
    timeout_seconds: Seconds | None = Field(None, description="Of the whole run.")
    context: Literal["shared", "isolated", "hierarchical"] = Field(
        "shared", description="What agents see of each other. Only shared is acted on yet."
    )
    on_failure: Literal["fail", "continue"] = Field(
        "fail", description="fail: stop what is under way. continue: finish what does not depend on the failure first."
    )
    budget: Budget | None = None
    limits: Limits | None = None


class WorkflowDefinition(_Part):
    format: Literal["ensemble.workflow/1"]
    name: str = Field(min_length=1, max_length=200)
    description: str = Field("", max_length=10_000, description="Markdown.")
    category: str = Field("", max_length=60)
    tags: tuple[Annotated[str, Field(min_length=1, max_length=40)], ...] = Field((), max_length=20)
    inputs: dict[str, JSON] = Field(
        default_factory=dict,
        description="JSON Schema (2020-12) of the inputs, an object. The start form is made from it.",
    )
    variables: dict[str, dict[str, JSON]] = Field(
        default_factory=dict, description="By name, a JSON Schema each; `default` is the value at the start."
    )
    outputs: dict[str, JSON] = Field(default_factory=dict, description="By name; strings are templates over all nodes.")
    settings: Settings = Field(default_factory=Settings)
    nodes: tuple[Node, ...] = Field(max_length=MAX_NODES)
    edges: tuple[Edge, ...] = Field((), max_length=MAX_EDGES)
