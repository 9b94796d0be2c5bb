"""A request about a step that has failed: what a person reads and may choose, and what their answer means. Pure.

Fields of the answer, besides a comment: for `retry_with` {"settings": {...}} (all settings of the step, as values), for
`skip` {"outputs": any, "port": "out"}.
"""

from __future__ import annotations

from typing import Any

JSON = Any

OPTIONS: list[dict[str, JSON]] = [
    {"port": "retry", "label": "Try again", "style": "primary", "comment_required": False},
    {"port": "retry_with", "label": "Edit and try again", "style": "default", "comment_required": False},
    {"port": "skip", "label": "Go on with a value", "style": "default", "comment_required": False},
    {"port": "fail", "label": "Let it fail", "style": "danger", "comment_required": False},
]
INPUTS_LABEL = "What it was given"
_UNKNOWN = (
    "Nobody knows whether the last try took effect, and it must not do so twice. **Look at the other side first.** "
    "If it did, go on with the value it gave; if it did not, try again."
)
_FAILED = "Every try has failed. Say how it is to go on."


def message_of(message: str, *, unknown: bool) -> str:
    """What is asked, in Markdown: the definition's words, then what cannot be left unsaid."""
    stock = _UNKNOWN if unknown else _FAILED
    return f"{message}\n\n{stock}" if message else stock


def context_of(error: JSON, inputs: JSON, attempts: int) -> list[dict[str, JSON]]:
    """What the person reads: [{"label", "value", "format"}] of the error, its details, and what the step was given."""
    tries = "one try" if attempts == 1 else f"{attempts} tries"
    told = f"{error.get('message', 'It failed.')}\n\nCode {error.get('code', 'failed')}, after {tries}."
    found: list[dict[str, JSON]] = [{"label": "What went wrong", "value": told, "format": "text"}]
    if error.get("detail"):
        found.append({"label": "Details of the error", "value": error["detail"], "format": "json"})
    found.append({"label": INPUTS_LABEL, "value": inputs, "format": "json"})
    return found


def fields_of() -> dict[str, JSON]:
    """JSON Schema of the answer's fields, for whoever answers by API."""
    return {
        "type": "object",
        "properties": {
            "settings": {"type": "object", "description": "With retry_with: all settings of the step, as values."},
            "outputs": {"description": "With skip: what the step is to have given."},
            "port": {"type": "string", "description": "With skip: the way out it takes; out if left out."},
        },
        "additionalProperties": False,
    }


def answer(option: str, values: dict[str, JSON] | None, comment: str, by: str) -> dict[str, JSON]:
    """The signal's data (`engine.signals.SignalKind.NODE`)."""
    given = values or {}
    wanted = {"retry_with": ("settings",), "skip": ("outputs", "port")}.get(option, ())
    return {"action": option, "comment": comment, "by": by, **{name: given[name] for name in wanted if name in given}}
