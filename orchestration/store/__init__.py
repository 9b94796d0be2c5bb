"""The only writer of runs under a lease.

**Leases and fencing.** A claim gives a run to a host: `host` is the holder, `lease_token` counts up. Every write of the
holder names host and token in its SQL and writes nothing when they are not the run's any more (`LeaseLost`); so a host
that was paused, cut off or thought dead cannot harm. A lease ends when the holder lets go, when the holder's process
dies (its advisory lock is free at once, `registry.py`), or when `lease_expires_at` has passed by the database's clock.

**Group commit.** Each host has one writer: a thread with one connection (`writer.py`). Whatever was handed in while a
commit was on its way goes into the next one together, for all runs of the host, as one statement (`statements.py`);
then each waiter gets its answer. A checkpoint names the number of the run's last event before it, so writing it a
second time (the connection broke, nobody knows whether the commit went through) finds it written and changes nothing.

**Letting go** must not miss a signal. Whoever posts one counts it under the run's row lock (`services.runs`), and
letting go compares that count with what the driver has seen, in the same statement that gives the run up.
"""

from orchestration.store.checkpoints import Checkpoint, LetGo, Written
from orchestration.store.desk import Desk
from orchestration.store.errors import LeaseLost
from orchestration.store.leases import Lease, Loaded
from orchestration.store.writer import Writer

__all__ = ["Checkpoint", "Desk", "Lease", "LeaseLost", "LetGo", "Loaded", "Writer", "Written"]
