"""The whole portal as its users run it, for tests that need real processes: `manage.py up` on its own data folder.

`portal_process` is one portal for the whole session; do not kill its parts. `start_portal(...)` makes one that a test
may break.
"""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from portal.runtime.leftovers import Register, members
from portal.runtime.program import Program

MANAGE = Path(__file__).resolve().parents[1] / "manage.py"
READY = "Ensemble is ready at "


class PortalProcess:
    """`environment` is added to the test's own, less the addresses of the tests' servers."""

    def __init__(self, data: Path, *, port: int | None = None, environment: Mapping[str, str] | None = None) -> None:
        self.data = data
        self.port = port or free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.lines: list[str] = []
        self.logins: dict[str, str] = {}  # kept over restarts: passwords are printed once
        self._environment = dict(environment or {})
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    @property
    def environment(self) -> dict[str, str]:
        own = {
            name: value
            for name, value in os.environ.items()
            if name not in {"DATABASE_URL", "REDIS_URL", "PORTAL_DATA", "PORTAL_PROCESS", "DJANGO_SETTINGS_MODULE"}
            and not name.startswith("COV_")
        }
        return {**own, "PORTAL_DATA": str(self.data), **self._environment}

    def launch(self, *arguments: str, typed: str = "", folder: Path | None = None) -> None:
        """Start it and return at once. `typed` is what its standard input holds."""
        # It ends with the tests, however they end.
        command = ("up", "--data", str(self.data), "--port", str(self.port), *arguments)
        program = Program((sys.executable, str(MANAGE), *command), death_signal=signal.SIGTERM)
        if self._process:
            self._forget()
        self.lines = []
        self._process = subprocess.Popen(
            program.command,
            env=self.environment,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        assert self._process.stdin
        self._process.stdin.write(typed)
        self._process.stdin.close()
        self._reader = threading.Thread(target=self._read, args=(self._process, self.lines), daemon=True)
        self._reader.start()

    def start(self, *arguments: str, typed: str = "", folder: Path | None = None, seconds: float = 240) -> None:
        """Start it and wait until it says that it is ready."""
        self.launch(*arguments, typed=typed, folder=folder)
        self.wait_for_line(READY, seconds=seconds)
        self.wait_for_line("Stop with Ctrl-C")

    def wait_for_line(self, text: str, *, seconds: float = 120) -> str:
        """The first line that holds the text."""
        end = time.monotonic() + seconds
        while True:
            over = time.monotonic() > end or not (self._reader and self._reader.is_alive())
            found = next((line for line in list(self.lines) if text in line), None)
            if found:
                return found
            if over:
                raise AssertionError(f"{text!r} was not printed within {seconds:g} s:\n{self._tail()}")
            time.sleep(0.05)

    @property
    def lives(self) -> bool:
        """It has been started, and its supervisor has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def supervisor(self) -> int:
        assert self._process
        return self._process.pid

    @property
    def database_url(self) -> str:
        return str(self._services()["database_url"])

    @property
    def redis_url(self) -> str:
        return str(self._services()["redis_url"])

    def pid(self, name: str) -> int:
        """The process now running as web, engine, jobs, postgres or redis."""
        return next(entry.pid for entry in reversed(Register(self.data).read()) if entry.name == name)

    def processes(self, name: str) -> list[psutil.Process]:
        """That process and its descendants; for the engine: main, sentinel, workers, pusher and monitor."""
        return members(self.pid(name))

    def everything(self) -> list[psutil.Process]:
        """All processes of this portal."""
        session = [psutil.Process(self.supervisor)] if psutil.pid_exists(self.supervisor) else []
        return session + [process for entry in Register(self.data).read() for process in members(entry.pid)]

    def engine_hosts(self) -> list[int]:
        """Process ids of the hosts that drive runs now."""
        with psycopg.connect(self.database_url) as connection:
            rows = connection.execute(
                "SELECT pid FROM orchestration_enginehost WHERE ended_at IS NULL"
                " AND heartbeat_at > clock_timestamp() - interval '20 seconds'"
            ).fetchall()
        alive = {process.pid for process in self.processes("engine")}
        return [pid for (pid,) in rows if pid in alive]

    def manage(self, *arguments: str, seconds: float = 180) -> subprocess.CompletedProcess[str]:
        """Another management command beside it, on the same data."""
        return subprocess.run(
            [sys.executable, str(MANAGE), *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def kill_all(self) -> None:
        """kill -9 of everything, PostgreSQL and Redis included; the supervisor first, so that it cannot react."""
        for process in self.everything():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._forget()

    def stop(self, *, number: signal.Signals = signal.SIGTERM, seconds: float = 60) -> int:
        """Ask it to stop and return its exit status."""
        assert self._process
        if self._process.poll() is None:
            self._process.send_signal(number)
        status = self.wait(seconds=seconds)
        self._forget()
        return status

    def wait(self, *, seconds: float = 120) -> int:
        assert self._process
        try:
            status = self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.kill_all()
            raise AssertionError(f"It did not end within {seconds:g} s:\n{self._tail()}") from None
        if self._reader:
            self._reader.join(timeout=60)
        return status

    def close(self) -> None:
        """Whatever state it is in: end it."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self.stop()
        self.kill_all()

    def _forget(self) -> None:
        assert self._process
        self._process.wait(timeout=60)
        if self._reader:
            self._reader.join(timeout=60)
        if self._process.stdout:
            self._process.stdout.close()

    def _read(self, process: subprocess.Popen[str], lines: list[str]) -> None:
        assert process.stdout
        with suppress(ValueError):  # closed meanwhile
            for line in process.stdout:
                lines.append(line.rstrip("\n"))
                words = line.split()
                if words[:1] == ["login"] and len(words) == 4:
                    self.logins[words[1]] = words[3]

    def _services(self) -> dict[str, str]:
        return dict(json.loads((self.data / "services.json").read_text(encoding="utf-8")))

    def _tail(self) -> str:
        return "\n".join(self.lines[-60:])


def wait_for(ask: Callable[[], object], seconds: float) -> object:
    """Ask until the answer is true, and return it; the last answer when time is up."""
    end = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer or time.monotonic() > end:
            return answer
        time.sleep(0.05)


def free_port() -> int:
    """One that nobody gets by chance until it is used: below those that the kernel gives to callers and servers that
    name none, and any of many, as other tests choose theirs at the same time."""
    while True:
        port = random.SystemRandom().randrange(15_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


StartPortal = Callable[..., PortalProcess]


@pytest.fixture
def start_portal() -> Iterator[StartPortal]:
    """`start_portal(environment={...}, data=path)`: a ready portal of its own; `ready=False`: not started yet."""
    with ExitStack() as stack:

        def start(
            *arguments: str,
            data: Path | None = None,
            environment: Mapping[str, str] | None = None,
            ready: bool = True,
        ) -> PortalProcess:
            folder = data or Path(stack.enter_context(data_folder()))
            portal = PortalProcess(folder, environment=environment)
            stack.callback(portal.close)
            if ready:
                portal.start(*arguments)
            return portal

        yield start


@pytest.fixture(scope="session")
def portal_process() -> Iterator[PortalProcess]:
    """One portal with the demo data, for all tests that only use it. `portal_process.logins` holds the passwords."""
    with data_folder() as folder:
        portal = PortalProcess(Path(folder))
        try:
            portal.start()
            yield portal
        finally:
            portal.close()


def data_folder() -> "tempfile.TemporaryDirectory[str]":
    """Short, because of the limit of socket paths."""
    return tempfile.TemporaryDirectory(prefix=f"ensemble-test-{os.getpid()}-up-", ignore_cleanup_errors=True)
