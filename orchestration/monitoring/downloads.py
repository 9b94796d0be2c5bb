"""A run's outputs as files."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from orchestration.models import Run


@dataclass(frozen=True, slots=True)
class File:
    name: str
    content: bytes
    content_type: str


def outputs_of(run: Run) -> dict[str, Any]:
    """By name, in the order of the definition (PostgreSQL keeps none). Reads the run's definition."""
    outputs = run.outputs if isinstance(run.outputs, dict) else {}
    named = [name for name in run.definition.body.get("outputs", {}) if name in outputs]
    return {name: outputs[name] for name in [*named, *(name for name in outputs if name not in named)]}


def output_file(run: Run, name: str) -> File | None:
    """Text as Markdown, everything else as JSON; `all.json` is the whole. None when there is no such output."""
    if name == "all.json":
        return None if run.outputs is None else File(f"{_stem(run)}.json", _json(run.outputs), "application/json")
    if name not in outputs_of(run):
        return None
    value = outputs_of(run)[name]
    stem = f"{_stem(run)}-{_safe(name)}"
    if isinstance(value, str):
        return File(f"{stem}.md", value.encode(), "text/markdown; charset=utf-8")
    return File(f"{stem}.json", _json(value), "application/json")


def _stem(run: Run) -> str:
    return f"{_safe(run.name)}-{str(run.id)[:8]}"


def _safe(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "run"


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode()
