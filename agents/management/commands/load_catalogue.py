"""`manage.py load_catalogue --org demo`: puts the starter agents and model profiles there; safe to repeat."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from agents import catalogue
from portal.core.actors import Actor
from portal.core.models import Organisation


class Command(BaseCommand):
    help = "Load the starter catalogue of agents into an organisation. Agents that people have changed are left alone."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--org", required=True, help="slug of the organisation")

    def handle(self, *args: Any, **options: Any) -> None:
        organisation = Organisation.objects.filter(slug=options["org"]).first()
        if organisation is None:
            raise CommandError(f"There is no organisation {options['org']!r}.")
        loaded = catalogue.load(organisation, Actor.command())
        self.stdout.write(f"{len(catalogue.ENTRIES)} agents of the starter catalogue: {loaded}.")
        for slug in loaded.kept:
            self.stdout.write(f"  {slug} was changed here and is left as it is.")
