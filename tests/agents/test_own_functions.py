"""Functions of the installation for agents of kind python, in modules that AGENT_MODULES names."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULE = """
from agents.python_callables import callable_agent

@callable_agent("vat", label="VAT", description="Adds VAT.", input_schema={}, output_schema={})
def vat(inputs, call):
    return {"total": inputs["net"] * 1.2}
"""
ASK = "import django; django.setup(); from agents.python_callables import registered; print('vat' in registered())"


def ask(modules: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": f"{ROOT}:{folder}",
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "AGENT_MODULES": modules,
        "PORTAL_DATA": str(folder),
    }
    command = [sys.executable, "-c", ASK]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_functions_of_named_modules_are_registered(tmp_path: Path) -> None:
    (tmp_path / "our_agents.py").write_text(MODULE)
    found = ask("our_agents", tmp_path)
    assert found.stdout.strip() == "True", found.stderr


def test_a_module_that_is_not_there_is_named_with_the_remedy(tmp_path: Path) -> None:
    found = ask("our_agentz", tmp_path)
    assert found.returncode != 0
    assert "AGENT_MODULES names 'our_agentz'" in found.stderr and "PYTHONPATH" in found.stderr
