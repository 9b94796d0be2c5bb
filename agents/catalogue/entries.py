"""How a starter agent is written down: one `Entry`, made by `llm(...)` or `python(...)`, and small words for its schemas.

Prompts tell a model what a good answer is, what to do when the material is silent, and what not to do. The user prompt
labels every input (`Document: {{ input.document }}`), long values are fenced by `agents.prompts`.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

JSON = Any
Schema = dict[str, Any]

GROUND_RULES = """
Rules for every answer:
- Use only what the material says. Where it is silent, say so; never fill a gap with a guess.
- Copy numbers, names, dates and ids exactly. Never invent a source, a reference or a person.
- Write plain, short sentences in the language of the material. No flattery, no filler.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One agent of the starter catalogue."""

    slug: str
    name: str
    description: str
    domain: str
    skills: tuple[str, ...]
    kind: str
    config: dict[str, JSON]
    inputs: Schema = field(default_factory=dict)
    outputs: Schema = field(default_factory=dict)
    input_types: tuple[str, ...] = ("text",)
    output_types: tuple[str, ...] = ("json",)
    tags: tuple[str, ...] = ()
    timeout_seconds: int = 120
    max_concurrency: int | None = None


def llm(
    *,
    slug: str,
    name: str,
    description: str,
    domain: str,
    skills: Sequence[str],
    system: str,
    user: str,
    inputs: Schema,
    outputs: Schema,
    profile: str = "auto",
    temperature: float | None = 0.2,
    input_types: Sequence[str] = ("text",),
    output_types: Sequence[str] = ("json",),
    tags: Sequence[str] = (),
    timeout_seconds: int = 180,
) -> Entry:
    """An agent that asks a model."""
    config: dict[str, JSON] = {
        "system": f"{_clean(system)}\n\n{GROUND_RULES.strip()}",
        "user": _clean(user),
        "profile": profile,
    }
    if temperature is not None:
        config["temperature"] = temperature
    return Entry(
        slug=slug,
        name=name,
        description=_clean(description),
        domain=domain,
        skills=tuple(skills),
        kind="llm",
        config=config,
        inputs=inputs,
        outputs=outputs,
        input_types=tuple(input_types),
        output_types=tuple(output_types),
        tags=tuple(tags),
        timeout_seconds=timeout_seconds,
    )


def python(
    *,
    slug: str,
    name: str,
    description: str,
    domain: str,
    skills: Sequence[str],
    function: str,
    tags: Sequence[str] = (),
    timeout_seconds: int = 60,
    output_types: Sequence[str] = ("json",),
) -> Entry:
    """An agent that calls a registered function; its schemas are the function's own."""
    return Entry(
        slug=slug,
        name=name,
        description=_clean(description),
        domain=domain,
        skills=tuple(skills),
        kind="python",
        config={"callable": function},
        input_types=("json",),
        output_types=tuple(output_types),
        tags=("no model", *tags),
        timeout_seconds=timeout_seconds,
    )


# -- words for schemas ------------------------------------------------------------------------------------------------


def form(required: Sequence[str] = (), /, **properties: Schema) -> Schema:
    """An object; all properties are required unless `required` names some."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required) or list(properties),
        "additionalProperties": False,
    }


def text(title: str, description: str, **more: JSON) -> Schema:
    return {"type": "string", "title": title, "description": description, **more}


def document(title: str, description: str, **more: JSON) -> Schema:
    """Long text that forms show as a large field, or take as a file."""
    return text(title, description, contentMediaType="text/plain", **more)


def markdown(description: str = "The whole answer, as Markdown.") -> Schema:
    return form(text=text("Text", description, contentMediaType="text/markdown"))


def choice(title: str, description: str, *values: str) -> Schema:
    return {"type": "string", "title": title, "description": description, "enum": list(values)}


def number(title: str, description: str, **more: JSON) -> Schema:
    return {"type": "number", "title": title, "description": description, **more}


def whole(title: str, description: str, **more: JSON) -> Schema:
    return {"type": "integer", "title": title, "description": description, **more}


def truth(title: str, description: str) -> Schema:
    return {"type": "boolean", "title": title, "description": description}


def rows(title: str, description: str, most: int = 60, required: Sequence[str] = (), /, **properties: Schema) -> Schema:
    """A list of objects."""
    return {
        "type": "array", "title": title, "description": description, "maxItems": most, "items": form(required, **properties),
    }  # fmt: skip


def lines(title: str, description: str, most: int = 20) -> Schema:
    """A list of sentences or words."""
    return {"type": "array", "title": title, "description": description, "maxItems": most, "items": {"type": "string"}}


def objects(title: str, description: str) -> Schema:
    """A list of objects that another agent has made, taken as they are."""
    return {"type": "array", "title": title, "description": description, "items": {"type": "object"}}


def anything(title: str, description: str) -> Schema:
    """JSON of an earlier step, whatever its form."""
    return {"title": title, "description": description}


SEVERITY = ("critical", "high", "medium", "low")
SUMMARY = text("Summary", "Three to five sentences with what matters most.")


def _clean(text: str) -> str:
    """Lines that were only broken to fit the source are joined; paragraphs, lists and labelled inputs stay."""
    return _SOFT_BREAK.sub(" ", textwrap.dedent(text).strip())


_SOFT_BREAK = re.compile(r"(?<=[^\n:}])\n[ ]*(?=[^\s\-*\d#{])(?![A-Z][\w ]*: \{\{)")
