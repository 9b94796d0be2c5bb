"""Where the private servers' sockets are. The path of a Unix socket has at most 107 bytes; data folders may be deep."""

import hashlib
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from portal.runtime.accounts import Account
from portal.runtime.errors import CannotStart

LONGEST = 107  # sun_path of unix(7), less its closing zero
LONGEST_NAME = len("/.s.PGSQL.5432.lock")


def socket_folder(data: Path, account: Account | None) -> Path:
    """A folder for sockets that nobody else can enter: `data/run`, or a short one in the system's temp folder."""
    folder = _place(data)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _refuse_foreign(folder, account)
    if account:
        account.own(folder)
    return folder


def tidy(data: Path) -> None:
    """Remove the folder from the temp folder when the servers have stopped and taken their sockets away."""
    folder = _place(data)
    if data not in folder.parents:
        with suppress(OSError):
            folder.rmdir()


def _place(data: Path) -> Path:
    folder = data / "run"
    return folder if len(os.fsencode(folder)) + LONGEST_NAME <= LONGEST else _short_folder(data)


def _short_folder(data: Path) -> Path:
    place = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    if len(os.fsencode(place)) + 40 > LONGEST or not os.access(place, os.W_OK):
        place = Path("/tmp")  # noqa: S108  ownership is checked below
    mark = hashlib.sha256(os.fsencode(data)).hexdigest()[:10]
    return place / f"ensemble-{os.geteuid()}-{mark}"


def _refuse_foreign(folder: Path, account: Account | None) -> None:
    """In a shared temp folder anybody may have made it first, to listen in."""
    found = folder.lstat()
    mine = {os.geteuid(), account.uid if account else os.geteuid()}
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in mine:
        raise CannotStart(f"{folder} belongs to somebody else. Remove it, or choose another folder with --data.")
