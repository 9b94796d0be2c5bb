"""`manage.py token --user admin --org demo --scope runs.start --days 30`: prints a new API token, once."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.core import clock
from portal.core.actors import Actor
from portal.core.errors import UserError
from portal.core.models import Membership, Organisation, User
from portal.core.permissions import ALL
from portal.core.services import tokens


class Command(BaseCommand):
    help = "Create an API token for a user in an organisation and print it. It cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", required=True, help="user name")
        parser.add_argument("--org", required=True, help="slug of the organisation")
        parser.add_argument("--name", default="command line", help="what will use the token")
        parser.add_argument(
            "--scope",
            action="append",
            default=[],
            choices=sorted(ALL),
            metavar="SCOPE",
            help=f"limit the token to this permission; may be repeated: {', '.join(sorted(ALL))}",
        )
        parser.add_argument("--days", type=int, help="days until it expires; without it, never")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"], is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active user named {options['user']!r}.")
        organisation = Organisation.objects.filter(slug=options["org"]).first()
        if organisation is None:
            raise CommandError(f"There is no organisation {options['org']!r}.")
        member = Membership.objects.filter(organisation=organisation, user=user).exists()
        if not member and not user.is_superuser:
            raise CommandError(f"{user} is not a member of {organisation}.")
        if options["days"] is not None and options["days"] < 1:
            raise CommandError("--days must be at least 1.")
        expires = clock.now() + timedelta(days=options["days"]) if options["days"] else None
        try:
            new = tokens.create_token(
                organisation=organisation,
                user=user,
                name=options["name"],
                scopes=options["scope"],
                expires_at=expires,
                actor=Actor.command(),
            )
        except UserError as error:
            raise CommandError(error.message) from error
        self.stdout.write(new.text)
