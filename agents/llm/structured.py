"""Structured answers: how a model is told the schema, how its answer is read, checked, and asked for once more."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import jsonschema
from jsonschema.exceptions import best_match

JSON = Any
Message = Mapping[str, str]

_MOST_FAULTS = 12
_FENCE = re.compile(r"```(?:json|JSON)?\s*\n(.*?)\n?```", re.DOTALL)
_THOUGHTS = re.compile(r"^\s*<think>.*?</think>", re.DOTALL)
INSTRUCTION = (
    "Answer with one JSON object and nothing else: no introduction, no code fence. "
    "It must be valid against this JSON Schema:"
)


class Unreadable(ValueError):
    """The answer holds no JSON."""


def instructed(messages: Sequence[Message], schema: Mapping[str, JSON]) -> list[dict[str, str]]:
    """The messages with the schema said in words: providers that take `response_format` profit from it as well."""
    order = f"{INSTRUCTION}\n{json.dumps(schema, ensure_ascii=False)}"
    result = [dict(message) for message in messages]
    if result and result[0]["role"] == "system":
        result[0]["content"] = f"{result[0]['content']}\n\n{order}"
    else:
        result.insert(0, {"role": "system", "content": order})
    return result


def response_format(schema: Mapping[str, JSON]) -> dict[str, JSON]:
    """OpenAI's form. Not strict: strict mode forbids optional properties, which agents' schemas have."""
    name = re.sub(r"[^a-zA-Z0-9_-]", "_", str(schema.get("title") or "answer"))[:60]
    return {"type": "json_schema", "json_schema": {"name": name, "schema": dict(schema), "strict": False}}


def parse(text: str) -> JSON:
    """The JSON in an answer, though it be fenced, introduced or thought about first. Raises Unreadable."""
    text = _THOUGHTS.sub("", text).strip()
    candidates = [text, *(match.group(1) for match in _FENCE.finditer(text))]
    start = min((at for at in (text.find("{"), text.find("[")) if at >= 0), default=-1)
    decoder = json.JSONDecoder(strict=False)
    for candidate in candidates:
        try:
            return decoder.decode(candidate.strip())
        except (ValueError, RecursionError):  # not JSON; or nested without end, or a number of thousands of digits
            continue
    if start >= 0:
        try:
            return decoder.raw_decode(text[start:])[0]
        except json.JSONDecodeError as error:
            raise Unreadable(f"it is not valid JSON: {error.msg} at character {start + error.pos}") from error
        except (ValueError, RecursionError) as error:
            raise Unreadable(f"it cannot be read as JSON: {error}") from error
    raise Unreadable("it holds no JSON")


def faults(data: JSON, schema: Mapping[str, JSON]) -> list[dict[str, str]]:
    """Where `data` breaks the schema: `[{"path": "/items/0/name", "message": ...}]`, a dozen at most."""
    validator = jsonschema.Draft202012Validator(schema)
    found = []
    for error in sorted(validator.iter_errors(data), key=lambda one: list(map(str, one.absolute_path))):
        deepest = best_match(error.context) if error.context else None
        shown = deepest or error
        path = "/" + "/".join(str(part) for part in shown.absolute_path)
        found.append({"path": path, "message": _short(shown.message)})
    return found[:_MOST_FAULTS]


def repair(messages: Sequence[Message], answer: str, problems: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """The conversation that asks for the answer again, with the faults named."""
    listed = "\n".join(f"- {one['path']}: {one['message']}" for one in problems)
    return [
        *(dict(message) for message in messages),
        {"role": "assistant", "content": answer[:20_000] or "(nothing)"},
        {
            "role": "user",
            "content": f"That answer cannot be used:\n{listed}\n\nSend the whole JSON object again with these faults "
            "corrected, and nothing else.",
        },
    ]


def _short(message: str) -> str:
    return message if len(message) <= 300 else f"{message[:290]} ..."
