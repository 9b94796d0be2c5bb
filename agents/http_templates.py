"""Templates of a request: `{{ input.name }}` in JSON, in text and in an address.

A string that is exactly one placeholder becomes that input with its type; in other strings it is put in as text, in an
address percent-encoded.
"""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

JSON = Any
_PLACEHOLDER = re.compile(r"\{\{\s*input((?:\.[A-Za-z_][\w-]*)*)\s*\}\}")
_ANY_BRACES = re.compile(r"\{\{.*?\}\}", re.DOTALL)


def fill(template: JSON, inputs: Mapping[str, JSON]) -> JSON:
    """The JSON template with the inputs put in. A string that is one placeholder keeps the input's type."""
    if isinstance(template, Mapping):
        return {key: fill(value, inputs) for key, value in template.items()}
    if isinstance(template, list):
        return [fill(value, inputs) for value in template]
    if not isinstance(template, str):
        return template
    whole = _PLACEHOLDER.fullmatch(template.strip())
    return look_up(whole.group(1), inputs) if whole else fill_text(template, inputs)


def fill_text(template: str, inputs: Mapping[str, JSON]) -> str:
    return _PLACEHOLDER.sub(lambda match: as_text(look_up(match.group(1), inputs)), template)


def fill_address(template: str, inputs: Mapping[str, JSON]) -> str:
    return _PLACEHOLDER.sub(lambda match: quote(as_text(look_up(match.group(1), inputs)), safe=""), template)


def look_up(dotted: str, inputs: Mapping[str, JSON]) -> JSON:
    value: JSON = inputs
    for part in dotted.split(".")[1:]:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def as_text(value: JSON) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def checked(text: str) -> str:
    for braces in _ANY_BRACES.findall(text):
        if not _PLACEHOLDER.fullmatch(braces):
            raise ValueError(f"{braces} is not understood; write {{{{ input.name }}}}")
    return text


def strings(value: JSON) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return [text for one in inner for text in strings(one)]
