"""What this version of the code knows of a run, as a word to compare hosts of different versions by.

While an update rolls over the hosts, a newer one may write what an older one cannot read: an event, a field of one, a
signal. The older one then gives the run back and leaves a note of its own version (`Run.too_new`), by which all hosts
of that version pass the run over; it costs no claim, and a newer host goes on with it.
"""

from __future__ import annotations

import dataclasses
import hashlib
from functools import cache

from orchestration.engine.events import TYPES
from orchestration.engine.signals import SignalKind


@cache
def version() -> str:
    words = [f"{name}({', '.join(spec.name for spec in dataclasses.fields(kind))})" for name, kind in TYPES.items()]
    words += [str(kind) for kind in SignalKind]
    return hashlib.sha256("\n".join(sorted(words)).encode()).hexdigest()[:16]
