"""`web`: the web process, as `up` and a production host run it."""

import argparse
import socket
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.runtime.errors import CannotStart
from portal.runtime.listener import listen


class Command(BaseCommand):
    help = "Serve pages, API and sockets. On SIGTERM requests under way are finished first."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--fd", type=int, help="Number of a listening socket handed down by the starter.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            listener = listen(options["host"], options["port"]) if options["fd"] is None else None
        except CannotStart as reason:
            raise CommandError(str(reason)) from reason
        # Imported here: they start Twisted's reactor, which no other command wants.
        from portal.asgi import application
        from portal.runtime.web import DrainingServer

        DrainingServer(application, listener or socket.socket(fileno=options["fd"])).run()
