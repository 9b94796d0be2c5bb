"""`python -m tests`: everything that must be green, as continuous integration runs it.

Words after it are handed to pytest (`python -m tests tests/engine -x`). Each step is named with its time; all are run,
and the exit status is 0 only if all of them passed.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
SCRIPTS = Path(PYTHON).parent
# One worker a core, each with its own PostgreSQL and Redis; the tests of a file stay together, and files keep the order
# of tests/conftest.py.
PARALLEL = ["-n", str(min(os.cpu_count() or 1, 4)), "--dist", "loadfile", "--no-loadscope-reorder"]


def steps(pytest_arguments: Sequence[str]) -> list[tuple[str, list[str]]]:
    return [
        ("ruff check", [PYTHON, "-m", "ruff", "check", "."]),
        ("ruff format", [PYTHON, "-m", "ruff", "format", "--check", "."]),
        ("mypy", [PYTHON, "-m", "mypy"]),
        ("import-linter", [str(SCRIPTS / "lint-imports"), "--no-cache"]),
        # Linted only: djlint's formatter breaks lines inside of inline text, which shows as spaces on the page.
        ("djlint", [PYTHON, "-m", "djlint", "templates", "--lint", "--quiet"]),
        # Without a database Django warns that it cannot compare with what is applied: nothing is, here.
        ("migrations", [PYTHON, "-W", "ignore::RuntimeWarning", "manage.py", "makemigrations", "--check", "--dry-run"]),
        ("pytest", [PYTHON, "-m", "pytest", *PARALLEL, *pytest_arguments]),
    ]


def main() -> int:
    failed = []
    begun = time.monotonic()
    for name, command in steps(sys.argv[1:]):
        print(f"── {name}", flush=True)
        start = time.monotonic()
        status = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONUNBUFFERED": "1"}, check=False).returncode
        print(
            f"── {name}: {'ok' if status == 0 else f'FAILED ({status})'} in {time.monotonic() - start:.1f} s\n",
            flush=True,
        )
        if status:
            failed.append(name)
    total = time.monotonic() - begun
    print(f"All green in {total:.0f} s." if not failed else f"Failed: {', '.join(failed)} (in {total:.0f} s).")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
