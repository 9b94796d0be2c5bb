"""The core is plain Python: it can be read, tested and replayed without anything around it."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import orchestration.engine

FOLDER = Path(orchestration.engine.__file__).parent


def imported(module: Path) -> set[str]:
    found: set[str] = set()
    for statement in ast.walk(ast.parse(module.read_text())):
        if isinstance(statement, ast.Import):
            found |= {alias.name for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom):
            found.add(statement.module or "")
    return found


def test_the_core_imports_the_standard_library_and_itself_only() -> None:
    modules = sorted(FOLDER.rglob("*.py"))
    assert len(modules) > 10
    for module in modules:
        for name in imported(module):
            is_own = name.startswith("orchestration.engine")
            assert is_own or name.split(".")[0] in sys.stdlib_module_names, f"{module.name} imports {name}"


def test_the_core_asks_no_clock() -> None:
    for module in FOLDER.rglob("*.py"):
        text = module.read_text()
        for clock in ("datetime.now", "utcnow", "time.time", "monotonic", "import random"):
            assert clock not in text, f"{module.name} uses {clock}"
