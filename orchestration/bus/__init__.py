"""The event bus of an organisation: durable, and no wake-up is ever lost.

**Publishing** writes a row (`BusEvent`) that is due to be passed on. A person's and the API's event is passed on by
the same request; one that a run publishes appears in the commit of its node's success, so exactly once, and a host
passes it on (`orchestration.dispatching`). Whoever dies in between: the row is still due, and the next host does it.

**Waiting** writes a row (`EventSubscription`) in the commit that records that the node waits. It holds no worker.

**Meeting.** An event (E) and a wait (S) that are made at the same moment must not miss each other. Each is looked at
once more *after its own commit*: E is *routed* (who waits for it?), S is *settled* (what was there before it?). If
routing E does not see S, then S was committed after that look, so after E, and settling S sees E; and the other way
round. So at least one of them finds the other, without a lock that both would have to take. If both do, the row of S
decides: whoever deletes it, under the lock of the run's row, wakes the node, in the same transaction.

**What counts** is time alone: an event wakes a wait if it was published at or after the wait's `since`. Events are not
used up: one wakes everybody who waits for it.
"""
