"""Secrets: encrypted, bound to their place, rotated under load, never told again."""

import threading

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from portal.core import redaction
from portal.core.actors import Actor
from portal.core.models import AuditEntry, Secret
from portal.core.services import secrets
from portal.core.services.secrets import SecretMissing, SecretUnreadable
from tests.cast import Cast
from tests.factories import make_organisation

CANARY = "canary-9f3b2c7d1e"


def put(organisation, name: str = "API_KEY", value: str = CANARY) -> Secret:
    return secrets.set_secret(organisation=organisation, name=name, value=value, actor=Actor.command())


def test_what_is_put_in_comes_out_for_the_engine_and_is_nowhere_in_the_database(cast: Cast):
    put(cast.organisation)
    assert secrets.read(cast.organisation, "API_KEY") == CANARY
    assert CANARY not in str(list(Secret.objects.values())) + str(list(AuditEntry.objects.values()))


def test_a_row_copied_to_another_organisation_or_name_does_not_decrypt(cast: Cast):
    row = put(cast.organisation)
    for organisation, name in ((cast.elsewhere, "API_KEY"), (cast.organisation, "OTHER")):
        Secret.objects.create(
            organisation=organisation, name=name, ciphertext=row.ciphertext, key_id=row.key_id, set_at=row.set_at
        )
        with pytest.raises(SecretUnreadable) as refused:
            secrets.read(organisation, name)
        assert CANARY not in str(refused.value) and row.ciphertext not in str(refused.value)


def test_a_missing_secret_names_the_remedy(cast: Cast):
    with pytest.raises(SecretMissing, match="no secret named 'NOPE'"):
        secrets.read(cast.organisation, "NOPE")


def test_without_its_key_a_secret_is_unreadable_and_says_so(cast: Cast, settings):
    put(cast.organisation)
    settings.SECRETS_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(SecretUnreadable, match="SECRETS_KEYS"):
        secrets.read(cast.organisation, "API_KEY")
    with pytest.raises(CommandError, match="acme/API_KEY"):
        call_command("rotate_secrets")


def test_rotation_makes_the_old_key_superfluous(cast: Cast, settings, capsys):
    put(cast.organisation)
    old, new = settings.SECRETS_KEYS[0], Fernet.generate_key().decode()
    settings.SECRETS_KEYS = [new, old]
    assert secrets.read(cast.organisation, "API_KEY") == CANARY
    call_command("rotate_secrets")
    settings.SECRETS_KEYS = [new]
    assert secrets.read(cast.organisation, "API_KEY") == CANARY
    assert AuditEntry.objects.filter(verb="core.secret.rotated").count() == 1
    call_command("rotate_secrets")
    assert "0 secrets" in capsys.readouterr().out


@pytest.mark.django_db(transaction=True)
def test_rotation_under_load_loses_no_write_and_fails_no_read(settings):
    organisation = make_organisation()
    for number in range(20):
        put(organisation, f"K{number}", f"value-{number}-first")
    settings.SECRETS_KEYS = [Fernet.generate_key().decode(), *settings.SECRETS_KEYS]
    wrong: list[str] = []

    def use() -> None:
        try:
            for number in range(20):
                put(organisation, f"K{number}", f"value-{number}-second")
                if secrets.read(organisation, f"K{number}") != f"value-{number}-second":
                    wrong.append(f"K{number}")
        finally:
            connection.close()

    thread = threading.Thread(target=use)
    thread.start()
    secrets.rotate_all(actor=Actor.command())
    thread.join()
    assert wrong == []
    settings.SECRETS_KEYS = settings.SECRETS_KEYS[:1]
    assert [secrets.read(organisation, f"K{n}") for n in range(20)] == [f"value-{n}-second" for n in range(20)]


def test_the_admin_shows_that_it_is_set_and_never_to_what(cast: Cast, client: Client):
    row = put(cast.organisation)
    client.force_login(cast.admin)
    page = client.get(f"/admin/core/secret/{row.pk}/change/")
    assert page.status_code == 200
    assert CANARY not in page.text and row.ciphertext not in page.text
    saved = client.post(f"/admin/core/secret/{row.pk}/change/", {"description": "for tests", "value": ""})
    assert saved.status_code == 302
    assert secrets.read(cast.organisation, "API_KEY") == CANARY  # empty keeps it
    client.post(f"/admin/core/secret/{row.pk}/change/", {"description": "for tests", "value": "second-value"})
    assert secrets.read(cast.organisation, "API_KEY") == "second-value"
    refused = client.post(f"/admin/core/secret/{row.pk}/change/", {"description": "x" * 201, "value": "third-value"})
    assert refused.status_code == 200 and "third-value" not in refused.text  # nor does a form that comes back


def test_the_ledger_and_redaction_know_a_secret_from_the_moment_it_is_set(cast: Cast):
    put(cast.organisation, value="very-special-word")
    assert redaction.redact({"a": ["x very-special-word y"]}, cast.organisation) == {"a": ["x [redacted] y"]}
