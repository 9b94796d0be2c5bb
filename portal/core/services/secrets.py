"""The secrets store: write-only for people, read by the step that needs a value.

What is encrypted is an envelope `{"organisation", "name", "value"}`: a row copied to another organisation or name
decrypts, but is refused. Keys are `settings.SECRETS_KEYS`, newest first; each row names the key that wrote it.
"""

import hashlib
import json

import structlog
from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.db import transaction

from portal.core import clock, live, redaction
from portal.core.actors import Actor
from portal.core.errors import UserError
from portal.core.models import Organisation, Secret
from portal.core.services import audit

log = structlog.get_logger(__name__)


class SecretMissing(UserError):
    """No secret of that name; names the remedy."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no secret named {name!r}. An administrator can add it under Secrets.", "no_secret")
        self.name = name


class SecretUnreadable(UserError):
    """The row does not decrypt here: its key is gone, or the row was copied from elsewhere. Holds no ciphertext."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The secret {name!r} cannot be read with the keys of this installation. Set its value again, or bring "
            "back the key it was encrypted with (SECRETS_KEYS).",
            "secret_unreadable",
        )
        self.name = name


def read(organisation: Organisation, name: str) -> str:
    """The plain value; for the engine only. Raises SecretMissing, SecretUnreadable. From here on it is redacted."""
    row = Secret.objects.filter(organisation=organisation, name=name).first()
    if row is None:
        raise SecretMissing(name)
    value = _open(row)
    redaction.remember(organisation.pk, [value])
    return value


def values_of(organisation: Organisation) -> list[str]:
    """Every readable value, for redaction only."""
    values = []
    for row in Secret.objects.filter(organisation=organisation):
        try:
            values.append(_open(row))
        except SecretUnreadable:
            log.warning("secret unreadable", secret=row.name, organisation=organisation.slug)
    return values


@transaction.atomic
def set_secret(*, organisation: Organisation, name: str, value: str, actor: Actor, description: str = "") -> Secret:
    """Create or replace. The ledger says that it was set, never to what."""
    if not value:
        raise UserError("A secret needs a value.", "empty_secret")
    redaction.remember(organisation.pk, [value])
    secret, created = Secret.objects.update_or_create(
        organisation=organisation,
        name=name,
        defaults={
            "description": description,
            "ciphertext": _seal(organisation.pk, name, value),
            "key_id": newest_key_id(),
            "set_at": clock.now(),
        },
    )
    verb = "core.secret.created" if created else "core.secret.replaced"
    audit.record(organisation=organisation, actor=actor, verb=verb, target=secret)
    live.hint(organisation.pk, "agents")
    return secret


@transaction.atomic
def delete_secret(*, secret: Secret, actor: Actor) -> None:
    audit.record(organisation=secret.organisation, actor=actor, verb="core.secret.deleted", target=secret)
    secret.delete()


def rotate_all(*, actor: Actor) -> tuple[int, list[Secret]]:
    """Encrypt every row with the newest key: (rows rewritten, rows unreadable). Safe beside readers and writers.

    One short transaction a row, so that a row set meanwhile is never overwritten with its old value.
    """
    done, unreadable = 0, []
    for pk in Secret.objects.exclude(key_id=newest_key_id()).values_list("pk", flat=True):
        with transaction.atomic():
            row = Secret.objects.select_for_update().filter(pk=pk).exclude(key_id=newest_key_id()).first()
            if row is None:
                continue
            try:
                value = _open(row)
            except SecretUnreadable:
                unreadable.append(row)
                continue
            row.ciphertext, row.key_id = _seal(row.organisation_id, row.name, value), newest_key_id()
            row.save(update_fields=["ciphertext", "key_id"])
            audit.record(organisation=row.organisation, actor=actor, verb="core.secret.rotated", target=row)
            done += 1
    return done, unreadable


def newest_key_id() -> str:
    return _key_id(settings.SECRETS_KEYS[0])


def _seal(organisation_id: int, name: str, value: str) -> str:
    envelope = json.dumps({"organisation": organisation_id, "name": name, "value": value})
    return Fernet(settings.SECRETS_KEYS[0]).encrypt(envelope.encode()).decode()


def _open(row: Secret) -> str:
    """Raises SecretUnreadable, without a cause: a traceback must not carry the ciphertext along."""
    by_id = {_key_id(key): key for key in settings.SECRETS_KEYS}
    candidates = [by_id[row.key_id]] if row.key_id in by_id else list(settings.SECRETS_KEYS)
    for key in candidates:
        try:
            envelope = json.loads(Fernet(key).decrypt(row.ciphertext.encode()))
        except (InvalidToken, ValueError):
            continue
        if envelope["organisation"] == row.organisation_id and envelope["name"] == row.name:
            return str(envelope["value"])
    raise SecretUnreadable(row.name) from None


def _key_id(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:12]
