"""Whose turn it is: the statement by which a host takes due runs.

**Within an organisation** the run with the earliest turn is first, `turn = due_at - priority * 30 seconds`. So each
step of priority (1 to 10) is worth half a minute of waiting: an urgent run goes before everything that is due and
before whatever came up to four and a half minutes earlier, but not for ever. As a run grows older its turn does not
change, which is why an index can keep them in order.

**Between organisations** the one that has least in hand is first. A due run's share is what its organisation has in
hand, plus its place in the organisation's own order; the smallest share is taken first. So 10,000 due runs of one
organisation delay the first run of another by no more than one, and where there are too few places for all they end up
with equally many each. Priorities do not count between organisations, or who says 10 everywhere would have everything.

**Cost.** Organisations with runs that nobody has in hand are found by jumping through the index, and of each no more
than a few are looked at; what else is due costs nothing. With one organisation its runs in hand are not counted.
"""

from __future__ import annotations

from orchestration.store.statements import MOST_CLAIMS, SUSPECT_CLAIMS

AGEING_SECONDS = 30
CANDIDATES = 200
"""Looked at in all, shared among the organisations: eight times what a host takes at once, so that hosts who look at
the same time find enough."""
FEWEST = 10
"""Of each organisation at least so many."""

TURN = f"((due_at AT TIME ZONE 'UTC') - priority * interval '{AGEING_SECONDS} seconds')"
"""As in the index `run_turn` (models.runs). Without a time zone, since only that is immutable to PostgreSQL."""

_FREE = "due_at IS NOT NULL AND host_id IS NULL AND incident IS NULL"

_TAKE = """
claimed AS (
    UPDATE orchestration_run AS run SET
        host_id = %(host)s, lease_token = run.lease_token + 1, claims = run.claims + 1,
        lease_expires_at = clock_timestamp() + make_interval(secs => %(lease)s)
    FROM due WHERE run.id = due.id
    RETURNING run.id, run.lease_token, run.last_seq, run.signals_posted, run.organisation_id, run.workflow_id,
              run.started_by_id, run.priority, run.definition_id, run.inputs, run.nodes_total, run.nodes_ended,
              run.claims, CASE WHEN run.last_seq = 0 THEN run.beginning END, run.parent_id, run.depth
)
SELECT claimed.*, workflow.slug, limits.steps_at_work, clock_timestamp()
FROM claimed LEFT JOIN orchestration_workflow AS workflow ON workflow.id = claimed.workflow_id
LEFT JOIN orchestration_organisationlimits AS limits ON limits.organisation_id = claimed.organisation_id
ORDER BY claimed.priority DESC
"""

CLAIM = f"""
WITH RECURSIVE found(id) AS (
    (SELECT organisation_id FROM orchestration_run WHERE {_FREE} ORDER BY organisation_id LIMIT 1)
    UNION ALL
    SELECT (SELECT organisation_id FROM orchestration_run WHERE {_FREE} AND organisation_id > found.id
            ORDER BY organisation_id LIMIT 1)
    FROM found WHERE found.id IS NOT NULL
), present AS MATERIALIZED (
    SELECT found.id, limits.runs_in_hand AS most
    FROM found LEFT JOIN orchestration_organisationlimits AS limits ON limits.organisation_id = found.id
    WHERE found.id IS NOT NULL
), holding AS MATERIALIZED (
    SELECT organisation_id AS id, count(*) AS runs FROM orchestration_run
    WHERE host_id IS NOT NULL AND (SELECT count(*) > 1 OR bool_or(most IS NOT NULL) FROM present)
    GROUP BY organisation_id
), candidate AS MATERIALIZED (
    SELECT run.id, run.turn, present.most,
           COALESCE(holding.runs, 0) AS in_hand,
           row_number() OVER (PARTITION BY present.id ORDER BY run.turn) AS place
    FROM present LEFT JOIN holding ON holding.id = present.id CROSS JOIN LATERAL (
        SELECT id, {TURN} AS turn FROM orchestration_run
        WHERE organisation_id = present.id AND {_FREE}
          AND {TURN} <= (statement_timestamp() AT TIME ZONE 'UTC') - interval '{AGEING_SECONDS} seconds'
          AND due_at <= statement_timestamp() AND claims < {SUSPECT_CLAIMS}
          AND (too_new IS NULL OR NOT too_new->'versions' ? %(version)s)
        ORDER BY {TURN} LIMIT (SELECT GREATEST({FEWEST}, {CANDIDATES} / count(*)) FROM present)
    ) AS run
), best AS MATERIALIZED (
    SELECT id FROM candidate WHERE most IS NULL OR in_hand + place <= most
    ORDER BY in_hand + place, in_hand, turn
), due AS MATERIALIZED (
    SELECT run.id FROM best CROSS JOIN LATERAL (
        SELECT id FROM orchestration_run
        WHERE id = best.id AND host_id IS NULL AND incident IS NULL
          AND COALESCE(due_at, 'infinity') <= clock_timestamp()
        FOR UPDATE SKIP LOCKED
    ) AS run
    LIMIT %(limit)s
), {_TAKE}
"""  # noqa: S608  our own constants
"""`best` is locked one after the other until there are enough; whoever another host has locked is passed over. COALESCE
keeps PostgreSQL from looking a run up by anything but its id."""

CLAIM_NAMED = f"""
WITH due AS MATERIALIZED (
    SELECT id FROM orchestration_run
    WHERE id = ANY(%(runs)s) AND host_id IS NULL AND incident IS NULL AND claims < {SUSPECT_CLAIMS}
      AND COALESCE(due_at, 'infinity') <= clock_timestamp()
      AND (too_new IS NULL OR NOT too_new->'versions' ? %(version)s)
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
), {_TAKE}
"""  # noqa: S608
"""Those that a ring has just named, for a host with room for all that is due: then it is nobody's turn before theirs.
Looking them up by their ids takes a fifth of the time."""

CLAIM_SUSPECT = f"""
WITH due AS (
    SELECT id FROM orchestration_run
    WHERE due_at <= clock_timestamp() AND {_FREE} AND claims >= {SUSPECT_CLAIMS} AND claims < {MOST_CLAIMS}
      AND (too_new IS NULL OR NOT too_new->'versions' ? %(version)s)
    ORDER BY claims, priority DESC, due_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
), {_TAKE}
"""  # noqa: S608
"""The least suspected first: deaths that were nobody's fault are then spread over all who were there."""

QUARANTINE = f"""
UPDATE orchestration_run SET due_at = NULL, incident = jsonb_build_object(
    'code', 'host_killer', 'claims', claims, 'at', clock_timestamp(), 'message',
    'The process that drove this run died ' || claims || ' times without any progress, so it is not tried again.')
WHERE id IN (
    SELECT id FROM orchestration_run
    WHERE due_at <= clock_timestamp() AND {_FREE} AND claims >= {MOST_CLAIMS}
    FOR UPDATE SKIP LOCKED)
RETURNING id, organisation_id
"""  # noqa: S608

ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(%s, 0)"
"""Where some organisation's runs in hand are limited, hosts count one after the other."""
LOCK_CLASS = 0x434C4D  # "CLM"

ARE_LIMITED = "SELECT EXISTS (SELECT 1 FROM orchestration_organisationlimits WHERE runs_in_hand IS NOT NULL)"
