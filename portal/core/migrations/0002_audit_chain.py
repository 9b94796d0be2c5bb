"""Functions and triggers of the audit ledger; docs/decisions/0001-audit-chain.md tells why they are made so."""

from django.db import migrations

# What one link seals: its place, the link before it and every column of the entry. Times go in as epoch microseconds
# and JSON as jsonb's own canonical text, so neither the session's time zone nor Python has a say.
DIGEST = """
CREATE FUNCTION core_audit_digest(entry core_auditentry, number bigint, previous bytea) RETURNS bytea
LANGUAGE sql STABLE AS $$
    SELECT sha256(convert_to(jsonb_build_array(
        number, encode(previous, 'hex'), entry.id, (extract(epoch FROM entry.at) * 1000000)::bigint,
        entry.organisation_id, entry.verb, entry.actor_id, entry.actor_label, entry.channel, entry.address,
        entry.request_id, entry.target_type, entry.target_id, entry.target_label,
        entry.before, entry.after, entry.data)::text, 'UTF8'))
$$;
"""

# Chain up to `most` waiting entries; -1 when another session is at it (it looks again after letting go).
LINK = """
CREATE FUNCTION core_audit_link(wanted bigint, most integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    entry core_auditentry;
    last_number bigint;
    last_hash bytea;
    done integer := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('core.audit:' || wanted, 0)) THEN
        RETURN -1;
    END IF;
    SELECT link.number, link.hash INTO last_number, last_hash
        FROM core_auditlink link WHERE link.chain = wanted ORDER BY link.number DESC LIMIT 1;
    last_number := coalesce(last_number, 0);
    last_hash := coalesce(last_hash, ''::bytea);
    FOR entry IN
        SELECT e.* FROM core_auditpending p JOIN core_auditentry e ON e.id = p.entry_id
        WHERE p.chain = wanted ORDER BY p.entry_id LIMIT most
    LOOP
        last_number := last_number + 1;
        INSERT INTO core_auditlink (entry_id, chain, number, previous, hash)
            VALUES (entry.id, wanted, last_number, last_hash, core_audit_digest(entry, last_number, last_hash))
            RETURNING core_auditlink.hash INTO last_hash;
        DELETE FROM core_auditpending WHERE entry_id = entry.id;
        done := done + 1;
    END LOOP;
    RETURN done;
END
$$;
"""

TRIGGERS = """
CREATE FUNCTION core_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The audit ledger is append-only: % on % is refused.', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END
$$;

-- The moment is the database's, whatever the writer says; and every new entry waits for its link.
CREATE FUNCTION core_audit_entered() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.at := clock_timestamp();
    INSERT INTO core_auditpending (entry_id, chain) VALUES (NEW.id, coalesce(NEW.organisation_id, 0));
    RETURN NEW;
END
$$;

CREATE TRIGGER core_audit_entered BEFORE INSERT ON core_auditentry
    FOR EACH ROW EXECUTE FUNCTION core_audit_entered();
CREATE TRIGGER core_audit_entry_kept BEFORE UPDATE OR DELETE ON core_auditentry
    FOR EACH ROW EXECUTE FUNCTION core_audit_refuse();
CREATE TRIGGER core_audit_entries_kept BEFORE TRUNCATE ON core_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION core_audit_refuse();
CREATE TRIGGER core_audit_link_kept BEFORE UPDATE OR DELETE ON core_auditlink
    FOR EACH ROW EXECUTE FUNCTION core_audit_refuse();
CREATE TRIGGER core_audit_links_kept BEFORE TRUNCATE ON core_auditlink
    FOR EACH STATEMENT EXECUTE FUNCTION core_audit_refuse();
"""

BACK = """
DROP TRIGGER core_audit_entered ON core_auditentry;
DROP TRIGGER core_audit_entry_kept ON core_auditentry;
DROP TRIGGER core_audit_entries_kept ON core_auditentry;
DROP TRIGGER core_audit_link_kept ON core_auditlink;
DROP TRIGGER core_audit_links_kept ON core_auditlink;
DROP FUNCTION core_audit_entered();
DROP FUNCTION core_audit_refuse();
DROP FUNCTION core_audit_link(bigint, integer);
DROP FUNCTION core_audit_digest(core_auditentry, bigint, bytea);
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0001_initial")]
    operations = [migrations.RunSQL(DIGEST + LINK + TRIGGERS, BACK)]
