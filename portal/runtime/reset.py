"""`up --reset`: start again from nothing."""

import os
import shutil
import sys
from pathlib import Path

from portal.runtime.errors import CannotStart

WORD = "reset"
# Only what the portal itself makes: a mistyped --data must not cost anybody their files.
OURS = ("postgres", "run", "staticfiles", "keys.json", "services.json", "processes.json")


def empty(data: Path) -> None:
    """Ask for the word, then remove all the portal has stored here. The servers must be down. Raises CannotStart."""
    if os.environ.get("DATABASE_URL"):
        raise CannotStart(
            "--reset empties the private database only, and DATABASE_URL names another. Empty that by its own means."
        )
    print(f"All workflows, runs, users and keys in {data} will be gone. Type {WORD!r} to go on: ", end="", flush=True)  # noqa: T201
    if sys.stdin.readline().strip() != WORD:
        raise CannotStart("Nothing was removed, because the word was not typed.")
    for name in OURS:
        path = data / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
