"""The account under which the private servers run. PostgreSQL refuses to run as root, so root has to choose another."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from portal.runtime.errors import CannotStart

# In order of preference; the last exists on every Unix.
CANDIDATES = ("ensemble", "postgres", "nobody")


@dataclass(frozen=True)
class Account:
    name: str
    uid: int
    gid: int

    def own(self, folder: Path) -> None:
        """Make the folder (not what is in it) this account's, closed to everybody else but root."""
        os.chown(folder, self.uid, self.gid)
        folder.chmod(0o700)


def server_account(data: Path) -> Account | None:
    """None for an ordinary user: servers run as that user too. For root, the owner of `data` if there is one."""
    if os.geteuid() != 0:
        return None
    if data.exists() and data.stat().st_uid != 0:
        owner = pwd.getpwuid(data.stat().st_uid)
        return Account(owner.pw_name, owner.pw_uid, owner.pw_gid)
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise CannotStart(
        f"PostgreSQL refuses to run as root, and none of the accounts {', '.join(CANDIDATES)} exists here."
    )


def needs_passage(*paths: Path) -> bool:
    """Whether a stranger would be stopped on the way to one of the paths, such as by a /root closed to others."""
    folders = {parent for path in paths for parent in path.resolve().parents}
    return any(not folder.stat().st_mode & stat.S_IXOTH for folder in folders if folder.exists())


def user_name() -> str:
    """The name of the user this process runs as."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError as error:
        raise CannotStart(
            f"The user id {os.geteuid()} has no name on this machine, which PostgreSQL needs. "
            "Add it to /etc/passwd, or set DATABASE_URL to a PostgreSQL server elsewhere."
        ) from error
