"""`engine`: this machine's cluster of hosts that drive runs."""

import os
from multiprocessing import active_children
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection

from orchestration.tasks import ring_anew


class Command(BaseCommand):
    help = "Drive runs: start this machine's engine cluster, with ENGINE_WORKERS workers. SIGTERM drains it."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        # What rings a killed cluster had taken stay reserved for it for long; new ones begin work at once.
        ring_anew()
        connection.close()  # the cluster forks
        call_command("qcluster")
        for sentinel in active_children():
            sentinel.join()
        os._exit(0)  # the interpreter would take litellm apart for seconds, while `up` waits
