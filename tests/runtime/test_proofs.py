"""docs/proofs.md leads from each promise to its test: every file and every test that it names is there."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from tests.faults.__main__ import faults

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
PAGE = (ROOT / "docs" / "proofs.md").read_text("utf-8")
FILE = re.compile(r"`((?:\w+/)*\w+\.py)`")
NAMED = re.compile(r"`((?:\w+/)*test_\w+\.py)`((?:[:,]? `test_\w+`)*)")
FAULTS = re.compile(r"[Ff]aults? ((?:`[\w-]+`(?:, )?)+)")


def test_its_files_are_there() -> None:
    files = {name.removeprefix("tests/") for name in FILE.findall(PAGE)}
    assert len(files) > 60
    assert {
        name for name in files if not (TESTS / name).exists() and not (ROOT / "orchestration" / name).exists()
    } == set()


def test_its_tests_are_there() -> None:
    named = [
        (file.removeprefix("tests/"), test)
        for file, tests in NAMED.findall(PAGE)
        for test in re.findall(r"test_\w+", tests)
    ]
    assert len(named) > 60 and len(re.findall(r"`test_\w+`", PAGE)) == len(named), "each follows its file"
    missing = [
        (file, test) for file, test in named if not re.search(rf"def {test}\(", (TESTS / file).read_text("utf-8"))
    ]
    assert missing == []


def test_its_faults_are_there_and_none_is_left_out() -> None:
    known = set(faults(argparse.Namespace(quick=True, every=1.0, kills=1)))
    told = {name for names in FAULTS.findall(PAGE) for name in re.findall(r"[\w-]+", names)}
    assert told and told <= known
    assert {name for name in known if f"`{name}`" not in PAGE} == set()
