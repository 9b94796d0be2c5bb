"""Expressions: CEL in nodes' settings, conditions and outputs. The only way the portal evaluates what an author wrote.

    evaluate("score > 0.5 && size(items) < 10", scope)   a bare expression
    resolve({"to": "Dear {{ inputs.name }}"}, scope)     every `{{ }}` in the strings of a JSON value
    resolve_settings(node_type, raw, scope)              a node's settings, each field read as its type says
    fixed_settings(node_type, raw)                       the same, if they read nothing
    evaluate_late(text, scope)                           a `Late` setting: a template if it has {{, else a bare
    expression compile(source).references                           the paths it reads, before anything runs

A scope is a plain dict of the names at the root: `inputs`, `vars`, `context`, `loop`, `error`, `run`, and each
upstream node as {"outputs": …}. Whatever goes wrong is an ExpressionError; there is no other way for a failure to
come out. Data never becomes source: what a template puts in is not read again. Time and memory are bounded
(`meter.py`). What authors need to know is in docs/reference/definition.md.
"""

from orchestration.expressions.errors import ExpressionError
from orchestration.expressions.names import Reference
from orchestration.expressions.program import Program, compile, evaluate
from orchestration.expressions.settings import fixed_settings, resolve_settings
from orchestration.expressions.templates import evaluate_late, is_template, resolve, template

__all__ = [
    "ExpressionError",
    "Program",
    "Reference",
    "compile",
    "evaluate",
    "evaluate_late",
    "fixed_settings",
    "is_template",
    "resolve",
    "resolve_settings",
    "template",
]
