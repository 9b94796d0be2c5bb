"""The SQL of the store. Tables and columns are those of `orchestration.models.runs`."""

from __future__ import annotations

LEASE_SECONDS = 30
"""How long a lease holds without a sign of life. A dead process is noticed at once, so this is for hosts that hang."""

COMMIT = """
WITH batch AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(runs)s::jsonb) AS r(
        id uuid, token bigint, before bigint, after bigint, status text, outputs jsonb, error jsonb, nodes_total int,
        nodes_ended int, cost_usd numeric, input_tokens bigint, output_tokens bigint, started_at timestamptz,
        ended_at timestamptz, progress boolean, seen bigint, due_at timestamptz)
), mine AS (
    UPDATE orchestration_run AS run SET
        status = b.status, outputs = b.outputs, error = b.error,
        nodes_total = b.nodes_total, nodes_ended = b.nodes_ended,
        cost_usd = run.cost_usd + b.cost_usd,
        input_tokens = run.input_tokens + b.input_tokens, output_tokens = run.output_tokens + b.output_tokens,
        started_at = b.started_at, ended_at = b.ended_at, last_seq = b.after,
        claims = CASE WHEN b.progress OR run.signals_posted = b.seen THEN 0 ELSE run.claims END,
        due_at = CASE WHEN run.signals_posted = b.seen THEN b.due_at ELSE run.due_at END,
        host_id = CASE WHEN run.signals_posted = b.seen THEN NULL ELSE run.host_id END,
        lease_expires_at = CASE WHEN run.signals_posted = b.seen THEN NULL
                                ELSE clock_timestamp() + make_interval(secs => %(lease)s) END
    FROM batch AS b
    WHERE run.id = b.id AND run.host_id + 0 = %(host)s AND run.lease_token = b.token AND run.last_seq = b.before
    RETURNING run.id, run.signals_posted, run.host_id
), events AS (
    INSERT INTO orchestration_runevent (run_id, seq, at, type, node, path, data)
    SELECT e.run_id, e.seq, e.at, e.type, e.node, e.path, e.data
    FROM jsonb_to_recordset(%(events)s::jsonb) AS e(
        run_id uuid, seq bigint, at timestamptz, type text, node text, path text, data jsonb)
    JOIN mine ON mine.id = e.run_id
), node_runs AS (
    INSERT INTO orchestration_noderun AS old (
        run_id, node, path, type, name, status, attempts, port, inputs, outputs, error, waiting,
        agent, agent_version, model, cost_usd, input_tokens, output_tokens, started_at, ended_at)
    SELECT n.run_id, n.node, n.path, n.type, n.name, n.status, n.attempts, n.port, n.inputs, n.outputs, n.error,
           n.waiting, n.agent, n.agent_version, n.model, n.cost_usd, n.input_tokens, n.output_tokens,
           n.started_at, n.ended_at
    FROM jsonb_to_recordset(%(node_runs)s::jsonb) AS n(
        run_id uuid, node text, path text, type text, name text, status text, attempts int, port text, inputs jsonb,
        outputs jsonb, error jsonb, waiting jsonb, agent text, agent_version int, model text, cost_usd numeric,
        input_tokens bigint, output_tokens bigint, started_at timestamptz, ended_at timestamptz)
    JOIN mine ON mine.id = n.run_id
    ON CONFLICT (run_id, node, path) DO UPDATE SET
        status = excluded.status, attempts = excluded.attempts, port = excluded.port,
        inputs = COALESCE(excluded.inputs, old.inputs), outputs = excluded.outputs, error = excluded.error,
        waiting = excluded.waiting,
        agent = COALESCE(NULLIF(excluded.agent, ''), old.agent),
        agent_version = COALESCE(excluded.agent_version, old.agent_version),
        model = COALESCE(NULLIF(excluded.model, ''), old.model),
        cost_usd = CASE WHEN excluded.cost_usd IS NULL THEN old.cost_usd
                        ELSE COALESCE(old.cost_usd, 0) + excluded.cost_usd END,
        input_tokens = CASE WHEN excluded.input_tokens IS NULL THEN old.input_tokens
                            ELSE COALESCE(old.input_tokens, 0) + excluded.input_tokens END,
        output_tokens = CASE WHEN excluded.output_tokens IS NULL THEN old.output_tokens
                             ELSE COALESCE(old.output_tokens, 0) + excluded.output_tokens END,
        started_at = excluded.started_at, ended_at = excluded.ended_at
), applied AS (
    UPDATE orchestration_runsignal AS signal SET applied_at = clock_timestamp()
    FROM jsonb_to_recordset(%(signals)s::jsonb) AS s(run_id uuid, id bigint)
    JOIN mine ON mine.id = s.run_id
    WHERE signal.id = s.id AND signal.applied_at IS NULL
)
SELECT mine.id, mine.signals_posted, mine.host_id IS NULL, clock_timestamp() FROM mine
"""
"""Writes a batch of checkpoints; answers with those that were still the host's. The rest of their rows is not written.

`host_id + 0` keeps the planner from reading all the host's runs by the index on host to find the few of the batch.

`seen` is null unless the run is to be let go, and then the comparison with it decides; a signal that is being posted
holds the row's lock, so this statement waits for it and compares anew.
"""

