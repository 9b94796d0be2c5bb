"""`manage.py run WORKFLOW_OR_FILE --org demo --input k=v --input-file k=path --follow`

Starts a run of a published workflow, or of a definition in a JSON file. With --follow it prints progress to stderr and
the outputs as JSON to stdout. Exit status: 0 completed, 1 failed or cancelled, 2 bad input, 3 not followed to the end.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from orchestration import cli
from orchestration.cli import BadInput
from orchestration.models import Run, Workflow
from orchestration.services import definitions, new_runs, starting
from portal.core.actors import Actor
from portal.core.errors import UserError
from portal.core.models import Organisation


class Command(BaseCommand):
    help = "Start a run and, with --follow, wait for its outputs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("workflow", help="Slug of a published workflow, or path of a definition (*.json).")
        parser.add_argument("--org", required=True, help="Slug of the organisation.")
        parser.add_argument(
            "--input",
            action="append",
            default=[],
            metavar="KEY=VALUE",
            help="Value: JSON, or text where the input is text.",
        )
        parser.add_argument("--input-file", action="append", default=[], metavar="KEY=PATH", help="- reads stdin.")
        parser.add_argument("--inputs", metavar="PATH", help="All inputs as one JSON object; - reads stdin.")
        parser.add_argument(
            "--version-number", type=int, default=None, help="A published version; the newest if left out."
        )
        parser.add_argument("--user", default=None, help="Who starts it, by user name.")
        parser.add_argument("--key", default=None, help="Idempotency key: the same key starts once.")
        parser.add_argument("--priority", type=int, default=5, choices=range(1, 11), metavar="1-10")
        parser.add_argument("--follow", action="store_true", help="Wait for the end and print the outputs.")

    def handle(self, *args: Any, **options: Any) -> None:
        organisation = cli.organisation(options["org"])
        actor = Actor.command(cli.member(options["user"], organisation) if options["user"] else None)
        try:
            run = self._start(organisation, actor, options)
        except UserError as error:
            raise BadInput(cli.with_problems(error)) from error
        self.stderr.write(f"Run {run.id} of {run.name}")
        if not options["follow"]:
            self.stdout.write(json.dumps({"id": str(run.id), "status": run.status}))
            return
        cli.finish(cli.follow(run, self.stderr.write), self.stdout.write, self.stderr.write)

    def _start(self, organisation: Organisation, actor: Actor, options: dict[str, Any]) -> Run:
        wanted = options["workflow"]
        common = {"actor": actor, "source": "cli", "priority": options["priority"]}
        if wanted.endswith(".json") or Path(wanted).is_file():
            body = definitions.checked(organisation=organisation, definition=cli.json_of(cli.read(wanted), wanted))
            return new_runs.start_run(
                new_runs.NewRun(
                    organisation=organisation,
                    inputs=_inputs(options, lambda: body.get("inputs")),
                    definition=definitions.kept(body),
                    idempotency_key=options["key"],
                    **common,
                )
            )
        workflow = Workflow.objects.filter(organisation=organisation, slug=wanted, archived_at=None).first()
        if workflow is None:
            known = ", ".join(Workflow.objects.filter(organisation=organisation).values_list("slug", flat=True)[:20])
            raise BadInput(f"There is no workflow {wanted!r} in {organisation.slug}. There are: {known or 'none yet'}.")
        number = options["version_number"]
        run, _ = starting.start_workflow(
            workflow=workflow,
            inputs=_inputs(options, lambda: starting.chosen_version(workflow, number).body.get("inputs")),
            version=number,
            idempotency_key=options["key"],
            **common,
        )
        return run


def _inputs(options: dict[str, Any], schema: Callable[[], Any]) -> dict[str, Any]:
    """schema: of the inputs; asked for only where something typed could be JSON or text."""
    inputs: dict[str, Any] = {}
    if options["inputs"]:
        whole = cli.json_of(cli.read(options["inputs"]), options["inputs"])
        if not isinstance(whole, dict):
            raise BadInput(f"--inputs {options['inputs']} must hold one JSON object.")
        inputs |= whole
    typed = cli.pairs("--input", options["input"])
    if not all(isinstance(value, str) for value in typed.values()):
        typed = cli.declared_texts(typed, "--input", options["input"], schema())
    inputs |= typed
    for pair in options["input_file"]:
        key, path = cli.pair("--input-file", pair)
        text = cli.read(path)
        inputs[key] = cli.json_of(text, path) if path.endswith(".json") else text
    return inputs
