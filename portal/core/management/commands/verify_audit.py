"""`manage.py verify_audit`: is the ledger what was written? `--heads` notes the ends, `--against` compares."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.core.models import AuditEntry, Organisation
from portal.core.services import ledger
from portal.core.services.ledger import Fault, Head


class Command(BaseCommand):
    help = "Check every chain of the audit ledger; name the first broken row and exit with 1."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--org", help="slug; only this organisation's chain")
        parser.add_argument(
            "--heads", type=Path, metavar="FILE", help="note the end of each chain in FILE; keep it elsewhere"
        )
        parser.add_argument(
            "--against", type=Path, metavar="FILE", help="compare with ends noted before: finds a cut tail"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        names = {0: "installation", **dict(Organisation.objects.values_list("pk", "slug"))}
        noted = self._noted(options["against"])
        faults = 0
        for chain in self._chains(options["org"], noted):
            verdict = ledger.verify(chain, noted.get(chain))
            name = names.get(chain, f"organisation {chain}")
            if verdict.fault is None:
                self.stdout.write(f"{name}: {verdict.length} entries, sound.")
            else:
                faults += 1
                self.stdout.write(f"{name}: BROKEN at {_place(verdict.fault)}: {verdict.fault.reason}.")
        if faults:
            raise CommandError(f"{faults} of the ledger's chains are broken.", returncode=1)
        if options["heads"]:
            options["heads"].write_text("".join(f"{head}\n" for head in ledger.heads()), encoding="utf-8")

    def _chains(self, slug: str | None, noted: dict[int, Head]) -> list[int]:
        if slug is None:
            # A chain that was noted and is gone altogether must be missed.
            return sorted({*ledger.chains(), *noted})
        organisation = Organisation.objects.filter(slug=slug).first()
        if organisation is None:
            raise CommandError(f"There is no organisation {slug!r}.", returncode=2)
        return [organisation.pk]

    def _noted(self, path: Path | None) -> dict[int, Head]:
        if path is None:
            return {}
        try:
            lines = path.read_text(encoding="utf-8").split()
            return {head.chain: head for head in map(Head.parse, lines)}
        except (OSError, ValueError) as error:
            raise CommandError(f"{path} is no list of noted heads: {error}", returncode=2) from error


def _place(fault: Fault) -> str:
    """`number 17 (entry 4711, runs.run.started by ada at 2026-…)`, as much of it as is still there."""
    entry = AuditEntry.objects.filter(pk=fault.entry).first()
    about = f", {entry.verb} by {entry.actor_label} at {entry.at.isoformat(timespec='seconds')}" if entry else ""
    number = f"number {fault.number} " if fault.number else ""
    return f"{number}(entry {fault.entry}{about})" if fault.entry else number.strip()