STANDING = """
SELECT id, last_seq, lease_token, host_id, signals_posted, clock_timestamp() FROM orchestration_run WHERE id = ANY(%s)
"""

EXTEND = """
UPDATE orchestration_run SET lease_expires_at = clock_timestamp() + make_interval(secs => %(lease)s), claims = 0
WHERE id IN (
    SELECT id FROM orchestration_run
    WHERE id = ANY(%(runs)s) AND host_id = %(host)s
      AND lease_expires_at < clock_timestamp() + make_interval(secs => %(lease)s - %(innocent)s)
    FOR NO KEY UPDATE SKIP LOCKED)
"""
"""Only of runs that have a driver: one that was claimed while the connection broke must run out. A row that somebody
holds must not keep the others from being extended; its own turn comes with a later beat."""

SUSPECT_CLAIMS = 3
"""A run that was claimed so often in vain may be what kills its hosts, or was only there: from now on it is taken by
itself, so that the next death tells the two apart."""
MOST_CLAIMS = 6
"""After three deaths in company and three alone (or as many failures of its driver) a run is quarantined."""
INNOCENT_SECONDS = 5
"""A claim that lasted so long was not in vain. What kills its host later than that is stopped by the planner, which
gives up on a node whose attempts are cut off again and again (`engine/retry.py`)."""

SET_ASIDE = """
UPDATE orchestration_run SET
    host_id = NULL, lease_expires_at = NULL,
    due_at = CASE WHEN claims >= %(most)s THEN NULL
                  ELSE clock_timestamp() + make_interval(secs => power(2, claims)) END,
    incident = CASE WHEN claims >= %(most)s THEN %(incident)s::jsonb END
WHERE id = %(run)s AND host_id = %(host)s AND lease_token = %(token)s
RETURNING incident IS NOT NULL
"""
"""The driver itself has failed: try again a little later, and in the end not any more."""

GIVE_BACK = """
UPDATE orchestration_run SET host_id = NULL, lease_expires_at = NULL, claims = GREATEST(claims - 1, 0),
    due_at = LEAST(due_at, clock_timestamp())
WHERE host_id = %(host)s AND (%(runs)s::uuid[] IS NULL OR id = ANY(%(runs)s))
RETURNING id
"""
"""Given back in good order, so it does not count as a claim without progress."""

LEAVE = """
UPDATE orchestration_run SET host_id = NULL, lease_expires_at = NULL, claims = GREATEST(claims - 1, 0),
    due_at = LEAST(due_at, clock_timestamp()),
    too_new = jsonb_build_object(
        'versions', COALESCE(too_new->'versions', '[]') - %(version)s::text || to_jsonb(%(version)s::text),
        'what', %(what)s::text, 'at', clock_timestamp())
WHERE id = %(run)s AND host_id = %(host)s AND lease_token = %(token)s
RETURNING pg_notify(%(channel)s, id::text)
"""
"""To hosts of a newer version; nobody has failed, so it counts as no claim."""

NEXT_DUE = """
SELECT EXTRACT(EPOCH FROM min(due_at) - clock_timestamp())::float FROM orchestration_run
WHERE due_at IS NOT NULL AND host_id IS NULL AND incident IS NULL
  AND (too_new IS NULL OR NOT too_new->'versions' ? %s)
"""

EVENTS = """
SELECT type, at, node, path, data FROM orchestration_runevent WHERE run_id = %s AND seq > %s ORDER BY seq
"""

SIGNALS = """
SELECT run.signals_posted, signal.id, signal.kind, signal.posted_at, signal.by, signal.reason, signal.node, signal.path,
       signal.data
FROM orchestration_run AS run
LEFT JOIN orchestration_runsignal AS signal ON signal.run_id = run.id AND signal.applied_at IS NULL
WHERE run.id = %s ORDER BY signal.id
"""

DEFINITION = "SELECT body FROM orchestration_definition WHERE digest = %s"

SIGNALS_POSTED = "SELECT id, signals_posted FROM orchestration_run WHERE host_id = %s AND signals_posted > 0"
