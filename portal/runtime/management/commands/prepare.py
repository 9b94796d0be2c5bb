"""`prepare`: bring the database up to date and seed it when it is empty. `up` calls it; so does a deployment."""

import argparse
import json
import os
from dataclasses import asdict
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection

from portal.core.services.seeding import seed

# Any number that nothing else takes: two deployments at once migrate one after the other.
LOCK = 7_301_180_911


class Command(BaseCommand):
    help = "Migrate the database, and on an empty one create the demo organisation and its logins, which are printed."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--no-demo", dest="demo", action="store_false", help="Leave the samples out.")
        parser.add_argument("--report", type=int, help="Write the logins as JSON to this open file number.")

    def handle(self, *args: Any, **options: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        call_command("migrate", interactive=False, verbosity=0)
        logins = seed(options["demo"])
        if options["report"] is not None:
            with os.fdopen(options["report"], "w", encoding="utf-8") as report:
                json.dump([asdict(login) for login in logins], report)
            return
        for login in logins:
            self.stdout.write(f"login {login.username}   password {login.password}")
