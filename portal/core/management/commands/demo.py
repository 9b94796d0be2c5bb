"""`manage.py demo`: the catalogue of agents and the sample workflows, on an empty database with its logins."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from portal.core.models import Organisation
from portal.core.services import seeding


class Command(BaseCommand):
    help = (
        "Load the catalogue of agents and the sample workflows into an organisation; what is there already is kept. "
        "On an empty database it also makes the organisation and its logins, and prints the passwords once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--org", default=seeding.DEMO_SLUG, help="slug of the organisation")

    def handle(self, *args: Any, **options: Any) -> None:
        logins = seeding.seed(demo=True)
        for login in logins:
            self.stdout.write(f"login {login.username}   password {login.password}")
        if logins and options["org"] == seeding.DEMO_SLUG:
            return
        organisation = Organisation.objects.filter(slug=options["org"]).first()
        if organisation is None:
            raise CommandError(f"There is no organisation {options['org']!r}. A superuser can add it in /admin/.")
        with transaction.atomic():
            seeding.fill(organisation, demo=True)
        self.stdout.write(f"The samples are in {organisation}.")
