"""`jobs`: this machine's cluster for everything but runs."""

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Do the jobs beside the runs (mail, schedules, probes): start the jobs cluster, with JOBS_WORKERS workers."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("qcluster")
