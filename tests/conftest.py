"""PostgreSQL and Redis for the tests: those of DATABASE_URL and REDIS_URL, else private ones, as long as the session.

Everything here runs before Django reads its settings. A killed session leaves no server behind: the kernel ends them
with it (portal/runtime/launch.py), and the next session removes its folder.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
import psutil
import pytest
from hypothesis import settings as hypothesis

from portal.runtime.postgres import PostgresServer
from portal.runtime.redis import RedisServer
from tests.portal_process import portal_process, start_portal

__all__ = ["portal_process", "start_portal"]

# The same examples everywhere and however busy the machine is, so that what continuous integration finds can be
# repeated. `--hypothesis-profile default` draws new ones.
hypothesis.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.load_profile("repeatable")

# Short, because a Unix socket's path is limited to 107 bytes. The process id tells whose it is.
_FOLDERS = Path(tempfile.gettempdir())
_PREFIX = "ensemble-test-"

_LONG = ("tests/worker/", "tests/runtime/", "tests/browser/", "tests/engine/test_any_run.py")
"""Where tests start whole portals, drive a browser, or try thousands of examples."""

_servers: list[subprocess.Popen[bytes]] = []
_folder: Path | None = None


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput"):
        # `-n`: this process only hands tests out. Its workers would inherit what it sets, and read settings too soon.
        return
    _start_servers()
    os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
    os.environ["TESTING"] = "1"
    os.environ["MODEL_PROVIDERS"] = "offline"  # a key of the developer's own must not be found
    django.setup()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes begins first, so that nothing of it is left alone at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(_LONG))


def _start_servers() -> None:
    _remove_abandoned()
    folder = _make_folder()
    os.environ.setdefault("PORTAL_DATA", str(folder))
    os.environ.setdefault("PORTAL_PROCESS", "command")
    if not os.environ.get("DATABASE_URL"):
        postgres = PostgresServer.below(folder, durable=False)
        os.environ["DATABASE_URL"] = _start(postgres, folder / "postgres.log")
    if not os.environ.get("REDIS_URL"):
        os.environ["REDIS_URL"] = _start(RedisServer.below(folder), folder / "redis.log")


def pytest_unconfigure(config: pytest.Config) -> None:
    for server in reversed(_servers):
        server.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown; Redis takes it as SIGTERM
    for server in _servers:
        server.wait(timeout=60)
    if _folder:
        shutil.rmtree(_folder, ignore_errors=True)


def _make_folder() -> Path:
    global _folder
    _folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=_FOLDERS))
    _folder.chmod(0o711)  # PostgreSQL runs as another user when we are root
    return _folder


def _start(server: PostgresServer | RedisServer, log: Path) -> str:
    server.prepare()
    program = server.program
    with log.open("wb") as output:
        process = subprocess.Popen(
            program.command, env=program.variables, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    _servers.append(process)
    server.wait_ready(lambda: process.poll() is not None)
    return server.url


def _remove_abandoned() -> None:
    for folder in _FOLDERS.glob(f"{_PREFIX}*"):
        owner = folder.name.removeprefix(_PREFIX).split("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def ledger_can_be_flushed() -> None:
    """Tests with `transaction=True` end with TRUNCATE, which the audit ledger refuses: its guards look away then."""
    from django.db.backends.postgresql.operations import DatabaseOperations

    original = DatabaseOperations.sql_flush
    guards = {"core_auditentry": "core_audit_entries_kept", "core_auditlink": "core_audit_links_kept"}

    def sql_flush(self: Any, style: Any, tables: Any, **options: Any) -> list[str]:
        statements = original(self, style, tables, **options)
        off = [f"ALTER TABLE {table} DISABLE TRIGGER {name}" for table, name in guards.items()]
        on = [f"ALTER TABLE {table} ENABLE TRIGGER {name}" for table, name in guards.items()]
        return [*off, *statements, *on] if statements else statements

    DatabaseOperations.sql_flush = sql_flush


@pytest.fixture(scope="session", autouse=True)
def static_files_are_not_looked_for() -> None:
    """Each test client makes its own chain of middleware, which reads the whole folder; pages are asked for, not files.

    Tests with a server of its own (`portal_process`) have the files.
    """
    from django.conf import settings

    settings.SERVESTATIC_USE_FINDERS = settings.SERVESTATIC_USE_STATIC_ROOT = False


@pytest.fixture
def cast(db: None) -> Any:
    """The people of `tests.cast`."""
    from tests.cast import make_cast

    return make_cast()


@pytest.fixture
def organisation(db: None) -> Any:
    """One without people."""
    from tests.factories import make_organisation

    return make_organisation()


@pytest.fixture
def scripted_nodes() -> Iterator[None]:
    """The node type `scripted`, which does as its settings say."""
    from tests.driver.scripted import registered

    with registered():
        yield


@pytest.fixture
def start_engine(transactional_db: None) -> Any:
    """`start_engine(plan)`: a host in a thread (tests/engine_host.py); the test needs `django_db(transaction=True)`."""
    from tests.engine_host import starting

    yield from starting()


@pytest.fixture
def engine(start_engine: Any) -> Any:
    """One such host."""
    return start_engine()


@pytest.fixture(autouse=True)
def thread_of_coroutines_lets_go() -> Any:
    """Close the connections of the thread that `sync_to_async` uses, or the test database could not be dropped."""
    yield
    from asgiref.sync import SyncToAsync
    from django.db import connections

    SyncToAsync.single_thread_executor.submit(connections.close_all).result()
