"""The ledger: nobody edits it, everybody can verify it, and it serialises nobody."""

import threading
from contextlib import contextmanager
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from portal.core.actors import Actor
from portal.core.models import AuditEntry, AuditLink, AuditPending
from portal.core.services import audit, ledger
from tests.factories import make_organisation, make_user

pytestmark = pytest.mark.django_db(transaction=True)


def write(organisation, count: int = 1, **more) -> list[AuditEntry]:
    newest = AuditEntry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    for n in range(count):
        audit.record(
            organisation=organisation, actor=Actor.command(), verb="test.thing.happened", data={"n": n}, **more
        )
    return list(AuditEntry.objects.filter(pk__gt=newest).order_by("pk"))


def sql(statement: str, *values) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


@contextmanager
def as_an_intruder():
    """A superuser of the database who knows how to switch triggers off."""
    sql("SET session_replication_role = replica")
    try:
        yield
    finally:
        sql("SET session_replication_role = origin")


def test_entries_are_chained_right_after_the_commit():
    organisation = make_organisation()
    write(organisation, 3)
    links = list(AuditLink.objects.filter(chain=organisation.pk).order_by("number"))
    assert [link.number for link in links] == [1, 2, 3]
    assert bytes(links[0].previous) == b""
    assert bytes(links[2].previous) == bytes(links[1].hash)
    assert not AuditPending.objects.exists()


def test_an_entry_stands_only_if_the_change_stands():
    organisation = make_organisation()
    with pytest.raises(RuntimeError), transaction.atomic():
        write(organisation)
        raise RuntimeError
    assert not AuditEntry.objects.exists()
    assert not AuditPending.objects.exists()


