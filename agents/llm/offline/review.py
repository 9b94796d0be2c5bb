"""Reviewing a diff: rules for single lines, and what only shows over several (queries in loops, long functions, missing tests).

Only added lines are judged. A finding says what, why it matters and what to do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from agents.llm.offline.diffs import File, Line, parse
from agents.llm.offline.review_rules import RULES, Rule

SEVERITIES = ("critical", "high", "medium", "low", "info")


_LONG_FUNCTION = 45


_LONG_LINE = 140


@dataclass(frozen=True, slots=True)
class Finding:
    area: str
    """security | performance | quality | tests | docs"""
    severity: str
    file: str
    line: int
    title: str
    detail: str
    suggestion: str
    code: str = ""
    rule: str = ""

    def key(self) -> tuple[int, str, int]:
        return SEVERITIES.index(self.severity), self.file, self.line


_LOOP = re.compile(
    r"^(?P<indent>\s*)(?:async\s+)?(?:for\s+.+\s+in\s+.+:|while\s+.+:|for\s*\(.*\)\s*\{?|.*\.forEach\s*\()"
)


_QUERY = re.compile(
    r"\.objects\.(?:get|filter|create|all|exclude|first|count|exists|update_or_create|get_or_create)\b|\.execute\s*\(|\.fetch(?:one|all)\s*\("
    r"|\brequests\.(?:get|post)\s*\(|\bawait\s+(?:fetch|db\.|\w+\.(?:query|find|findOne|get)\s*\()|session\.query\(|\.save\(\)"
)


_FUNCTION = re.compile(
    r"^(?P<indent>\s*)(?:(?:async\s+)?def\s+(?P<py>\w+)|(?:export\s+)?(?:async\s+)?function\s+(?P<js>\w+)|class\s+(?P<cls>\w+))"
)


@lru_cache(maxsize=16)
def findings(text: str) -> tuple[Finding, ...]:
    """All areas, the worst first."""
    found: list[Finding] = []
    files = parse(text)
    for file in files:
        if file.deleted:
            continue
        found.extend(_by_rules(file))
        found.extend(_queries_in_loops(file))
        found.extend(_functions(file))
        found.extend(_swallowed(file))
    found.extend(_missing_tests(files))
    found.extend(_missing_docs(files))
    unique = {(finding.file, finding.line, finding.rule): finding for finding in found}
    return tuple(sorted(unique.values(), key=Finding.key))


def _by_rules(file: File) -> Iterator[Finding]:
    for line in file.added:
        text = line.text
        comment = bool(re.match(r"^\s*(?:#|//|\*|--)", text))
        for rule in RULES:
            if rule.languages and file.language not in rule.languages:
                continue
            if file.language == "docs" or (file.is_test and rule.area in ("quality", "performance")):
                continue
            if file.is_test and rule.name == "assert-runtime":
                continue
            if comment and rule.name not in ("todo", "commented-code", "hardcoded-secret"):
                continue
            whole = _call(file, line) if rule.name == "no-timeout" else text
            if rule.pattern.search(whole) and not (rule.unless and rule.unless.search(whole)):
                yield _finding(rule, file, line)
        if len(text) > _LONG_LINE and file.language not in ("docs", "config", "css", ""):
            yield Finding("quality", "low", file.path, line.number, "Very long line", f"{len(text)} characters; it cannot be read beside the diff.", "Break it.", _code(text), "long-line")  # fmt: skip


def _finding(rule: Rule, file: File, line: Line) -> Finding:
    severity = rule.severity
    if file.is_test:  # a password in a test is worth a look, no more
        severity = "low"
    # The code itself is shown, but never a credential that was found in it.
    code = (
        _code(line.text)
        if rule.name != "hardcoded-secret"
        else re.sub(r"([\"'])[^\"']{4,}([\"'])", r"\1…\2", _code(line.text))
    )
    return Finding(
        rule.area, severity, file.path, line.number, rule.title, rule.detail, rule.suggestion, code, rule.name
    )


def _call(file: File, line: Line) -> str:
    """A call that goes over several lines, as one."""
    lines = [one.text for one in file.context if one.hunk == line.hunk and line.number <= one.number < line.number + 20]
    whole, depth = "", 0
    for text in lines:
        whole += text.strip() + " "
        depth += text.count("(") - text.count(")")
        if depth <= 0:
            break
    return whole


def _queries_in_loops(file: File) -> Iterator[Finding]:
    """A query or request inside of a loop's body (by indentation or braces): N+1."""
    if file.language not in ("python", "javascript", "java", "ruby", "php", "go") or file.is_test:
        return
    added = {line.number for line in file.added}
    loops: list[tuple[int, int]] = []  # indentation, hunk
    for line in file.context:
        if not line.text.strip():
            continue
        indent = len(line.text) - len(line.text.lstrip())
        loops = [(depth, hunk) for depth, hunk in loops if indent > depth and hunk == line.hunk]
        if loops and line.number in added and _QUERY.search(line.text):
            yield Finding(
                "performance", "high", file.path, line.number, "Query inside a loop (N+1)",
                "Every round asks the database or the network once more: a hundred items, a hundred round trips.",
                "Fetch all at once before the loop (select_related, prefetch_related, __in, a batch request).", _code(line.text), "n-plus-one",
            )  # fmt: skip
        match = _LOOP.match(line.text)
        # The query of the loop's own head runs once.
        if match:
            loops.append((len(match["indent"]), line.hunk))


