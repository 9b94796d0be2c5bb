"""Unified diffs taken apart: files, hunks, added lines with their number in the new file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

_FILE = re.compile(r"^\+\+\+ (?:b/)?(?P<path>[^\t\n]+)")


_OLD = re.compile(r"^--- (?:a/)?(?P<path>[^\t\n]+)")


_HUNK = re.compile(r"^@@ -\d+(?:,\d+)? \+(?P<start>\d+)(?:,(?P<count>\d+))? @@(?P<context>.*)$")


@dataclass(frozen=True, slots=True)
class Line:
    number: int
    text: str
    """Without the plus sign."""
    hunk: int


@dataclass(slots=True)
class File:
    path: str
    added: list[Line] = field(default_factory=list)
    context: list[Line] = field(default_factory=list)
    """Unchanged and added lines in order: the new file as far as the diff shows it."""
    removed: list[str] = field(default_factory=list)
    new: bool = False
    deleted: bool = False

    @property
    def language(self) -> str:
        return _LANGUAGES.get(self.path.rsplit(".", 1)[-1].lower(), "")

    @property
    def is_test(self) -> bool:
        return bool(re.search(r"(^|/)(tests?|spec|__tests__)/|(^|/)test_|[._-](test|spec)\.", self.path))


_LANGUAGES = {
    "py": "python", "js": "javascript", "mjs": "javascript", "ts": "javascript", "tsx": "javascript", "jsx": "javascript",
    "html": "html", "java": "java", "go": "go", "rb": "ruby", "php": "php", "sql": "sql", "sh": "shell", "cs": "csharp", "md": "docs",
    "rst": "docs", "yml": "config", "yaml": "config", "json": "config", "toml": "config", "css": "css",
}  # fmt: skip


def looks_like_diff(text: str) -> bool:
    return bool(re.search(r"^@@ -\d+(,\d+)? \+\d+(,\d+)? @@", text, re.M))


@lru_cache(maxsize=16)
def parse(text: str) -> tuple[File, ...]:
    files: list[File] = []
    current: File | None = None
    old, number, hunk = "", 0, 0
    in_hunk = False
    for line in text.replace("\r\n", "\n").split("\n"):
        if (match := _OLD.match(line)) and not (in_hunk and line.startswith("--- -")):
            old, in_hunk = match["path"], False
            continue
        if (match := _FILE.match(line)) and not in_hunk:
            path = match["path"].strip()
            deleted = path == "/dev/null"
            current = File(old if deleted else path, new=old == "/dev/null", deleted=deleted)
            files.append(current)
            continue
        if line.startswith("diff --git "):
            in_hunk = False
            continue
        if match := _HUNK.match(line):
            number, in_hunk = int(match["start"]), True
            hunk += 1
            continue
        if current is None or not in_hunk:
            continue
        if line.startswith("+"):
            entry = Line(number, line[1:], hunk)
            current.added.append(entry)
            current.context.append(entry)
            number += 1
        elif line.startswith("-"):
            current.removed.append(line[1:])
        elif line.startswith(" ") or not line:
            current.context.append(Line(number, line[1:], hunk))
            number += 1
    return tuple(files)


def statistics(text: str) -> dict[str, int]:
    files = parse(text)
    return {
        "files": len(files),
        "added": sum(len(file.added) for file in files),
        "removed": sum(len(file.removed) for file in files),
    }
