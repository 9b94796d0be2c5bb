"""The offline model: what the portal answers with when no model is there. It is NOT a language model, and says so.

It reads what it is given and extracts: key sentences, demands, figures, dates, risks, headings, findings in a diff; it
classifies by word lists; and it fills the output schema with what it found, by the names, types and descriptions of the
fields. Same input, same answer. It invents nothing: where the text says nothing, a field stays empty or says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agents.llm.offline import compose, fill
from agents.llm.offline.prompt import read

JSON = Any
NAME = "offline (not a language model)"
_PIECE = 80


def answer(messages: Sequence[Mapping[str, str]], schema: Mapping[str, JSON] | None) -> str:
    """The answer's text: JSON when there is a schema, Markdown otherwise."""
    task = read(messages)
    if schema is None:
        return compose.document(task)
    return json.dumps(fill.fill(schema, task), ensure_ascii=False)


def pieces(text: str) -> Iterator[str]:
    """The text in the portions in which it is streamed."""
    for start in range(0, len(text), _PIECE):
        yield text[start : start + _PIECE]