def _functions(file: File) -> Iterator[Finding]:
    """Functions that are long, deeply nested, or take many arguments; judged where the diff adds them."""
    if file.language not in ("python", "javascript") or file.is_test:
        return
    added = {line.number for line in file.added}
    for index, line in enumerate(file.context):
        match = _FUNCTION.match(line.text)
        if not match or line.number not in added or match["cls"]:
            continue
        name, indent = match["py"] or match["js"], len(match["indent"])
        body = []
        for after in file.context[index + 1 :]:
            if after.hunk != line.hunk or (
                after.text.strip()
                and len(after.text) - len(after.text.lstrip()) <= indent
                and not re.match(r"^\s*[)\]}]", after.text)
            ):
                break
            body.append(after.text)
        size = len([text for text in body if text.strip()])
        depth = max(
            (
                (len(text) - len(text.lstrip()) - indent) // (4 if file.language == "python" else 2)
                for text in body
                if text.strip()
            ),
            default=0,
        )
        arguments = line.text.count(",") + 1 if "(" in line.text and ")" in line.text else 0
        if size > _LONG_FUNCTION:
            yield Finding("quality", "medium", file.path, line.number, f"Long function {name}", f"{size} lines do several things at once and are hard to test.", "Split it by the things it does.", _code(line.text), "long-function")  # fmt: skip
        elif depth >= 6:
            yield Finding("quality", "medium", file.path, line.number, f"Deeply nested function {name}", f"{depth} levels deep; nobody holds that many conditions in mind.", "Return early, and move inner parts into functions.", _code(line.text), "deep-nesting")  # fmt: skip
        if arguments > 7:
            yield Finding("quality", "low", file.path, line.number, f"Many arguments in {name}", f"{arguments} arguments are easily swapped.", "Group them in a value, and make them keyword-only.", _code(line.text), "many-arguments")  # fmt: skip


def _swallowed(file: File) -> Iterator[Finding]:
    """`except ...:` whose body is only `pass`."""
    for before, line in zip(file.context, file.context[1:], strict=False):
        if re.match(r"^\s*except\b", before.text) and line.text.strip() in ("pass", "...") and line in file.added:
            yield Finding("quality", "high", file.path, line.number, "Failure swallowed", "The error is caught and nothing is done: the program goes on with wrong data and nobody learns why.", "Handle it, log it, or let it pass on.", _code(line.text), "swallowed")  # fmt: skip


_NO_LOGIC = re.compile(r"(^|/)(urls|settings|__init__|conf|config|apps|admin|manage|setup)\.\w+$|(^|/)migrations/")


