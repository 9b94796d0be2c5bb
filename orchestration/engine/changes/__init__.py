"""What each event changes: one function an event, one file a subject, named as in `events/`.

An event of a node run changes that node run, by the function its file names in `NODE_CHANGES`; an event of the run
changes the run (`RUN_CHANGES`). `apply` puts these tables together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orchestration.engine.events import Event, NodeEvent
from orchestration.engine.states import NodeRunState, RunState

NodeChanges = dict[type[NodeEvent], Callable[[RunState, NodeRunState, Any], None]]
RunChanges = dict[type[Event], Callable[[RunState, Any], None]]
