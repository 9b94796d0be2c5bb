"""Processes that an earlier `up` started and could not stop, because it was killed. They are ended before a new start.

Each program runs in a session of its own whose number is the program's process id, so its descendants are found by that
number even when the program itself is dead. The ids are written down in the data folder with the programs' start times,
because the kernel uses process ids again.
"""

import json
import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

SERVERS = {"postgres", "redis"}
CLOCK_STEP = 2.0  # seconds by which start times may differ that are read before and after the clock was set


@dataclass(frozen=True)
class Started:
    name: str
    pid: int
    created: float


class Register:
    """The list of started programs, kept in `processes.json` of the data folder."""

    def __init__(self, data: Path) -> None:
        self._path = data / "processes.json"
        self._started: list[Started] = []

    def add(self, name: str, pid: int) -> None:
        with suppress(psutil.NoSuchProcess):
            self._started.append(Started(name, pid, psutil.Process(pid).create_time()))
            self._save()

    def remove(self, pid: int) -> None:
        self._started = [entry for entry in self._started if entry.pid != pid]
        self._save()

    def read(self) -> list[Started]:
        """What an earlier run wrote down and did not strike out."""
        try:
            return [Started(**entry) for entry in json.loads(self._path.read_text(encoding="utf-8"))]
        except (FileNotFoundError, ValueError, TypeError):  # a torn file lists nothing that can be trusted
            return []

    def _save(self) -> None:
        draft = self._path.with_suffix(".new")
        draft.write_text(json.dumps([asdict(entry) for entry in self._started]), encoding="utf-8")
        draft.replace(self._path)


def members(session: int, *, since: float = 0.0) -> list[psutil.Process]:
    """Living processes of a session, the oldest first; none that is older than `since` (seconds of the epoch)."""
    found = []
    for process in psutil.process_iter(["create_time", "status"]):
        if process.info["status"] == psutil.STATUS_ZOMBIE or process.info["create_time"] < since - CLOCK_STEP:
            continue
        with suppress(ProcessLookupError, PermissionError):
            if os.getsid(process.pid) == session:
                found.append(process)
    return sorted(found, key=lambda process: process.info["create_time"])


def of_register(register: Register) -> list[psutil.Process]:
    """Programs with their descendants. Not the private servers: those know best who works on their data."""
    found = []
    for entry in register.read():
        if entry.name in SERVERS or entry.pid <= 0:  # 0 stands for every session begun outside of this container
            continue
        leader = next((p for p in members(entry.pid) if p.pid == entry.pid), None)
        if leader and abs(leader.info["create_time"] - entry.created) > CLOCK_STEP:
            continue  # the number has been given to a stranger, and its session with it
        found += members(entry.pid, since=entry.created)
    return found


def end(processes: Iterable[psutil.Process], *steps: tuple[signal.Signals, float]) -> list[psutil.Process]:
    """Send each step's signal to those still alive and wait its seconds. Returns who outlived all steps."""
    alive = [process for process in processes if process.pid != os.getpid()]
    for number, seconds in steps:
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        _, alive = psutil.wait_procs(alive, timeout=seconds)
        alive = [process for process in alive if _lives(process)]
        if not alive:
            break
    return alive


def _lives(process: psutil.Process) -> bool:
    """A zombie is dead: without an init that collects it, it stays in the list for ever."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
