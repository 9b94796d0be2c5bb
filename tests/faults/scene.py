"""The whole portal under load, for faults to happen to: processes, runs, a sink that counts, and the account.

A `Scene` is a portal of its own (`manage.py up`), an effect sink in a process apart, people who answer, and threads
that start runs: some straight through the services, some through the API of the web process. All starts carry an
idempotency key and are repeated until they are accepted, as a careful client's would be.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import psutil

from tests import effects
from tests.portal_process import PortalProcess, data_folder, wait_for

AT_WORK = """
    SELECT count(*) FROM orchestration_noderun AS node
    JOIN orchestration_run AS run ON run.id = node.run_id
    JOIN orchestration_enginehost AS host ON host.id = run.host_id
    WHERE node.status = 'running' AND node.type <> 'loop' AND host.pid = ANY(%s)
"""
MOST_OPEN = 5
"""Times the width that are open at most: beyond the width only runs that were started through the API."""
ONCE = "once"
"""Nodes called so are at-most-once."""


def ask(statement: str, *arguments: Any) -> list[Any]:
    """Rows, as soon as the database answers: it may be what is broken."""
    from django.db import Error, connection

    end = time.monotonic() + 120
    while True:
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, arguments)
                return list(cursor.fetchall())
        except Error:
            connection.close()
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def work(seconds: float) -> list[dict[str, Any]]:
    """Definitions of the runs, in turns: a long chain, one with everything, and one with at-most-once steps."""
    timed = effects.chain(12, seconds, timeout_seconds=120)  # a limit that a clock which is off must not use up
    return [timed, effects.branches_loop_and_approval(seconds), effects.guarded(4, seconds)]


class Scene:
    """Open with `scene(...)`."""

    def __init__(self, portal: PortalProcess, sink: effects.SinkProcess, *, step_seconds: float) -> None:
        from portal.core.models import Organisation, User
        from portal.core.services.tokens import create_token

        self.portal, self.sink = portal, sink
        self.organisation = Organisation.objects.get(slug="demo")
        self.admin = User.objects.get(username="admin")
        effects.make_agent(self.organisation, sink.address)
        self.bodies = work(step_seconds)
        self.token = create_token(
            organisation=self.organisation, user=self.admin, name="faults", actor=self._actor()
        ).text
        self.workflow = self._publish(self.bodies[0])

    def _actor(self) -> Any:
        from portal.core.actors import Actor

        return Actor.command(self.admin)

    def _publish(self, body: dict[str, Any]) -> str:
        from orchestration.services import workflows

        made = workflows.create_workflow(organisation=self.organisation, actor=self._actor(), definition=body)
        workflows.publish(workflow=made, actor=self._actor())
        return str(made.slug)

    # -- processes ----------------------------------------------------------------------------------------------------

    def wait_for_another(self, name: str, pid: int, seconds: float = 60) -> bool:
        """Until another process than this works as `name` (web, engine, jobs, postgres, redis)."""

        def there() -> bool:
            with suppress(StopIteration, psutil.NoSuchProcess):
                return self.portal.pid(name) != pid
            return False

        return bool(wait_for(there, seconds))

    def hosts(self) -> list[int]:
        """Process ids of the engine's hosts; none while the database or the cluster is away."""
        import psycopg

        with suppress(StopIteration, psutil.NoSuchProcess, psycopg.Error):
            return self.portal.engine_hosts()
        return []

    def wait_for_hosts(self, count: int = 1, seconds: float = 90) -> None:
        if not wait_for(lambda: len(self.hosts()) >= count, seconds):
            raise AssertionError(f"no {count} hosts within {seconds:g} s:\n" + "\n".join(self.portal.lines[-30:]))

    def at_work(self, hosts: Sequence[int] | None = None) -> int:
        """Steps that these hosts, or all, work at now."""
        return int(ask(AT_WORK, list(self.hosts() if hosts is None else hosts))[0][0])

    @contextmanager
    def standing_still(self, hosts: Sequence[int]) -> Iterator[None]:
        """Stop processes for a moment, so that what they have at work can be read exactly."""
        stopped = []
        for pid in hosts:
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                process.suspend()
                stopped.append(process)
        time.sleep(0.05)  # commits that were on their way
        try:
            yield
        finally:
            for process in stopped:
                with suppress(psutil.NoSuchProcess):
                    process.resume()

    def events(self) -> int:
        return int(ask("SELECT coalesce(sum(last_seq), 0) FROM orchestration_run")[0][0])

    def seconds_to_go_on(self, since: float, seconds: float = 120) -> float:
        """From `since` (monotonic) until a run makes a step."""
        before = self.events()
        if not wait_for(lambda: self.events() > before, seconds):
            raise AssertionError(f"nothing went on for {seconds:g} s")
        return time.monotonic() - since


