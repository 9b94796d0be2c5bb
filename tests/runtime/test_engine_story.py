"""docs/engine.md follows one step from signal to commit: every file and name in it is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = ROOT / "orchestration"
STORY = (ROOT / "docs" / "engine.md").read_text("utf-8").split("## A step, from signal to commit")[1].split("\n## ")[0]
FILES = set(re.findall(r"`((?:\w+/)*\w+\.py|(?:\w+/)+)`", STORY))
NAMES = set(re.findall(r"`(\w+(?:\.\w+)?)`", STORY)) - FILES


def test_its_files_are_there() -> None:
    assert len(FILES) > 15
    missing = {name for name in FILES if not (CODE / name.removeprefix("orchestration/")).exists()}
    assert missing == set()


def test_its_names_are_there() -> None:
    assert len(NAMES) > 40
    files = list(CODE.rglob("*.py"))
    modules = {file.stem for file in files}
    source = "\n".join(file.read_text("utf-8") for file in files)
    for part in {part for name in NAMES for part in name.split(".")} - modules:
        definition = rf"\b(?:def|class) {part}\b|^ *{part} = |^ +{part}: "
        assert re.search(definition, source, re.MULTILINE), f"docs/engine.md names {part}"
