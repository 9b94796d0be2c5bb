"""Checks the chains of the audit ledger. All digests are computed by PostgreSQL; rows never travel here.

What is found: an entry changed, removed, put in or out of order; a link changed or removed; an entry that was written
past the triggers (no link, and waiting for none). A tail that was cut together with its entries leaves a shorter but
sound chain: only a head noted elsewhere (`heads`, `Head`) shows it.
"""

from dataclasses import dataclass

from django.db import connection

from portal.core.services import audit


@dataclass(frozen=True)
class Head:
    """The end of a chain, for keeping outside of the database; `chain` is an organisation's id, 0 the installation."""

    chain: int
    number: int
    hash: str

    def __str__(self) -> str:
        return f"{self.chain}:{self.number}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> "Head":
        """Raises ValueError."""
        chain, number, digest = text.strip().split(":")
        bytes.fromhex(digest)
        return cls(int(chain), int(number), digest)


@dataclass(frozen=True)
class Fault:
    """The first thing wrong in a chain. `entry` is the id of the audit entry, 0 if no entry can be named."""

    chain: int
    number: int
    entry: int
    reason: str


@dataclass(frozen=True)
class Verdict:
    chain: int
    length: int
    fault: Fault | None


_CHAIN = """
SELECT number, entry_id, reason FROM (
    SELECT link.number, link.entry_id, CASE
        WHEN link.number <> row_number() OVER walk THEN 'a link before this one is missing'
        WHEN link.previous <> coalesce(lag(link.hash) OVER walk, ''::bytea) THEN 'does not continue the link before it'
        WHEN entry.id IS NULL THEN 'the entry is missing'
        WHEN coalesce(entry.organisation_id, 0) <> link.chain THEN 'the entry was moved to another organisation'
        WHEN link.hash <> core_audit_digest(entry, link.number, link.previous) THEN 'the entry or its link was changed'
    END AS reason
    FROM core_auditlink link LEFT JOIN core_auditentry entry ON entry.id = link.entry_id
    WHERE link.chain = %s
    WINDOW walk AS (ORDER BY link.number)
) AS checked WHERE reason IS NOT NULL ORDER BY number LIMIT 1
"""

_STRAY = """
SELECT entry.id FROM core_auditentry entry
LEFT JOIN core_auditlink link ON link.entry_id = entry.id
LEFT JOIN core_auditpending pending ON pending.entry_id = entry.id
WHERE coalesce(entry.organisation_id, 0) = %s AND link.entry_id IS NULL AND pending.entry_id IS NULL
ORDER BY entry.id LIMIT 1
"""


def chains() -> list[int]:
    """Every chain there is something of, the installation's own (0) first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT chain FROM core_auditlink UNION SELECT coalesce(organisation_id, 0) FROM core_auditentry ORDER BY 1"
        )
        return [row[0] for row in cursor.fetchall()]


def verify(chain: int, noted: Head | None = None) -> Verdict:
    """Chain what waits, then check everything. Reads the whole chain once, in order of its index."""
    audit.link_pending(chain)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM core_auditlink WHERE chain = %s", [chain])
        length = cursor.fetchone()[0]
        cursor.execute(_CHAIN, [chain])
        broken = cursor.fetchone()
        if broken:
            return Verdict(chain, length, Fault(chain, *broken))
        cursor.execute(_STRAY, [chain])
        stray = cursor.fetchone()
        if stray:
            return Verdict(chain, length, Fault(chain, 0, stray[0], "the entry is in no chain and waits for none"))
        if noted:
            cursor.execute(
                "SELECT entry_id, hash FROM core_auditlink WHERE chain = %s AND number = %s", [chain, noted.number]
            )
            found = cursor.fetchone()
            if found is None:
                reason = f"the chain has been cut: it ends before number {noted.number}, which was noted"
                return Verdict(chain, length, Fault(chain, noted.number, 0, reason))
            if bytes(found[1]).hex() != noted.hash:
                reason = "the chain was written anew: the hash differs from the one noted"
                return Verdict(chain, length, Fault(chain, noted.number, found[0], reason))
    return Verdict(chain, length, None)


def heads() -> list[Head]:
    """The end of every chain now. What waits is chained first, and durably: a noted head must outlive a crash."""
    audit.link_pending()
    with connection.cursor() as cursor:
        # Any synchronous commit also puts every earlier one on disk.
        cursor.execute("SELECT pg_current_xact_id()")
        cursor.execute("SELECT DISTINCT ON (chain) chain, number, hash FROM core_auditlink ORDER BY chain, number DESC")
        return [Head(chain, number, bytes(digest).hex()) for chain, number, digest in cursor.fetchall()]
