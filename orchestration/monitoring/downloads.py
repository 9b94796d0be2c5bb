"""A run's outputs as files."""

from __future__ import annotations

import json
import re
from typing import Any

from orchestration.models import Run
from orchestration.services import values
from orchestration.services.values import Download
from orchestration.values.references import is_plain, is_reference


def outputs_of(run: Run) -> dict[str, Any]:
    """By name as they are kept, in the order of the definition (PostgreSQL keeps none). Reads the run's definition."""
    outputs = run.outputs if isinstance(run.outputs, dict) and not is_reference(run.outputs) else {}
    named = [name for name in run.definition.body.get("outputs", {}) if name in outputs]
    return {name: outputs[name] for name in [*named, *(name for name in outputs if name not in named)]}


def output_file(run: Run, name: str) -> Download | None:
    """Text as Markdown, everything else as JSON; `all.json` is the whole. None when there is no such output."""
    if name == "all.json":
        return None if run.outputs is None else _file(run, run.outputs, _stem(run))
    outputs = outputs_of(run)
    return _file(run, outputs[name], f"{_stem(run)}-{_safe(name)}") if name in outputs else None


def _file(run: Run, kept: Any, stem: str) -> Download:
    """What holds nothing large is laid out for reading."""
    if isinstance(kept, str) or not is_plain(kept):
        return values.download_of(run, kept, stem)
    content = json.dumps(kept, indent=2, ensure_ascii=False).encode()
    return Download(f"{stem}.json", values.DATA, content)


def _stem(run: Run) -> str:
    return f"{_safe(run.name)}-{str(run.id)[:8]}"


def _safe(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "run"
