"""The ready workflows: definitions as JSON, as `export` writes them, and real inputs to try them with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

JSON = Any
_HERE = Path(__file__).parent
_INPUTS = _HERE / "inputs"


@dataclass(frozen=True, slots=True)
class Sample:
    slug: str
    definition: dict[str, JSON]
    """With the example inputs as `examples` of its inputs' schema."""
    example: dict[str, JSON]


def samples() -> tuple[Sample, ...]:
    """All of them, in the order in which one would show them."""
    return tuple(_sample(slug, example) for slug, example in _examples().items())


def sample(slug: str) -> Sample:
    """Raises KeyError."""
    return _sample(slug, _examples()[slug])


def _examples() -> dict[str, dict[str, JSON]]:
    return {
        "rfp-response": {
            "rfp": _text("rfp.txt"),
            "company_profile": _text("company.txt"),
            "hourly_rate": 110,
            "currency": "EUR",
            "contingency_percent": 10,
        },
        "code-review": {
            "diff": _text("change.diff"),
            "context": "Search, export and cancelling of orders in a web shop; the warehouse is told of new orders.",
        },
        "content-moderation": {"comments": json.loads(_text("comments.json"))},
    }


def _sample(slug: str, example: dict[str, JSON]) -> Sample:
    definition = json.loads((_HERE / f"{slug}.json").read_text(encoding="utf-8"))
    definition["inputs"]["examples"] = [example]
    return Sample(slug, definition, example)


def _text(name: str) -> str:
    return (_INPUTS / name).read_text(encoding="utf-8")
