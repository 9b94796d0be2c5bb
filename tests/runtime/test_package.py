"""The built package holds all it needs and runs away from the checkout."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.portal_process import data_folder, free_port

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture
def installed(wheel: Path) -> Iterator[Path]:
    """A virtual environment with the wheel; its dependencies are those of the environment of the tests."""
    with data_folder() as folder:
        place = Path(folder) / "venv"
        venv.create(place, with_pip=False)
        python = place / "bin" / "python"
        (own,) = (place / "lib").glob("python*/site-packages")
        (own / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
        command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", str(wheel)]
        subprocess.run(command, check=True)
        yield place


def environment(home: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}


def test_the_wheel_holds_templates_static_and_third_party_files(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for needed in (
        "portal/share/templates/base.html",
        "portal/share/static/js/app.js",
        "portal/share/static/vendor/idiomorph-ext.js",
        "portal/runtime/launch.py",
        "orchestration/migrations/0001_initial.py",
    ):
        assert needed in names
    assert not [name for name in names if "node_modules" in name or name.startswith(("tests/", "docs/"))]


def test_the_installed_command_starts_the_portal_from_another_folder(installed: Path) -> None:
    ensemble = str(installed / "bin" / "ensemble")
    variables = environment(installed.parent)
    checked = subprocess.run(
        [ensemble, "check"], cwd=installed.parent, env=variables, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    command = [ensemble, "up", "--port", str(free_port())]
    with subprocess.Popen(command, cwd="/", env=variables, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "Stop with Ctrl-C" in line:
                break
        process.terminate()
        process.communicate(timeout=60)
    assert any("is ready at" in line for line in lines), "".join(lines)
    assert process.returncode == 0
    assert (installed.parent / ".local" / "share" / "ensemble" / "postgres").is_dir()
