"""litellm costs three seconds and 150 MB: one module knows it, and neither the web process nor the jobs load it."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APPS = ("agents", "approvals", "orchestration", "portal")


def test_one_module_imports_it() -> None:
    guilty = []
    for path in (file for app in APPS for file in (ROOT / app).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("import_module", "__import__"):
                names = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
            if any(str(name).split(".")[0] == "litellm" for name in names):
                guilty.append(path.relative_to(ROOT).as_posix())
    assert set(guilty) == {"agents/llm/library.py"}


@pytest.mark.parametrize("process", ["web", "jobs"])
def test_web_and_jobs_start_without_it(process: str) -> None:
    script = """
import sys, django
django.setup()
import portal.urls, portal.asgi
assert not [name for name in sys.modules if name.split(".")[0] in ("litellm", "openai")], "loaded"
from agents.llm import library
try:
    library.load()
except RuntimeError as error:
    print(error)
"""
    environment = {**os.environ, "PORTAL_PROCESS": process, "DJANGO_SETTINGS_MODULE": "portal.settings"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "engine only" in done.stdout


def test_it_is_set_up_to_stay_quiet() -> None:
    """No look at the network for prices, no `.env` of the working directory, no telemetry, no downloads."""
    from agents.llm import library

    litellm = library.load()
    assert os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] == "True"
    assert os.environ["LITELLM_MODE"] == "PRODUCTION"
    assert litellm.telemetry is False
    assert litellm.disable_hf_tokenizer_download is True
