"""`manage.py steer ACTION RUN [...]`: what the run's page and the API do to a run, on the command line.

    steer show RUN                                          how it stands, and why it does not move
    steer pause | resume | cancel [--undo] | retry [--plan] RUN
    steer skip | override | retry-step RUN STEP             one step; --path 0.3 names an iteration
    steer variables RUN --set NAME=VALUE
    steer move RUN [--version-number N] [--plan]            to another version; --plan changes nothing
    steer rerun RUN --from STEP [--plan]                    a new, linked run

Prints JSON. Whatever changes something is audited as the user named, or as the command line. Exit status: 0 done,
1 refused (or, with --follow, the run has not completed), 2 bad input, 3 not followed to the end.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from orchestration import cli
from orchestration.cli import BadInput
from orchestration.engine.ids import path_of, path_text
from orchestration.models import Run, WorkflowVersion
from orchestration.monitoring import control, queries
from orchestration.services import rerun, runs, starting
from orchestration.services.retrying import retry_plan
from orchestration.services.steering.steps import override_step, retry_step_now, skip_step
from orchestration.services.steering.variables import change_variables
from orchestration.services.steering.versions import move_run, plan_move
from portal.core.actors import Actor
from portal.core.errors import UserError

JSON = Any
Options = dict[str, Any]


class Command(BaseCommand):
    help = "Steer a run: pause, resume, cancel, retry, skip or override a step, change variables, move, re-run."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        common = _common()
        for name, (_, told) in _ACTIONS.items():
            action = actions.add_parser(name, help=told, parents=[common])
            if name in ("skip", "override", "retry-step"):
                action.add_argument("step", help="Id of the node.")
                action.add_argument("--path", default="", help="Of an iteration: indexes joined by dots, as 0.3.")
        actions.choices["cancel"].add_argument("--undo", action="store_true", help="First undo what can be undone.")
        override = actions.choices["override"]
        override.add_argument("--outputs", required=True, metavar="JSON", help="What the step is to have yielded.")
        override.add_argument("--port", default="out", help="The way out it is to have taken.")
        actions.choices["rerun"].add_argument("--from", dest="steps", action="append", required=True, metavar="STEP")
        actions.choices["rerun"].add_argument("--input", action="append", default=[], metavar="KEY=VALUE")
        actions.choices["rerun"].add_argument("--output", action="append", default=[], metavar="STEP=JSON")
        for name in ("variables", "rerun"):
            needed = name == "variables"
            actions.choices[name].add_argument(
                "--set", action="append", default=[], required=needed, metavar="NAME=VALUE", help="A variable."
            )
        for name in ("move", "rerun"):
            actions.choices[name].add_argument("--version-number", type=int, help="A published version.")
        for name in ("retry", "move", "rerun"):
            actions.choices[name].add_argument("--plan", action="store_true", help="Only say what it would do.")

    def handle(self, *args: Any, **options: Any) -> None:
        run = _run(options["run"])
        act, _ = _ACTIONS[options["action"]]
        actor = Actor.command(cli.member(options["user"], run.organisation) if options["user"] else None)
        said = {"actor": actor, "reason": options["reason"]}
        try:
            made = act(run, options, said)
        except UserError as error:
            raise CommandError(cli.with_problems(error), returncode=1 if error.status in (403, 409) else 2) from error
        if isinstance(made, dict):
            self.stdout.write(json.dumps(made, indent=2, ensure_ascii=False, default=str))
            return
        if not options["follow"]:
            self.stdout.write(json.dumps(_standing(made), indent=2, ensure_ascii=False, default=str))
            return
        after = run.last_seq if made.pk == run.pk else 0
        cli.finish(cli.follow(made, self.stderr.write, after=after), self.stdout.write, self.stderr.write)


def _common() -> ArgumentParser:
    parser = ArgumentParser(add_help=False)
    parser.add_argument("run", metavar="RUN", help="Id of the run.")
    parser.add_argument("--user", help="Who does it, by user name.")
    parser.add_argument("--reason", default="", help="Kept in the run's history and in the audit ledger.")
    parser.add_argument("--follow", action="store_true", help="Wait for the end and print the outputs.")
    return parser


def _run(text: str) -> Run:
    try:
        found = Run.objects.select_related("organisation", "workflow", "version", "definition").filter(pk=UUID(text))
    except ValueError:
        raise BadInput(f"{text!r} is no id of a run.") from None
    run = found.first()
    if run is None:
        raise BadInput(f"There is no run {text}.")
    return run


# Actions: (run, options, {"actor", "reason"}) -> the run as it is now, or what to print

Action = Callable[[Run, Options, dict[str, Any]], Run | dict[str, JSON]]


def _show(run: Run, options: Options, said: dict[str, Any]) -> dict[str, JSON]:
    return _standing(run)


def _cancel(run: Run, options: Options, said: dict[str, Any]) -> Run:
    return runs.cancel_run(run=run, undo=options["undo"], **said)


def _retry(run: Run, options: Options, said: dict[str, Any]) -> Run | dict[str, JSON]:
    if not options["plan"]:
        return runs.retry_run(run=run, **said)
    plan = retry_plan(run)
    return {
        "reused": [step.name for step in plan.reused],
        "again": [{"step": step.name, "effect": step.effect} for step in plan.again],
        "may_happen_twice": [f"{step.name}: {call.target}" for step in plan.again for call in step.calls],
    }


def _override(run: Run, options: Options, said: dict[str, Any]) -> Run:
    outputs = cli.json_of(options["outputs"], "--outputs")
    return override_step(run=run, outputs=outputs, port=options["port"], **_step(options), **said)


def _variables(run: Run, options: Options, said: dict[str, Any]) -> Run:
    return change_variables(run=run, values=cli.pairs("--set", options["set"]), **said)


def _move(run: Run, options: Options, said: dict[str, Any]) -> Run | dict[str, JSON]:
    version = _version(run, options["version_number"])
    if not options["plan"]:
        return move_run(run=run, version=version, **said)
    _, plan = plan_move(run=run, version=version)
    return {
        "version": version.number,
        "possible": not plan.obstacles,
        "problems": [found.as_json() for found in plan.obstacles],
        **{name: list(map(_place, getattr(plan, name))) for name in ("finished", "under_way", "vanishing")},
        "new": list(plan.new),
        "changed": list(plan.changed),
    }


def _rerun(run: Run, options: Options, said: dict[str, Any]) -> Run | dict[str, JSON]:
    number = options["version_number"]
    wish = rerun.Wish(
        nodes=options["steps"],
        version=None if number is None else _version(run, number),
        inputs=cli.pairs("--input", options["input"]) or None,
        outputs=cli.pairs("--output", options["output"]),
        variables=cli.pairs("--set", options["set"]),
    )
    if not options["plan"]:
        return rerun.rerun_from(run=run, wish=wish, source="cli", **said)
    prepared = rerun.plan_of(run=run, wish=wish)
    return {
        "problems": [found.as_json() for found in prepared.plan.obstacles],
        "reused": [step.node for step in prepared.reused],
        "again": [{"node": step.node, "why": step.why, "effect": step.effect} for step in prepared.again],
        "may_happen_twice": [f"{step.node}: {call.target}" for step in prepared.again for call in step.calls],
    }


_ACTIONS: dict[str, tuple[Action, str]] = {
    "show": (_show, "How the run stands, and why it does not move."),
    "pause": (lambda run, options, said: runs.pause_run(run=run, **said), "Begin nothing new."),
    "resume": (lambda run, options, said: runs.resume_run(run=run, **said), "Go on after a pause."),
    "cancel": (_cancel, "Stop what is under way, then end the run."),
    "retry": (_retry, "Go on from what failed."),
    "skip": (lambda run, options, said: skip_step(run=run, **_step(options), **said), "Without a step."),
    "override": (_override, "Say what a step yields."),
    "retry-step": (
        lambda run, options, said: retry_step_now(run=run, **_step(options), **said),
        "Do not wait for a step's next try.",
    ),
    "variables": (_variables, "Change variables; steps read them from then on."),
    "move": (_move, "Go on with another version."),
    "rerun": (_rerun, "Re-run from a step, as a linked run."),
}


def _step(options: Options) -> dict[str, Any]:
    try:
        return {"node": options["step"], "path": path_of(options["path"])}
    except ValueError:
        raise BadInput(f"--path wants indexes joined by dots, as 0.3, not {options['path']!r}.") from None


def _version(run: Run, number: int | None) -> WorkflowVersion:
    if run.workflow is None:
        raise BadInput("This run belongs to no workflow, so it has no other versions.")
    return starting.chosen_version(run.workflow, number)


def _place(key: tuple[str, tuple[int, ...]]) -> str:
    node, path = key
    return f"{node}[{path_text(path)}]" if path else node


def _standing(run: Run) -> dict[str, JSON]:
    found = control.control(run)
    return {
        "id": str(run.pk),
        "name": run.name,
        "status": run.status,
        "progress": f"{run.nodes_ended} of {run.nodes_total}",
        "asked": [asdict(wish) for wish in found.asked],
        "goes_on": [asdict(step) for step in found.goes_on],
        "waiting_for": [reason.text for reason in queries.reasons(run)],
        "error": run.error,
    }