class Load:
    """Keeps `width` runs under way until `stop`; `accepted` are those that somebody was told of."""

    def __init__(self, scene: Scene, width: int, *, by_api: bool = True) -> None:
        self.scene, self.width = scene, width
        self.accepted: list[UUID] = []
        self.refused: list[str] = []
        """Answers of the API other than 201, and failures in the middle of one."""
        self._over, self._gone_home = threading.Event(), threading.Event()
        self._people = threading.Thread(target=self._keep, args=(self._answer_people, self._gone_home), daemon=True)
        self._starters = [threading.Thread(target=self._keep, args=(self._start_runs, self._over), daemon=True)]
        if by_api:
            self._starters.append(threading.Thread(target=self._start_by_api, daemon=True))

    def start(self) -> Load:
        for thread in (self._people, *self._starters):
            thread.start()
        return self

    def stop_starting(self) -> None:
        self._over.set()
        for thread in self._starters:
            thread.join(150)

    def stop(self) -> None:
        """People go home too."""
        self.stop_starting()
        self._gone_home.set()
        self._people.join(60)

    def _keep(self, duty: Callable[[], None], over: threading.Event) -> None:
        """Do it again and again, also while the database is away."""
        from django.db import Error, connection

        try:
            while not over.wait(0.2):
                try:
                    duty()
                except Error:
                    connection.close()
        finally:
            connection.close()

    def _start_runs(self) -> None:
        from orchestration.models import Run
        from orchestration.services.definitions import kept
        from orchestration.services.new_runs import NewRun, start_run
        from portal.core.actors import Actor

        missing = self.width - Run.objects.filter(pk__in=self.accepted, ended_at=None).count()
        for _ in range(missing):
            body = self.scene.bodies[len(self.accepted) % len(self.scene.bodies)]
            key = f"faults-{len(self.accepted)}-{uuid4()}"
            run = self._until_accepted(
                lambda body=body, key=key: start_run(
                    NewRun(  # type: ignore[misc]
                        organisation=self.scene.organisation,
                        actor=Actor.command(),
                        definition=kept(body),
                        inputs={},
                        idempotency_key=key,
                    )
                )
            )
            self.accepted.append(run.pk)

    def _until_accepted(self, start: Callable[[], Any]) -> Any:
        from django.db import Error, connection

        while True:
            try:
                return start()
            except Error:
                connection.close()
                time.sleep(0.2)

    def _start_by_api(self) -> None:
        """One run a second; a client that repeats a request whose answer it did not get."""
        from django.db import connection

        headers = {"Authorization": f"Bearer {self.scene.token}"}
        while not self._over.wait(1.0):
            if self._enough():
                continue
            wanted = {"workflow": self.scene.workflow, "idempotency_key": str(uuid4())}
            while not self._over.is_set():
                try:
                    with httpx.Client(base_url=self.scene.portal.address, headers=headers, timeout=120) as client:
                        answer = client.post("/api/v1/runs", json=wanted)
                except httpx.TransportError as error:
                    self.refused.append(type(error).__name__)
                    time.sleep(0.2)
                    continue
                if answer.status_code == 201:
                    self.accepted.append(UUID(answer.json()["id"]))
                    break
                self.refused.append(str(answer.status_code))
                time.sleep(0.2)

        connection.close()

    def _enough(self) -> bool:
        """A machine that is busy with something else must not be given more and more."""
        from django.db import Error

        try:
            return len(self.unended()) >= MOST_OPEN * self.width
        except Error:
            return True

    def _answer_people(self) -> None:
        """Approve what is open, as the demo's approver would."""
        from approvals.models import ApprovalRequest
        from approvals.services.decisions import AlreadyClosed, decide
        from portal.core.actors import Actor
        from portal.core.models import User

        approver = User.objects.get(username="approver")
        for request in ApprovalRequest.objects.filter(status="open").select_related("organisation"):
            with suppress(AlreadyClosed):
                decide(
                    request=request,
                    user=approver,
                    actor=Actor.command(approver),
                    option=request.options[0]["port"],
                    comment="Fine.",
                    values=None,
                )

    def unended(self) -> list[UUID]:
        rows = ask("SELECT id FROM orchestration_run WHERE id = ANY(%s) AND ended_at IS NULL", list(self.accepted))
        return [run for (run,) in rows]


@contextmanager
def scene(
    workers: int = 2, *, step_seconds: float = 0.3, log: Path | None = None, data: Path | None = None
) -> Iterator[Scene]:
    """A portal of its own, ready, with Django of this process set up on its database. One a process."""
    sink = effects.SinkProcess()
    environment = {"OUTGOING_ALLOW": f"127.0.0.1:{sink.port}", "ENGINE_WORKERS": str(workers)}
    with data_folder() as folder:
        portal = PortalProcess(data or Path(folder), environment=environment)
        try:
            portal.start(seconds=240)
            os.environ |= {"DATABASE_URL": portal.database_url, "REDIS_URL": portal.redis_url}
            os.environ |= {"PORTAL_DATA": str(portal.data), "DJANGO_SETTINGS_MODULE": "portal.settings", **environment}
            os.environ |= {"PORTAL_PROCESS": "command", "LOG_LEVEL": "WARNING"}
            import django

            django.setup()
            made = Scene(portal, sink, step_seconds=step_seconds)
            made.wait_for_hosts(workers)
            yield made
        finally:
            portal.close()
            sink.close()
            if log:
                log.write_text("\n".join(portal.lines), encoding="utf-8")
