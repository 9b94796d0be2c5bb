"""One `up` a data folder. The kernel holds the lock, so it is free the moment its holder is dead, however it died."""

import datetime
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from portal.runtime.errors import CannotStart


@contextmanager
def held(data: Path, *, address: str) -> Iterator[None]:
    """Hold the folder. Raises CannotStart that says who holds it already: its process, since when, and its address."""
    path = data / "up.lock"
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CannotStart(f"{_holder(path)} Stop it first, or choose another folder with --data.") from error
        _write(path, {"pid": os.getpid(), "since": _now(), "address": address})
        yield
        path.write_text("", encoding="utf-8")


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        return (
            f"{path.parent} is held by process {holder['pid']}, which has been serving {holder['address']} "
            f"since {holder['since']}."
        )
    except (ValueError, KeyError):  # caught between taking the lock and writing its name into it
        return f"{path.parent} is held by another process, which is just starting or stopping."


def _write(path: Path, holder: dict[str, object]) -> None:
    # In place, not by renaming: the lock is on this very file.
    path.write_text(json.dumps(holder), encoding="utf-8")


def _now() -> str:
    return datetime.datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