@pytest.mark.parametrize("table", ["core_auditentry", "core_auditlink"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET {}", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_update_delete_and_truncate_are_refused(table: str, statement: str):
    write(make_organisation())
    change = "verb = 'x'" if table == "core_auditentry" else "number = 7"
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        sql(statement.format(table, change))


def test_the_moment_is_the_databases_whatever_the_writer_says():
    organisation = make_organisation()
    sql(
        "INSERT INTO core_auditentry (at, organisation_id, verb, actor_label, channel, address, request_id,"
        " target_type, target_id, target_label) VALUES ('2001-01-01', %s, 'x', 'x', 'web', '', '', '', '', '')",
        organisation.pk,
    )
    assert AuditEntry.objects.get().at.year > 2001


def test_a_sound_ledger_verifies_in_any_time_zone():
    organisation = make_organisation()
    write(organisation, 5, before={"a": 1.50, "ü": None}, after={"a": [1, {"b": "\u2028"}], "ü": True})
    for zone in ("UTC", "Asia/Kathmandu", "America/St_Johns"):
        sql("SELECT set_config('TimeZone', %s, false)", zone)
        assert ledger.verify(organisation.pk).fault is None
    sql("SET TimeZone = 'UTC'")


TAMPERING = {
    "an entry changed": ("UPDATE core_auditentry SET actor_label = 'somebody else' WHERE id = %s", 3, "changed"),
    "its data changed": ("UPDATE core_auditentry SET data = '{\"n\": 99}' WHERE id = %s", 3, "changed"),
    "its time changed": ("UPDATE core_auditentry SET at = at + interval '1 microsecond' WHERE id = %s", 3, "changed"),
    "an entry moved": ("UPDATE core_auditentry SET organisation_id = NULL WHERE id = %s", 3, "another organisation"),
    "an entry removed": ("DELETE FROM core_auditentry WHERE id = %s", 3, "missing"),
    "its link removed": ("DELETE FROM core_auditlink WHERE entry_id = %s", 4, "missing"),
    "its link changed": ("UPDATE core_auditlink SET hash = sha256('x') WHERE entry_id = %s", 3, "changed"),
    "its link renumbered": ("UPDATE core_auditlink SET number = 100 WHERE entry_id = %s", 4, "missing"),
}


@pytest.mark.parametrize("how", TAMPERING)
def test_tampering_by_a_database_superuser_is_found_at_the_first_broken_row(how: str):
    statement, broken, reason = TAMPERING[how]
    organisation = make_organisation()
    entries = write(organisation, 6)
    with as_an_intruder():
        sql(statement, entries[2].pk)
    fault = ledger.verify(organisation.pk).fault
    assert fault is not None
    assert fault.entry == entries[broken - 1].pk
    assert reason in fault.reason


def test_an_entry_and_its_link_taken_out_together_are_found():
    organisation = make_organisation()
    entries = write(organisation, 6)
    with as_an_intruder():
        sql("DELETE FROM core_auditentry WHERE id = %s", entries[2].pk)
        sql("DELETE FROM core_auditlink WHERE entry_id = %s", entries[2].pk)
    fault = ledger.verify(organisation.pk).fault
    assert fault is not None and fault.entry == entries[3].pk


def test_an_entry_smuggled_in_past_the_triggers_is_found():
    organisation = make_organisation()
    write(organisation, 2)
    with as_an_intruder():
        sql(
            "INSERT INTO core_auditentry (at, organisation_id, verb, actor_label, channel, address, request_id,"
            " target_type, target_id, target_label) VALUES ('2099-01-01', %s, 'x', 'x', 'web', '', '', '', '', '')",
            organisation.pk,
        )
    fault = ledger.verify(organisation.pk).fault
    assert fault is not None and "no chain" in fault.reason


def test_a_tail_cut_with_its_links_is_found_by_a_noted_head(tmp_path):
    organisation = make_organisation()
    entries = write(organisation, 10)
    noted = tmp_path / "heads"
    call_command("verify_audit", heads=noted, stdout=StringIO())
    with as_an_intruder():
        sql("DELETE FROM core_auditentry WHERE id >= %s", entries[7].pk)
        sql("DELETE FROM core_auditlink WHERE entry_id >= %s", entries[7].pk)
    assert ledger.verify(organisation.pk).fault is None  # a shorter chain is sound by itself
    out = StringIO()
    with pytest.raises(CommandError) as failure:
        call_command("verify_audit", against=noted, stdout=out)
    assert failure.value.returncode == 1
    assert "cut" in out.getvalue()


def test_a_chain_written_anew_or_gone_is_found_by_a_noted_head(tmp_path):
    organisation = make_organisation()
    entries = write(organisation, 4)
    noted = {head.chain: head for head in ledger.heads()}[organisation.pk]
    with as_an_intruder():
        sql("UPDATE core_auditentry SET actor_label = 'nobody' WHERE id = %s", entries[1].pk)
        sql("DELETE FROM core_auditlink WHERE chain = %s", organisation.pk)
        sql(
            "INSERT INTO core_auditpending SELECT id, organisation_id FROM core_auditentry WHERE organisation_id = %s",
            organisation.pk,
        )
    audit.link_pending(organisation.pk)
    fault = ledger.verify(organisation.pk, noted).fault
    assert fault is not None and "anew" in fault.reason


def test_the_command_names_the_first_broken_row_and_exits_with_1():
    organisation = make_organisation("acme")
    entries = write(organisation, 4)
    out = StringIO()
    call_command("verify_audit", stdout=out)
    assert "acme: 4 entries, sound." in out.getvalue()
    with as_an_intruder():
        sql("UPDATE core_auditentry SET verb = 'test.thing.denied' WHERE id = %s", entries[1].pk)
    out = StringIO()
    with pytest.raises(CommandError) as failure:
        call_command("verify_audit", org="acme", stdout=out)
    assert failure.value.returncode == 1
    assert f"entry {entries[1].pk}, test.thing.denied by command line" in out.getvalue()
    with pytest.raises(CommandError) as unknown:
        call_command("verify_audit", org="nowhere", stdout=StringIO())
    assert unknown.value.returncode == 2


def test_concurrent_writers_leave_one_sound_chain_and_nothing_waiting():
    organisation = make_organisation()
    failures: list[Exception] = []

    def work() -> None:
        try:
            for _ in range(25):
                with transaction.atomic():
                    write(organisation)
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert not AuditPending.objects.exists()  # whoever found the lock taken could rely on its holder
    verdict = ledger.verify(organisation.pk)
    assert (verdict.length, verdict.fault) == (200, None)


def test_an_open_transaction_holds_nobody_up():
    organisation = make_organisation()
    entered, done = threading.Event(), threading.Event()

    def dawdle() -> None:
        try:
            with transaction.atomic():
                write(organisation)
                entered.set()
                done.wait(timeout=60)
        finally:
            connection.close()

    thread = threading.Thread(target=dawdle)
    thread.start()
    assert entered.wait(timeout=60)
    sql("SET lock_timeout = '2s'")
    write(organisation, 3)  # neither waits for the open transaction, nor is its linking held up
    assert AuditLink.objects.filter(chain=organisation.pk).count() == 3
    done.set()
    thread.join()
    sql("SET lock_timeout = 0")
    assert ledger.verify(organisation.pk).length == 4


def test_what_a_crash_left_unlinked_is_linked_by_the_next_who_comes():
    organisation = make_organisation()
    with transaction.atomic():
        write(organisation, 2)
        connection.run_on_commit.clear()  # as if the process had died between commit and linking
    assert AuditPending.objects.count() == 2
    write(organisation)
    assert not AuditPending.objects.exists()


def test_deleting_a_user_or_an_object_leaves_the_entries():
    organisation, user = make_organisation(), make_user("leaver")
    actor = Actor(user=user, label=user.username, channel="web")
    audit.record(organisation=organisation, actor=actor, verb="test.thing.happened", target=user)
    user.delete()
    entry = AuditEntry.objects.get(verb="test.thing.happened")
    assert (entry.actor_label, entry.target_label) == ("leaver", "leaver")
    assert ledger.verify(organisation.pk).fault is None
