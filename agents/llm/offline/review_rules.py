"""What a reviewer stumbles over in one line: patterns, each with what it means and what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

JSON = Any


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
