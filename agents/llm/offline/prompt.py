"""What a prompt says, taken apart again: the instructions, and the named inputs as `agents.prompts` put them in.

Long values stand between tags (`<input_document> ... </input_document>`), short ones after a label on their own line
(`Hourly rate: 95`). Values that are JSON come back as such.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

JSON = Any
_TAG = re.compile(
    r"(?:^[ \t]*(?P<label>[^\n:<]{1,60}):[ \t]*)?<input_(?P<name>[\w-]+)>\n(?P<value>.*?)\n</input_(?P=name)>",
    re.DOTALL | re.MULTILINE,
)
_LINE = re.compile(r"^[ \t]*(?:[-*] )?(?P<label>[A-Z][^\n:.!?<>]{1,48}):[ \t]*(?P<value>\S[^\n]*)$", re.MULTILINE)
NOT_GIVEN = "(not given)"


@dataclass(frozen=True, slots=True)
class Task:
    """instructions: the system prompt; request: the user prompt without its inputs; inputs: by name, in order."""

    instructions: str
    request: str
    inputs: Mapping[str, JSON] = field(default_factory=dict)

    @property
    def texts(self) -> dict[str, str]:
        """Inputs that are text of some length: what there is to read."""
        return {name: value for name, value in self.inputs.items() if isinstance(value, str) and len(value) > 40}


def read(messages: Sequence[Mapping[str, str]]) -> Task:
    """Of a conversation: the first system message, and the last user message that holds inputs (a repair has none)."""
    instructions = next((one["content"] for one in messages if one["role"] == "system"), "")
    users = [one["content"] for one in messages if one["role"] == "user"]
    user = next((text for text in reversed(users) if _TAG.search(text)), users[0] if users else "")
    inputs: dict[str, JSON] = {}
    places: list[tuple[int, str, JSON]] = []

    def taken(match: re.Match[str]) -> str:
        places.append((match.start(), match["name"].replace("-", "_"), _value(match["value"])))
        return "\n"

    rest = _TAG.sub(taken, user)
    for match in _LINE.finditer(rest):
        name = re.sub(r"\W+", "_", match["label"].strip().lower()).strip("_")
        if match["value"].strip() != NOT_GIVEN:
            places.append((match.start(), name, _value(match["value"].strip())))
    for _, name, value in sorted(places, key=lambda place: place[0]):
        inputs.setdefault(name, value)
    request = _LINE.sub("", rest).strip()
    if not inputs and request:
        inputs["text"] = request
    return Task(instructions, request, inputs)


def _value(text: str) -> JSON:
    """JSON objects, lists and numbers as such; everything else is text, with the zero-width guards of tags taken out."""
    stripped = text.strip()
    if stripped[:1] in "[{" or re.fullmatch(r"-?\d+(\.\d+)?", stripped):
        try:
            return json.loads(stripped)
        except json.JSONDecodeError:
            pass
    return text.replace("\u200b", "")
