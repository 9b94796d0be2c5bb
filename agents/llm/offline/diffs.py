"""Unified diffs: files, hunks, added lines; and what a reviewer would stumble over in them, by patterns.

Only added lines are judged, with their number in the new file. A finding says what, why it matters and what to do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

_FILE = re.compile(r"^\+\+\+ (?:b/)?(?P<path>[^\t\n]+)")
_OLD = re.compile(r"^--- (?:a/)?(?P<path>[^\t\n]+)")
_HUNK = re.compile(r"^@@ -\d+(?:,\d+)? \+(?P<start>\d+)(?:,(?P<count>\d+))? @@(?P<context>.*)$")
SEVERITIES = ("critical", "high", "medium", "low", "info")
_LONG_FUNCTION = 45
_LONG_LINE = 140


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
        if match := _OLD.match(line):
            if not in_hunk or not line.startswith("--- -"):
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


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    area: str
    severity: str
    languages: tuple[str, ...]
    """Empty: any."""
    pattern: re.Pattern[str]
    title: str
    detail: str
    suggestion: str
    unless: re.Pattern[str] | None = None


def _rule(
    name: str,
    area: str,
    severity: str,
    languages: str,
    pattern: str,
    title: str,
    detail: str,
    suggestion: str,
    unless: str = "",
) -> Rule:
    return Rule(
        name, area, severity, tuple(languages.split()), re.compile(pattern), title, detail, suggestion,
        re.compile(unless) if unless else None,
    )  # fmt: skip


RULES = (
    _rule("hardcoded-secret", "security", "critical", "",
          r"(?i)(?:(?:api|secret|access|private|auth)[_-]?key|passw(?:or)?d|secret|token)\w*[\"']?\s*[:=]\s*[\"'][^\"'\s{}<>$%]{8,}[\"']|\bAKIA[0-9A-Z]{16}\b|\bsk[-_](?:live|test)?[-_]?[A-Za-z0-9]{16,}|-----BEGIN [A-Z ]*PRIVATE KEY|\bgh[pousr]_[A-Za-z0-9]{30,}",
          "Secret in the source code", "Whoever can read the repository has this credential, for ever: it stays in the history.",
          "Revoke it, read it from the environment or a secret store, and remove it from the history.",
          r"(?i)os\.environ|getenv|process\.env|config\(|example|changeme|placeholder|xxxx"),
    _rule("sql-injection", "security", "critical", "",
          r"(?i)(?:execute|query|raw|cursor\.\w+|prepare)\s*\(\s*(?:f[\"']{1,3}|[\"'].*?(?:SELECT|INSERT|UPDATE|DELETE)[^)]*?[\"']\s*(?:\+|%|\.format)|`[^`]*\$\{)|f[\"']{1,3}\s*(?:SELECT\s.+?\sFROM|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM).*\{|[\"'](?:SELECT\s.+?\sFROM|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM)[^\"']*[\"']\s*(?:\+|%\s|\.format\()|`(?:SELECT\s.+?\sFROM|INSERT\s+INTO|UPDATE\s|DELETE\s+FROM)[^`]*\$\{",
          "SQL put together from strings", "A value with a quote in it changes the statement: SQL injection.",
          "Pass values as parameters of the query (placeholders), never as part of its text."),
    _rule("shell-injection", "security", "critical", "python",
          r"\bshell\s*=\s*True|os\.(?:system|popen)\s*\(", "Command run through a shell",
          "Text in the command is read by the shell; a value with `;` or `$(` runs something else.",
          "Use subprocess.run with a list of arguments and without shell=True."),
    _rule("exec-js", "security", "critical", "javascript", r"child_process|\bexecSync?\s*\(\s*(?:`|[\"'].*[\"']\s*\+)", "Command run through a shell",
          "Text in the command is read by the shell.", "Use execFile or spawn with a list of arguments."),
    _rule("eval", "security", "critical", "python javascript php ruby", r"(?<![\w.])(?:eval|exec)\s*\(|new Function\s*\(",
          "Text is executed as code", "Whoever controls the text controls the program.",
          "Parse the value (JSON, ast.literal_eval) or look it up in a table of allowed actions.", r"\.exec\(|RegExp"),
    _rule("unsafe-deserialisation", "security", "critical", "python", r"\bpickle\.loads?\s*\(|yaml\.load\s*\((?!.*SafeLoader)|marshal\.loads?\(",
          "Unsafe deserialisation", "Loading pickles or full YAML from outside runs code that is hidden in them.", "Use JSON, or yaml.safe_load."),
    _rule("innerhtml", "security", "high", "javascript html", r"\.(?:innerHTML|outerHTML)\s*\+?=|insertAdjacentHTML\s*\(|document\.write\s*\(|dangerouslySetInnerHTML|v-html=",
          "Unescaped text put into the page", "Text of users becomes HTML: cross-site scripting (XSS).",
          "Use textContent, or a template that escapes; sanitise where HTML is really wanted.", r"innerHTML\s*=\s*[\"'`]{2}"),
    _rule("mark-safe", "security", "high", "python html", r"\bmark_safe\s*\(|\|\s*safe\b|autoescape\s+off|Markup\(",
          "Escaping switched off", "Text of users becomes HTML: cross-site scripting (XSS).", "Let the template escape; use format_html for fixed markup."),
    _rule("csrf-exempt", "security", "high", "python", r"@?csrf_exempt\b", "CSRF protection switched off",
          "Any web site can make a signed-in user's browser send this request.", "Remove the exemption; send the token with the request.", r"^\s*(?:from|import)\b"),
    _rule("tls-off", "security", "high", "", r"verify\s*=\s*False|rejectUnauthorized\s*:\s*false|InsecureSkipVerify\s*:\s*true|CERT_NONE|--insecure\b|curl\s+-k\b",
          "TLS certificates are not checked", "Anybody in between can read and change the traffic, credentials included.", "Remove it; add the internal authority's certificate instead."),
    _rule("weak-hash", "security", "high", "", r"(?i)\b(?:hashlib\.)?(?:md5|sha1)\s*\(|createHash\(\s*[\"'](?:md5|sha1)",
          "Weak hash function", "MD5 and SHA-1 are broken for anything that concerns security; passwords fall at once.",
          "Use argon2 or bcrypt for passwords, SHA-256 for checksums.", r"usedforsecurity\s*=\s*False"),
    _rule("weak-random", "security", "medium", "python javascript", r"(?i)(?:token|secret|passw|session|otp|reset|nonce)\w*.*(?:\brandom\.(?:random|randint|choice|choices)|Math\.random)\s*\(|Math\.random\(\).*(?:token|secret|session)",
          "Predictable random numbers for a secret", "random and Math.random can be predicted from earlier values.", "Use secrets.token_urlsafe or crypto.getRandomValues."),
    _rule("debug-on", "security", "medium", "python config", r"\bDEBUG\s*[:=]\s*True|debug\s*=\s*True|app\.run\(.*debug",
          "Debug mode switched on", "Error pages then show settings and source to everybody.", "Take it from the environment, off by default."),
    _rule("cors-all", "security", "medium", "", r"Access-Control-Allow-Origin[\"']?\s*[,:=]\s*[\"']\*|CORS_ALLOW_ALL_ORIGINS\s*=\s*True|origin\s*:\s*[\"']\*[\"']",
          "Every origin is allowed", "Pages of any web site may read the answers.", "List the origins that need it."),
    _rule("path-traversal", "security", "high", "python javascript", r"(?:\bopen|send_file|FileResponse|readFile(?:Sync)?|os\.path\.join|\bPath)\s*\([^)]*(?:request\.|params|query|filename|file_name|user_?input|req\.)",
          "File name from outside", "A name like ../../etc/passwd leads out of the folder.", "Resolve the path and check that it lies within the folder, or look the file up by id."),
    _rule("logged-secret", "security", "high", "", r"(?i)(?:log(?:ger|ging)?\.\w+|print|console\.\w+)\s*\(.*(?:passw|secret|token|api_?key|credit_?card|card_number|authorization)",
          "Secret written to the log", "Logs are read by many and kept for long.", "Leave the value out, or log only its last characters."),
    _rule("open-redirect", "security", "medium", "python javascript", r"(?i)(?:redirect|HttpResponseRedirect|location\.href\s*=)\s*\(?\s*(?:request\.(?:GET|args|params)|req\.query)",
          "Redirect to an address from outside", "A link to this site can lead to a forged one.", "Allow only relative addresses or a list of hosts."),
    _rule("tmp-predictable", "security", "low", "python shell", r"[\"']/tmp/[\w.-]+[\"']", "Fixed name in /tmp", "Others on the machine can create or read the file first.", "Use tempfile."),
    _rule("sleep-blocking", "performance", "medium", "python javascript", r"\btime\.sleep\s*\(|Atomics\.wait\(", "The code sleeps",
          "A worker that sleeps serves nobody.", "Wait for the event itself, schedule the work, or use the asynchronous form."),
    _rule("select-star", "performance", "low", "", r"(?i)\bSELECT\s+\*\s+FROM", "SELECT *", "Columns nobody needs are read and sent, and new ones appear by surprise.", "Name the columns."),
    _rule("count-in-loop", "performance", "low", "python", r"len\s*\(\s*\w+(?:\.\w+)*\.(?:all|filter|values|values_list)\(", "Rows loaded to be counted", "All rows are read into memory to learn their number.", "Use .count() or .exists()."),
    _rule("read-whole", "performance", "low", "python javascript", r"\.read\(\)\.split|readFileSync\s*\(|\.readlines\(\)", "Whole file read at once", "A large file fills the memory (and, if synchronous, stops everybody else).", "Read it line by line or as a stream."),
    _rule("string-concat-loop", "performance", "low", "javascript", r"JSON\.parse\(\s*JSON\.stringify\(", "Deep copy through JSON", "Slow for large objects, and it loses dates and undefined.", "Use structuredClone, or copy what is needed."),
    _rule("no-timeout", "performance", "medium", "python", r"\brequests\.(?:get|post|put|patch|delete|request)\s*\((?!.*timeout)", "Request without a time limit",
          "requests waits for ever; a silent server takes the worker with it.", "Pass timeout=(connect, read)."),
    _rule("bare-except", "quality", "high", "python", r"^\s*except\s*:\s*(?:#.*)?$", "Bare except", "It catches everything, even the order to stop, and hides the cause.", "Name the exceptions that are expected."),
    _rule("broad-except", "quality", "medium", "python", r"^\s*except\s+(?:Base)?Exception\b.*:", "Broad except", "Programming errors are swallowed together with the expected failure.", "Name the exceptions that are expected; log or re-raise the others."),
    _rule("empty-catch", "quality", "medium", "javascript java csharp", r"catch\s*(?:\([^)]*\))?\s*\{\s*\}", "Empty catch", "The failure vanishes without a trace.", "Handle it, or let it pass on."),
    _rule("mutable-default", "quality", "high", "python", r"def\s+\w+\s*\(.*=\s*(?:\[\s*\]|\{\s*\}|set\(\))", "Mutable default argument", "The list or dict is made once and shared by all calls: data leaks from one call into the next.", "Use None and create it inside the function."),
    _rule("print-debug", "quality", "low", "python", r"^\s*(?:print|pprint|breakpoint)\s*\(|import pdb|pdb\.set_trace", "Debug output left in", "It clutters the output and may show data.", "Remove it or use the logger."),
    _rule("console-log", "quality", "low", "javascript", r"\bconsole\.(?:log|debug)\s*\(|\bdebugger\b", "Debug output left in", "It clutters the console and may show data.", "Remove it or use the logger."),
    _rule("todo", "quality", "low", "", r"\b(?:TODO|FIXME|XXX|HACK)\b", "Unfinished work marked in the code", "What is marked tends to stay.", "Do it now, or open an issue and name it here."),
    _rule("none-compare", "quality", "low", "python", r"[!=]=\s*None\b", "Comparison with None by ==", "Classes may redefine ==.", "Use `is None` or `is not None`."),
    _rule("loose-equality", "quality", "low", "javascript", r"[^=!<>]==[^=]|[^=!]!=[^=]", "Loose comparison", "== converts types: '0' == 0 and '' == 0 are true.", "Use === and !==.", r"==\s*null|!=\s*null"),
    _rule("var", "quality", "low", "javascript", r"^\s*var\s+\w+", "var", "It is visible outside of its block.", "Use const or let."),
    _rule("magic-float-money", "quality", "medium", "python javascript java", r"(?i)(?:price|amount|total|balance|sum)\w*\s*=\s*(?:float\s*\(|parseFloat\s*\()", "Money as floating point", "0.1 + 0.2 is not 0.3: sums drift by cents.", "Use Decimal or whole cents."),
    _rule("wildcard-import", "quality", "low", "python", r"^\s*from\s+\S+\s+import\s+\*", "Wildcard import", "Nobody sees where a name comes from, and names overwrite each other.", "Import the names."),
    _rule("naive-now", "quality", "low", "python", r"datetime\.(?:now\(\)|utcnow\(\))", "Time without a time zone", "Comparisons with aware times fail, and local time jumps twice a year.", "Use django.utils.timezone.now() or datetime.now(UTC)."),
    _rule("assert-runtime", "quality", "low", "python", r"^\s*assert\s+", "assert as a check at run time", "Python removes assert under -O.", "Raise an exception."),
    _rule("any-type", "quality", "low", "javascript", r":\s*any\b", "Type any", "It switches the type checker off from here on.", "Name the type, or use unknown and narrow it."),
    _rule("commented-code", "quality", "low", "python", r"^\s*#\s*(?:def |if .*:$|for .*:$|return\b|\w+\s*=\s*\w+\(|\w+\.\w+\(.*\)$)", "Commented-out code", "Nobody knows whether it still matters.", "Delete it; the history keeps it."),
)  # fmt: skip

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
        settings = [(line, match[1]) for line in file.added if (match := _SETTING.search(line.text)) and match[1] not in documented]
        if settings:
            names = ", ".join(name for _, name in settings[:8])
            yield Finding("docs", "low", file.path, settings[0][0].number, "New settings are not documented", f"Operators cannot know of {names}.", "Add them to the documentation of settings, with defaults.", _code(settings[0][0].text), "undocumented-setting")  # fmt: skip
        routes = [(line, match[1]) for line in file.added if (match := _ROUTE.search(line.text)) and match[1] not in documented]
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
