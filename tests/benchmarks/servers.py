"""A private PostgreSQL (fsync on) and Redis for a benchmark, with Django set up on them and the tables made."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def django_on_servers() -> Iterator[None]:
    from portal.runtime.postgres import PostgresServer
    from portal.runtime.redis import RedisServer

    with tempfile.TemporaryDirectory(prefix="ensemble-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)  # PostgreSQL runs as another user when we are root
        servers = [PostgresServer.below(folder), RedisServer.below(folder)]
        processes = [_start(server, folder) for server in servers]
        os.environ |= {"DATABASE_URL": servers[0].url, "REDIS_URL": servers[1].url, "PORTAL_DATA": name}
        os.environ |= {"DJANGO_SETTINGS_MODULE": "portal.settings", "LOG_LEVEL": "WARNING"}
        try:
            import django

            django.setup()
            from django.core.management import call_command

            call_command("migrate", verbosity=0)
            yield
        finally:
            for process in reversed(processes):
                process.send_signal(signal.SIGINT)
                process.wait(timeout=20)


def _start(server: Any, folder: Path) -> subprocess.Popen[bytes]:
    server.prepare()
    program = server.program
    with (folder / "servers.log").open("ab") as output:
        process = subprocess.Popen(
            program.command, env=program.variables, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    server.wait_ready(lambda: process.poll() is not None)
    return process
