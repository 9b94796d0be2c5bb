"""`manage.py rotate_secrets`: after a new key was put first in SECRETS_KEYS, encrypt every secret with it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.core.actors import Actor
from portal.core.services import secrets


class Command(BaseCommand):
    help = "Encrypt every secret with the first key of SECRETS_KEYS. The portal may be in use meanwhile."

    def handle(self, *args: Any, **options: Any) -> None:
        done, unreadable = secrets.rotate_all(actor=Actor.command())
        self.stdout.write(f"{done} secrets encrypted with key {secrets.newest_key_id()}.")
        if unreadable:
            names = ", ".join(f"{secret.organisation.slug}/{secret.name}" for secret in unreadable)
            raise CommandError(
                f"{len(unreadable)} secrets cannot be read with any key of SECRETS_KEYS: {names}. "
                "Bring their key back, or set their values again. Keep the old keys until this command ends well."
            )
