"""`manage.py replay_run RUN... | --all [--json]`

Folds stored events again with this version of the code and compares with the stored rows. Changes nothing. Exit status:
0 the same, 1 they differ, 2 not found or bad input.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from orchestration.models import Run
from orchestration.queries.replay import Replay, replay


class Command(BaseCommand):
    help = "Fold stored runs again and compare with what is stored. Reads only."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", nargs="*", metavar="RUN", help="Id of a run.")
        parser.add_argument("--all", action="store_true", help="All runs, the newest first.")
        parser.add_argument("--org", metavar="SLUG", help="With --all: of this organisation.")
        parser.add_argument("--limit", type=int, metavar="N", help="With --all: at most so many.")
        parser.add_argument("--json", action="store_true", help="One JSON line a run.")

    def handle(self, *args: Any, **options: Any) -> None:
        checked = differ = 0
        for run in self._runs(options):
            found = replay(run)
            checked, differ = checked + 1, differ + (not found.same)
            if options["json"]:
                self.stdout.write(json.dumps(_as_json(found)))
            elif not found.same or not options["all"]:
                self.stdout.write("\n".join(_lines(found)))
        if options["all"] and not options["json"]:
            self.stdout.write(f"{checked} runs folded again, {differ} of them differ.")
        if differ:
            raise CommandError(f"{differ} of {checked} runs differ from what is stored.", returncode=1)

    def _runs(self, options: dict[str, Any]) -> Iterable[Run]:
        if bool(options["run"]) == options["all"]:
            raise CommandError("Name runs, or say --all.", returncode=2)
        if options["all"]:
            found = Run.objects.order_by("-created_at")
            if options["org"]:
                found = found.filter(organisation__slug=options["org"])
            return found[: options["limit"]].iterator(chunk_size=100)
        return [_run(text) for text in options["run"]]


def _run(text: str) -> Run:
    try:
        found = Run.objects.filter(pk=UUID(text)).first()
    except ValueError:
        raise CommandError(f"{text!r} is no id of a run.", returncode=2) from None
    if found is None:
        raise CommandError(f"There is no run {text}.", returncode=2)
    return found


def _as_json(found: Replay) -> dict[str, Any]:
    return {
        "run": str(found.run_id),
        "same": found.same,
        "events": found.events,
        "unknown": found.unknown or None,
        "planned": found.planned,
        "differences": [asdict(difference) for difference in found.differences],
    }


def _lines(found: Replay) -> list[str]:
    lines = [f"Run {found.run_id}: {found.events} events, {'the same.' if found.same else 'DIFFERS.'}"]
    if found.unknown:
        lines.append(f"  {found.unknown} are not known to this version; compared up to there only.")
    if found.planned:
        lines.append(f"  It has ended, and {found.planned} commands would follow.")
    places = (f"  {item.place}: stored {item.stored}; folded {item.folded}" for item in found.differences)
    return [*lines, *places]
