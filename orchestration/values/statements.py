"""The SQL of stored values, for the host's connection and Django's alike (`orchestration.models.values`)."""

from __future__ import annotations

KNOWN = """
SELECT digest FROM orchestration_storedvalue WHERE organisation_id = %(organisation)s AND digest = ANY(%(digests)s)
"""

NAME = """
INSERT INTO orchestration_storedvalue AS value
    (organisation_id, digest, kind, bytes, plain, names, created_at, last_used_at)
VALUES (%(organisation)s, %(digest)s, %(kind)s, %(bytes)s, %(plain)s, %(names)s, clock_timestamp(), clock_timestamp())
ON CONFLICT (organisation_id, digest) DO UPDATE SET last_used_at = clock_timestamp()
RETURNING id, (xmax = 0)
"""
"""The value's row, and whether it is new (its chunks must follow then). The update is what a collection that looks at
the same row has to wait for and sees: a value that was just named is not removed."""

ADD_CHUNK = "INSERT INTO orchestration_valuechunk (value_id, number, body) VALUES (%s, %s, %s)"

USE = "INSERT INTO orchestration_valueuse (run_id, value_id) VALUES (%s, %s) ON CONFLICT DO NOTHING"

ADOPT = """
WITH RECURSIVE named AS (
    SELECT value.id, value.names FROM orchestration_storedvalue AS value
    WHERE value.organisation_id = %(organisation)s AND value.digest = ANY(%(digests)s)
    UNION
    SELECT value.id, value.names FROM orchestration_storedvalue AS value, named
    WHERE value.organisation_id = %(organisation)s AND value.digest = ANY(named.names)
), touched AS (
    UPDATE orchestration_storedvalue AS value SET last_used_at = clock_timestamp()
    FROM (SELECT DISTINCT id FROM named) AS found WHERE value.id = found.id
    RETURNING value.id
)
INSERT INTO orchestration_valueuse (run_id, value_id) SELECT %(run)s, touched.id FROM touched ON CONFLICT DO NOTHING
"""
"""A run takes over references that another has made (its child's answer, what it reuses), with all these refer to."""

LOAD = """
SELECT value.kind, value.plain, chunk.body
FROM orchestration_storedvalue AS value JOIN orchestration_valuechunk AS chunk ON chunk.value_id = value.id
WHERE value.organisation_id = %(organisation)s AND value.digest = %(digest)s ORDER BY chunk.number
"""

COLLECT = """
WITH unused AS (
    SELECT value.id FROM orchestration_storedvalue AS value
    WHERE value.last_used_at < clock_timestamp() - make_interval(secs => %(age)s)
      AND NOT EXISTS (SELECT 1 FROM orchestration_valueuse AS use WHERE use.value_id = value.id)
    ORDER BY value.last_used_at LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
DELETE FROM orchestration_storedvalue AS value USING unused WHERE value.id = unused.id RETURNING value.bytes
"""
"""Whoever names a value updates its row first, so a row locked by that is passed over, and one that was updated since
this statement began is looked at again. Should a use appear all the same, its foreign key refuses the deletion."""
