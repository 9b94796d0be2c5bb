"""`up`: start everything on this machine and keep it running."""

import argparse
import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from portal.runtime import services
from portal.runtime.options import Options
from portal.runtime.supervisor import supervise


class Command(BaseCommand):
    help = (
        "Start the portal: web, engine, jobs, and PostgreSQL and Redis unless DATABASE_URL and REDIS_URL name them. "
        "Prints the address, and on an empty database the logins. Stops in order on SIGTERM or Ctrl-C."
    )
    requires_system_checks: list[str] = []  # `prepare` makes them, where the database is known
    requires_migrations_checks = False

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="Address to listen on; 0.0.0.0 is all of them.")
        parser.add_argument("--port", type=int, default=int(os.environ.get("PORT") or 8000))
        parser.add_argument("--data", type=Path, default=services.data_dir(), help="Folder of all that is stored.")
        parser.add_argument("--no-demo", dest="demo", action="store_false", help="Leave the samples out.")
        parser.add_argument("--reset", action="store_true", help="First remove all that is stored, after a typed word.")

    def handle(self, *args: Any, **options: Any) -> None:
        supervise(
            Options(
                data=options["data"].expanduser().resolve(),
                host=options["host"],
                port=options["port"],
                demo=options["demo"],
                reset=options["reset"],
            )
        )
