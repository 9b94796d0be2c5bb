"""What `manage.py up` promises, with the real processes."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import psutil
import psycopg
import pytest
import redis

from tests.portal_process import MANAGE, PortalProcess, StartPortal, data_folder, free_port, wait_for

pytestmark = [pytest.mark.processes, pytest.mark.timeout(600)]


def answers(portal: PortalProcess) -> bool:
    with suppress(OSError):
        return urlopen(f"{portal.address}/health/live", timeout=60).status == 200
    return False


def ready(portal: PortalProcess) -> bool:
    """Web, PostgreSQL and whatever else is required answer."""
    with suppress(OSError):
        return urlopen(f"{portal.address}/health/ready", timeout=60).status == 200
    return False


def users(portal: PortalProcess) -> set[str]:
    with psycopg.connect(portal.database_url) as connection:
        return {name for (name,) in connection.execute("SELECT username FROM core_user").fetchall()}


def samples(portal: PortalProcess) -> int:
    with psycopg.connect(portal.database_url) as connection:
        row = connection.execute("SELECT count(*) FROM orchestration_workflow").fetchone()
    return int(row[0]) if row else 0


def nothing_lives(processes: list[psutil.Process]) -> bool:
    return not [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture(scope="module")
def shared() -> Iterator[PortalProcess]:
    with data_folder() as folder:
        portal = PortalProcess(Path(folder))
        yield portal
        portal.close()


@pytest.fixture
def portal(shared: PortalProcess) -> PortalProcess:
    """One that is ready, and that a test may break: the next begins on the same data, whatever has been left of it."""
    if not (shared.lives and wait_for(lambda: ready(shared), 60)):
        shared.close()
        shared.start()
    shared.lines.clear()
    return shared


def test_starts_from_nothing_and_prints_the_logins_once(portal: PortalProcess) -> None:
    assert answers(portal)
    assert set(portal.logins) == {"admin", "approver"} == users(portal)
    with psycopg.connect(portal.database_url) as connection:
        stored = connection.execute("SELECT password FROM core_user WHERE username = 'admin'").fetchone()
    assert stored and stored[0].startswith("argon2") and portal.logins["admin"] not in stored[0]

    processes = portal.everything()
    assert portal.stop() == 0
    assert nothing_lives(processes)

    passwords, portal.logins = portal.logins, {}
    portal.start()
    assert portal.logins == {}
    assert not [line for line in portal.lines if any(password in line for password in passwords.values())]
    portal.logins = passwords


def test_stops_within_fifteen_seconds_web_first_database_last(portal: PortalProcess) -> None:
    web, postgres = psutil.Process(portal.pid("web")), psutil.Process(portal.pid("postgres"))
    everything = portal.everything()
    begun = time.monotonic()
    os.kill(portal.supervisor, signal.SIGINT)
    while not nothing_lives([web]):
        database_first = nothing_lives([postgres]) and not nothing_lives([web])
        assert not database_first
        time.sleep(0.02)
    assert portal.wait() == 0
    assert time.monotonic() - begun < 15 + 15, "it gives itself fifteen; the rest is for a machine that is busy"
    assert nothing_lives(everything)


def test_kill_9_of_everything_is_recovered_from(portal: PortalProcess) -> None:
    before = portal.everything()
    portal.kill_all()
    portal.start()
    assert answers(portal)
    assert users(portal) == {"admin", "approver"}
    assert nothing_lives(before)


def test_kill_9_of_the_supervisor_alone_leaves_nothing_in_the_way(portal: PortalProcess) -> None:
    before = portal.everything()
    os.kill(portal.supervisor, signal.SIGKILL)
    portal.start()
    assert answers(portal)
    assert nothing_lives(before)


def test_whatever_dies_is_started_again_and_a_line_says_why(portal: PortalProcess) -> None:
    for name in ("web", "engine", "jobs", "redis", "postgres"):
        pid = portal.pid(name)
        os.kill(pid, signal.SIGKILL)
        line = portal.wait_for_line(f"{name} was ended by SIGKILL")
        assert re.search(r"starting it again in [\d.]+ s", line)
        assert wait_for(lambda name=name, pid=pid: _pid_or_none(portal, name) not in {pid, None}, 120), name
    assert wait_for(lambda: ready(portal), 120)
    with redis.Redis.from_url(portal.redis_url) as client:
        assert client.ping()
    assert users(portal) == {"admin", "approver"}


def test_workers_that_lost_their_sentinel_are_ended_and_the_cluster_starts_anew(portal: PortalProcess) -> None:
    main = portal.pid("jobs")
    assert wait_for(lambda: len(portal.processes("jobs")) >= 5, 120)  # main, sentinel, worker, monitor, pusher
    before = portal.processes("jobs")
    (sentinel,) = psutil.Process(main).children()
    sentinel.kill()
    assert wait_for(lambda: _pid_or_none(portal, "jobs") not in {main, None}, 120)
    assert nothing_lives(before)


def test_a_jobs_worker_killed_while_idle_does_not_leave_the_cluster_deaf(portal: PortalProcess) -> None:
    main = portal.pid("jobs")
    assert wait_for(lambda: len(portal.processes("jobs")) >= 5, 120)
    (sentinel,) = psutil.Process(main).children()
    worker = sentinel.children()[0]  # django-q2 starts workers first
    worker.kill()
    portal.wait_for_line("jobs lost a worker")
    assert wait_for(lambda: _pid_or_none(portal, "jobs") not in {main, None}, 120)


def test_a_second_up_says_who_holds_the_data(portal: PortalProcess, start_portal: StartPortal) -> None:
    second = start_portal(data=portal.data, ready=False)
    second.launch()
    assert second.wait() == 1
    said = "\n".join(second.lines)
    assert f"process {portal.supervisor}" in said and portal.address in said and "since" in said
    assert answers(portal)


def test_a_port_in_use_is_one_clear_line(start_portal: StartPortal) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        portal = start_portal(ready=False)
        portal.port = other.getsockname()[1]
        portal.launch()
        assert portal.wait() == 1
    assert (
        refusal(portal) == f"Port {portal.port} on 127.0.0.1 is in use by another program. Choose another with --port."
    )


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        (
            "DATABASE_URL",
            "postgresql://me:hidden@127.0.0.1:1/shop",
            "at 127.0.0.1:1/shop (DATABASE_URL) cannot be used",
        ),
        ("DATABASE_URL", "no url at all", "DATABASE_URL cannot be read"),
        ("REDIS_URL", "redis://:hidden@127.0.0.1:1/0", "Redis at 127.0.0.1:1 (REDIS_URL) cannot be used"),
        ("REDIS_URL", "no url at all", "REDIS_URL cannot be read"),
    ],
)
def test_a_server_that_cannot_be_used_is_one_clear_line(
    start_portal: StartPortal, variable: str, value: str, expected: str
) -> None:
    portal = start_portal(environment={variable: value}, ready=False)
    portal.launch()
    assert portal.wait() == 1
    assert expected in refusal(portal)
    assert not [line for line in portal.lines if "hidden" in line or "Traceback" in line]


def test_a_long_path_with_a_space_from_another_folder(start_portal: StartPortal) -> None:
    with data_folder() as folder:
        data = Path(folder) / ("a long way to go " * 6).strip() / ("and on " * 10).strip() / "my data"
        portal = start_portal(data=data, ready=False)
        portal.start(folder=Path("/"))
        assert answers(portal)
        assert users(portal) == {"admin", "approver"}
        sockets = Path(parse_qs(urlsplit(portal.database_url).query)["host"][0])
        assert sockets.is_dir() and data not in sockets.parents
        portal.stop()
        assert not sockets.exists()


def test_reset_asks_for_a_word_and_then_starts_from_nothing(portal: PortalProcess) -> None:
    first = dict(portal.logins)
    assert samples(portal) > 0
    portal.stop()
    stranger = portal.data / "notes.txt"
    stranger.write_text("not ours")

    portal.launch("--reset", typed="no\n")
    assert portal.wait() == 1
    assert "Nothing was removed" in refusal(portal)
    assert (portal.data / "postgres").is_dir()

    portal.start("--reset", "--no-demo", typed="reset\n")
    assert samples(portal) == 0
    assert set(portal.logins) == set(first)
    assert portal.logins["admin"] != first["admin"]
    assert stranger.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
def test_runs_as_an_ordinary_user() -> None:
    folders = [Path(sys.executable), MANAGE]
    if not all(p.stat().st_mode & 0o001 for path in folders for p in path.resolve().parents):
        pytest.skip("the code or the virtual environment is closed to other users")
    with data_folder() as folder:
        os.chown(folder, 65534, 65534)
        process = subprocess.Popen(
            [sys.executable, str(MANAGE), "up", "--data", f"{folder}/data", "--port", str(free_port())],
            env={"PATH": os.environ["PATH"], "HOME": folder, "PYTHONDONTWRITEBYTECODE": "1"},
            user=65534,
            group=65534,
            extra_groups=[],
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout
        lines = []
        try:
            for line in process.stdout:
                lines.append(line)
                if "Stop with Ctrl-C" in line:
                    break
            assert any("is ready at" in line for line in lines), "".join(lines)
        finally:
            process.terminate()
            process.communicate(timeout=60)
        assert process.returncode == 0


def refusal(portal: PortalProcess) -> str:
    """The one line that says why it did not start."""
    (line,) = [line for line in portal.lines if "Cannot start: " in line]
    return line.partition("Cannot start: ")[2]


def _pid_or_none(portal: PortalProcess, name: str) -> int | None:
    """None between an end and the next start."""
    with suppress(StopIteration):
        return portal.pid(name)
    return None