def _missing_tests(files: tuple[File, ...]) -> Iterator[Finding]:
    changed = [
        file
        for file in files
        if file.language in ("python", "javascript", "java", "go", "ruby", "php", "csharp")
        and not file.is_test
        and not file.deleted
        and len(file.added) >= 3
        and not _NO_LOGIC.search(file.path)
    ]
    tests = " ".join(file.path + "\n" + "\n".join(line.text for line in file.added) for file in files if file.is_test)
    for file in changed:
        stem = re.sub(r"\.\w+$", "", file.path.rsplit("/", 1)[-1])
        names = [name for name in _new_names(file) if not name.startswith("_")]
        untested = [name for name in names if not re.search(rf"\b{re.escape(name)}\b", tests)]
        if untested or (not names and stem not in tests):
            what = f"New and untested: {', '.join(untested[:6])}." if untested else f"{len(file.added)} lines changed."
            yield Finding("tests", "medium", file.path, file.added[0].number, f"No test for the change in {stem}", f"{what} The diff holds no test that names {'them' if len(untested) > 1 else 'it'}.", "Add tests for the normal case, the limits and the failures.", "", "missing-tests")  # fmt: skip
    for file in files:
        if not file.is_test:
            continue
        for line in file.added:
            if re.search(r"@(?:pytest\.mark\.)?skip|\bxit\(|\.skip\(|@unittest\.skip|assert True\b", line.text):
                yield Finding("tests", "medium", file.path, line.number, "Test switched off", "A skipped test guards nothing and is soon forgotten.", "Repair it, or say in the reason when it comes back.", _code(line.text), "skipped-test")  # fmt: skip
            if re.search(r"\btime\.sleep\(", line.text):
                yield Finding("tests", "low", file.path, line.number, "Test waits by sleeping", "Slow, and still fails on a slow machine.", "Wait for the condition itself.", _code(line.text), "sleeping-test")  # fmt: skip
        if any("assert" in text for text in file.removed) and not any("assert" in line.text for line in file.added):
            yield Finding("tests", "medium", file.path, 1, "Assertions removed", "The diff takes checks away and adds none.", "Say why they are not needed any more.", "", "removed-asserts")  # fmt: skip


def _new_names(file: File) -> list[str]:
    names = []
    for line in file.added:
        match = _FUNCTION.match(line.text)
        if match:
            names.append(match["py"] or match["js"] or match["cls"])
    return names


def _missing_docs(files: tuple[File, ...]) -> Iterator[Finding]:
    """Public functions and classes without docstring (Python); new settings and addresses without a word in the docs.

    One finding a file and kind: twenty lines that say the same are read by nobody.
    """
    documented = "\n".join(line.text for file in files if file.language == "docs" for line in file.added)
    for file in files:
        if file.language != "python" or file.is_test or file.deleted:
            continue
        bare = list(_without_docstring(file))
        if bare:
            names = ", ".join(name for _, name in bare[:8])
            title = f"{bare[0][1]} has no docstring" if len(bare) == 1 else f"{len(bare)} functions have no docstring"
            yield Finding("docs", "low", file.path, bare[0][0].number, title, f"{names}: callers cannot tell what goes in, what comes out and what is raised.", "One sentence each on purpose, units and errors.", _code(bare[0][0].text), "missing-docstring")  # fmt: skip
        settings = [
            (line, match[1])
            for line in file.added
            if (match := _SETTING.search(line.text)) and match[1] not in documented
        ]
        if settings:
            names = ", ".join(name for _, name in settings[:8])
            yield Finding("docs", "low", file.path, settings[0][0].number, "New settings are not documented", f"Operators cannot know of {names}.", "Add them to the documentation of settings, with defaults.", _code(settings[0][0].text), "undocumented-setting")  # fmt: skip
        routes = [
            (line, match[1])
            for line in file.added
            if (match := _ROUTE.search(line.text)) and match[1] not in documented
        ]
        if routes:
            names = ", ".join(f"/{name}" for _, name in routes[:8])
            yield Finding("docs", "low", file.path, routes[0][0].number, "New addresses are not documented", f"Nobody learns of {names}.", "Describe them where the other addresses are described.", _code(routes[0][0].text), "undocumented-route")  # fmt: skip


_SETTING = re.compile(r"(?:os\.environ(?:\.get)?[\[(]|getenv\()\s*[\"'](\w+)[\"']")


_ROUTE = re.compile(r"\b(?:path|re_path|route)\s*\(\s*r?[\"']([^\"']+)[\"']")


def _without_docstring(file: File) -> Iterator[tuple[Line, str]]:
    for index, line in enumerate(file.context):
        match = _FUNCTION.match(line.text)
        if not match or line not in file.added:
            continue
        name = match["py"] or match["cls"] or ""
        if not name or name.startswith("_") or name == "Meta":
            continue
        following = next((after.text.strip() for after in _after_signature(file.context, index)), "")
        if not re.match(r"[rf]?(\"\"\"|\'\'\')", following):
            yield line, name


def _after_signature(lines: list[Line], index: int) -> Iterator[Line]:
    """The lines after a (possibly long) signature."""
    depth = 0
    for position in range(index, len(lines)):
        depth += lines[position].text.count("(") - lines[position].text.count(")")
        if depth <= 0 and lines[position].text.rstrip().endswith(":"):
            yield from lines[position + 1 :]
            return


def _code(text: str) -> str:
    stripped = text.strip()
    return stripped if len(stripped) <= 160 else f"{stripped[:157]}…"
