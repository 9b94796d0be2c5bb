"""`manage.py retention [--dry-run] [--org SLUG]`

Archives and deletes what policies say, all of it, and prints per workflow and status what was done; with --dry-run what
would be done, and how many bytes of rows (without indexes) that frees. The jobs do the same by themselves.
"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.template.defaultfilters import filesizeformat

from orchestration import cli
from orchestration.models import RetentionRule
from orchestration.queries.retention import preview
from orchestration.retention import passes
from orchestration.retention.passes import Done
from orchestration.retention.rules import saved
from portal.core.models import Organisation


class Command(BaseCommand):
    help = "Archive and delete runs by the organisations' policies."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Say what would be done; change nothing.")
        parser.add_argument("--org", "--organisation", metavar="SLUG", help="Only this organisation.")

    def handle(self, *args: Any, **options: Any) -> None:
        organisation = cli.organisation(options["org"]) if options["org"] else None
        if options["dry_run"]:
            self._say(organisation)
            return
        done = list(passes.carry_out(organisation, seconds=None))
        for found in done:
            self.stdout.write("\n".join(_lines(found)))
        if not done:
            self.stdout.write("There is nothing to archive or delete.")

    def _say(self, organisation: Organisation | None) -> None:
        """Reads every row that would go."""
        said = False
        with_policy = Organisation.objects.filter(pk__in=RetentionRule.objects.values("organisation")).order_by("pk")
        for one in [organisation] if organisation else with_policy:
            for line in preview(one, saved(one), sizes=True).lines:
                count, said = line.count, True
                self.stdout.write(
                    f"{one.slug}: would {count.act} {_runs(count.runs, count.status, count.slug)}, "
                    f"{count.events:,} events, ended by {count.last_ended_at:%Y-%m-%d %H:%M}, "
                    f"by the rule for {line.rule.words}; frees about {filesizeformat(line.frees or 0)}"
                )
        if not said:
            self.stdout.write("There is nothing to archive or delete.")


def _lines(found: Done) -> list[str]:
    done = [
        f"{found.organisation.slug}: {found.act}d {_runs(runs, status, slug)}"
        for (slug, status), runs in sorted(found.by.items())
    ]
    freed = filesizeformat(found.bytes_before - found.bytes_after)
    was = f" ({filesizeformat(found.bytes_before)} before, {filesizeformat(found.bytes_after)} after)"
    return [*done, f"{found.organisation.slug}: {freed} freed{was if found.bytes_after else ''}"]


def _runs(runs: int, status: str, slug: str) -> str:
    return f"{runs:,} {status} run{'' if runs == 1 else 's'} of {slug or 'no workflow'}"
