"""Reading a definition from text: where each part of it stands, so that a problem can point at its line.

text = read(source)          raises Unreadable with line and column
text.value                   the JSON
text.line(("nodes", 3))      the line on which that part begins
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from orchestration.definition.problems import Code, Place, Problem

JSON = Any
_SPACE = re.compile(r"[ \t\n\r]*")
_SCALAR = re.compile(r"[^\s,\]}]+")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


class Unreadable(ValueError):
    """Text that is not JSON. `line` and `column` count from 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(f"Line {line}, column {column}: {message}")
        self.message, self.line, self.column = message, line, column


@dataclass(frozen=True, slots=True)
class Source:
    value: JSON
    lines: dict[Place, int] = field(repr=False)
    duplicates: tuple[Problem, ...] = ()
    """Keys that are there twice, of which JSON would silently keep the last."""

    def line(self, place: Place) -> int:
        """Of the part itself, or of the nearest part around it that is there."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)


def read(text: str) -> Source:
    """Raises Unreadable."""
    try:
        value = json.loads(text.removeprefix("\ufeff"), parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise Unreadable(_words(error.msg), error.lineno, error.colno) from None
    except _NoNumber as error:
        offset = text.find(str(error))
        line = text.count("\n", 0, max(offset, 0)) + 1
        raise Unreadable(f"{error} is not a number JSON has.", line, 1) from None
    except RecursionError:
        raise Unreadable("Lists and objects are nested too deeply.", 1, 1) from None
    scanner = _Scanner(text.removeprefix("\ufeff"))
    scanner.run()
    return Source(value, scanner.lines, tuple(scanner.duplicates))


class _NoNumber(ValueError):
    pass


def _no_constant(name: str) -> None:
    raise _NoNumber(name)


_MESSAGES = {
    "Expecting value": "A value is missing here.",
    "Expecting property name enclosed in double quotes": "A key in double quotes is missing here (or there is a comma "
    "too many before it).",
    "Illegal trailing comma before end of object": "There is a comma too many before the end of the object.",
    "Illegal trailing comma before end of array": "There is a comma too many before the end of the list.",
    "Expecting ':' delimiter": "A colon is missing after the key.",
    "Expecting ',' delimiter": "A comma is missing here, or a bracket too early.",
    "Unterminated string starting at": "The text that begins here has no closing quote.",
    "Invalid control character at": "A text may not hold a line break; write \\n.",
    "Extra data": "The JSON has ended before; this is too much.",
}


def _words(message: str) -> str:
    return _MESSAGES.get(message, f"{message}.")


class _Scanner:
    """Goes over text that is known to be JSON and notes the line of each part. Without recursion."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines: dict[Place, int] = {}
        self.duplicates: list[Problem] = []
        self.line, self.counted = 1, 0

    def run(self) -> None:
        """One turn a token. `stack` holds the open containers: their place, and keys seen or the next index."""
        stack: list[tuple[Place, set[str] | list[int]]] = []
        position = 0
        place: Place = ()
        expects_value = True
        while True:
            match = _SPACE.match(self.text, position)
            position = match.end() if match else position
            if position >= len(self.text):
                return
            character = self.text[position]
            if expects_value and character not in "]":
                self.lines[place] = self._line(position)
                if character == "{":
                    stack.append((place, set()))
                    position, expects_value = position + 1, False
                    continue
                if character == "[":
                    stack.append((place, [0]))
                    position, place = position + 1, (*place, 0)
                    continue
                scalar = (_STRING if character == '"' else _SCALAR).match(self.text, position)
                position, expects_value = (scalar.end() if scalar else position + 1), False
                continue
            if character in "}]":
                stack.pop()
                position, expects_value = position + 1, False
                continue
            around, seen = stack[-1]
            if character == ",":
                position += 1
                if isinstance(seen, list):
                    seen[0] += 1
                    place, expects_value = (*around, seen[0]), True
                continue
            key = _STRING.match(self.text, position)  # the key of an object
            if key is None or not isinstance(seen, set):
                return
            place, position = self._key(key, around, seen), self.text.index(":", key.end()) + 1
            expects_value = True

    def _key(self, key: re.Match[str], around: Place, seen: set[str]) -> Place:
        name = json.loads(key[0])
        place = (*around, name)
        if name in seen:
            message = f"The key {name} is there twice (again on line {self._line(key.start())})."
            self.duplicates.append(Problem(Code.DUPLICATE_KEY, message, place=place))
        seen.add(name)
        return place

    def _line(self, position: int) -> int:
        self.line += self.text.count("\n", self.counted, position)
        self.counted = position
        return self.line
