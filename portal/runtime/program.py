"""A program to be started, and how: the one description used for servers, web, clusters and tests."""

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from portal.runtime.accounts import Account, needs_passage

LAUNCHER = Path(__file__).with_name("launch.py")


@dataclass(frozen=True)
class Program:
    """`death_signal` is what the program gets when its starter dies; `environment` is added to the starter's own."""

    arguments: tuple[str, ...]
    death_signal: signal.Signals = signal.SIGTERM
    account: Account | None = None
    needs: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    keep_open: tuple[int, ...] = ()

    @property
    def command(self) -> list[str]:
        """The full command line, by way of `launch.py`. To be started by the process that calls this."""
        launch = [sys.executable, "-I", "-S", str(LAUNCHER), "--parent", str(os.getpid())]
        launch += ["--death-signal", str(int(self.death_signal))]
        if self.account:
            launch += ["--uid", str(self.account.uid), "--gid", str(self.account.gid)]
            if needs_passage(Path(self.arguments[0]), *self.needs):
                launch.append("--read-everywhere")
        return [*launch, "--", *self.arguments]

    @property
    def variables(self) -> dict[str, str]:
        return {**os.environ, **self.environment}
