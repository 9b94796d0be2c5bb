"""Two versions of an agent side by side: what breaks, and every difference as a unified diff. Pure."""

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agents.compatibility import Change, Contract, contract_changes
from agents.models import AgentVersion

JSON = Any


@dataclass(frozen=True, slots=True)
class Section:
    """One part that differs; `diff` is unified diff text without the file lines."""

    label: str
    diff: str


@dataclass(frozen=True, slots=True)
class Comparison:
    old: AgentVersion
    new: AgentVersion
    breaking: list[Change]
    harmless: list[Change]
    sections: list[Section]


def compare_versions(old: AgentVersion, new: AgentVersion) -> Comparison:
    """What changed of the contract, and of everything else as text."""
    contracts = (Contract(version.input_schema, version.output_schema) for version in (old, new))
    before, after = _parts(old), _parts(new)
    sections = [
        Section(label, "\n".join(_diff(before.get(label, ""), after.get(label, ""))))
        for label in dict.fromkeys([*before, *after])
        if before.get(label, "") != after.get(label, "")
    ]
    changes = contract_changes(*contracts)
    breaking, harmless = ([one for one in changes if one.breaking is wanted] for wanted in (True, False))
    return Comparison(old, new, breaking, harmless, sections)


def _parts(version: AgentVersion) -> dict[str, str]:
    """Long texts of the settings (prompts) stand by themselves, so that their lines are compared as lines."""
    prompts = {key: value for key, value in version.config.items() if isinstance(value, str) and "\n" in value}
    rest = {key: value for key, value in version.config.items() if key not in prompts}
    limits = {
        "max_concurrency": version.max_concurrency,
        "timeout_seconds": version.timeout_seconds,
        "retry": version.retry,
        "cost_per_run_usd": None if version.cost_per_run_usd is None else str(version.cost_per_run_usd),
    }
    return {
        "Kind": version.kind,
        **{f"Settings: {key}": value for key, value in prompts.items()},
        "Settings": _text(rest),
        "Input": _text(version.input_schema),
        "Output": _text(version.output_schema),
        "Limits": _text(limits),
    }


def _text(value: JSON) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True)


def _diff(old: str, new: str) -> Iterator[str]:
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=2)
    return (line for index, line in enumerate(lines) if index >= 2)
