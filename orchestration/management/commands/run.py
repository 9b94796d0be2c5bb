"""`manage.py run WORKFLOW_OR_FILE --org demo --input k=v --input-file k=path --follow`

Starts a run of a published workflow, or of a definition in a JSON file. With --follow it prints progress to stderr and
the outputs as JSON to stdout. Exit status: 0 completed, 1 failed or cancelled, 2 bad input, 3 not followed to the end.
"""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from orchestration.models import Run, RunEvent, Workflow
from orchestration.services import runs, starting, values, workflows
from portal.core.actors import Actor
from portal.core.errors import UserError
from portal.core.models import Organisation, User

POLL_SECONDS = 0.2


class BadInput(CommandError):
    """What was given cannot be run; exit status 2."""

    def __init__(self, message: str) -> None:
        super().__init__(message, returncode=2)


class Command(BaseCommand):
    help = "Start a run and, with --follow, wait for its outputs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("workflow", help="Slug of a published workflow, or path of a definition (*.json).")
        parser.add_argument("--org", required=True, help="Slug of the organisation.")
        parser.add_argument("--input", action="append", default=[], metavar="KEY=VALUE", help="Value: JSON, or text.")
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
        organisation = _organisation(options["org"])
        actor = Actor.command(_user(options["user"], organisation) if options["user"] else None)
        try:
            run = self._start(organisation, actor, options)
        except UserError as error:
            raise BadInput(_with_problems(error)) from error
        self.stderr.write(f"Run {run.id} of {run.name}")
        if not options["follow"]:
            self.stdout.write(json.dumps({"id": str(run.id), "status": run.status}))
            return
        try:
            run = self._follow(run)
        except KeyboardInterrupt:
            self.stderr.write("No longer following; the run goes on.")
            sys.exit(3)
        if run.status != "completed":
            reason = (run.error or {}).get("message", "no further reason given")
            self.stderr.write(f"The run is {run.status}: {reason}")
            sys.exit(1)
        outputs = values.whole_of(run.organisation_id, run.outputs, most_bytes=None)
        self.stdout.write(json.dumps(outputs, indent=2, ensure_ascii=False))

    def _start(self, organisation: Organisation, actor: Actor, options: dict[str, Any]) -> Run:
        inputs = _inputs(options)
        wanted = options["workflow"]
        common = {"inputs": inputs, "actor": actor, "source": "cli", "priority": options["priority"]}
        if wanted.endswith(".json") or Path(wanted).is_file():
            body = workflows.checked(organisation=organisation, definition=_json(_read(wanted), wanted))
            return runs.start_run(
                organisation=organisation,
                definition=workflows.kept(body),
                idempotency_key=options["key"],
                **common,
            )
        workflow = Workflow.objects.filter(organisation=organisation, slug=wanted, archived_at=None).first()
        if workflow is None:
            known = ", ".join(Workflow.objects.filter(organisation=organisation).values_list("slug", flat=True)[:20])
            raise BadInput(f"There is no workflow {wanted!r} in {organisation.slug}. There are: {known or 'none yet'}.")
        run, _ = starting.start_workflow(
            workflow=workflow, version=options["version_number"], idempotency_key=options["key"], **common
        )
        return run

    def _follow(self, run: Run) -> Run:
        """Print each step as it happens; return the run once it has ended."""
        names = {node["id"]: node.get("name") or node["id"] for node in run.definition.body["nodes"]}
        seq = 0
        while True:
            run.refresh_from_db()
            for event in RunEvent.objects.filter(run=run, seq__gt=seq).order_by("seq"):
                seq = event.seq
                line = _line(event, names)
                if line:
                    self.stderr.write(line)
            if run.ended and seq >= run.last_seq:
                return run
            time.sleep(POLL_SECONDS)


_SAID = {
    "NodeStarted": "started",
    "NodeSucceeded": "done",
    "NodeFailed": "failed",
    "NodeSkipped": "skipped",
    "NodeCancelled": "cancelled",
    "AttemptFailed": "attempt failed",
    "AlternativeChosen": "asks the next agent, because the former one failed",
    "NodeEscalated": "has failed, and waits for a person to say how it goes on",
    "EscalationAnswered": "a person has answered",
    "AttemptAbandoned": "was cut off, begins again",
}


def _line(event: RunEvent, names: dict[str, str]) -> str:
    at = event.at.strftime("%H:%M:%S")
    name = names.get(event.node, event.node) + (f" [{event.path}]" if event.path else "")
    if event.type == "NodeWaiting":
        return f"{at}  {name}: waits for {_awaited(event.data)}"
    if event.type in _SAID:
        error = (event.data.get("error") or {}).get("message", "")
        return f"{at}  {name}: {_SAID[event.type]}{': ' + error if error else ''}"
    if not event.node:
        return f"{at}  {event.type.removeprefix('Run').lower()}" if event.type.startswith("Run") else ""
    return ""


def _awaited(data: dict[str, Any]) -> str:
    assignee = (data.get("data") or {}).get("assignee") or {}
    whom = assignee.get("user") or (f"role {assignee['role']}" if assignee.get("role") else "")
    reason = {"approval": "a decision", "human_input": "an answer", "timer": "its time"}.get(
        data["reason"], data["reason"]
    )
    return f"{reason} ({whom})" if whom else str(reason)


def _organisation(slug: str) -> Organisation:
    found = Organisation.objects.filter(slug=slug).first()
    if found is None:
        known = ", ".join(Organisation.objects.values_list("slug", flat=True)[:20])
        raise BadInput(f"There is no organisation {slug!r}. There are: {known or 'none yet'}.")
    return found


def _user(name: str, organisation: Organisation) -> User:
    found = User.objects.filter(username=name, memberships__organisation=organisation).first()
    if found is None:
        raise BadInput(f"No member of {organisation.slug} is called {name!r}.")
    return found


def _inputs(options: dict[str, Any]) -> dict[str, Any]:
    inputs: dict[str, Any] = {}
    if options["inputs"]:
        whole = _json(_read(options["inputs"]), options["inputs"])
        if not isinstance(whole, dict):
            raise BadInput(f"--inputs {options['inputs']} must hold one JSON object.")
        inputs |= whole
    for pair in options["input"]:
        key, value = _pair("--input", pair)
        inputs[key] = _json_or_text(value)
    for pair in options["input_file"]:
        key, path = _pair("--input-file", pair)
        text = _read(path)
        inputs[key] = _json(text, path) if path.endswith(".json") else text
    return inputs


def _pair(option: str, text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise BadInput(f"{option} wants KEY=VALUE, not {text!r}.")
    return key, value


def _json_or_text(value: str) -> Any:
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


def _json(text: str, path: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise BadInput(f"{path} is not JSON: {error}") from error


def _read(path: str) -> str:
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read: {error}") from error


def _with_problems(error: UserError) -> str:
    problems: list[dict[str, Any]] = getattr(error, "problems", [])
    return "\n".join([error.message, *(f"  {problem['path']}: {problem['message']}" for problem in problems)])
