"""Definitions by themselves: what is wrong with one, whether it may run, whether it can be kept at all, its row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestration.definition.canonical import canonical, digest
from orchestration.definition.problems import Code, Problem
from orchestration.definition.schema import FORMAT
from orchestration.definition.shape import MAX_DEPTH, too_deep
from orchestration.definition.validation import errors, validate
from orchestration.models import Definition
from orchestration.queries.contracts import contracts
from orchestration.queries.interfaces import interfaces
from portal.core.errors import UserError
from portal.core.models import Organisation

JSON = Any
LARGEST_BYTES = 4 * 1024 * 1024


class InvalidDefinition(UserError):
    """`problems`: all of them as JSON, errors first; `found`: the same as values."""

    status = 422

    def __init__(self, found: list[Problem]) -> None:
        wrong = errors(found)
        first = wrong[0] if wrong else found[0]
        where = f"{first.path}: " if first.path else ""
        more = f" ({len(wrong) - 1} more)" if len(wrong) > 1 else ""
        super().__init__(f"The definition is not right. {where}{first.message}{more}", code="invalid_definition")
        self.found = found
        self.problems = [problem.as_json() for problem in found]


def problems_of(organisation: Organisation, definition: JSON, slug: str = "") -> list[Problem]:
    """Every problem of a definition, with the organisation's agents and workflows. Three queries, and some more if it
    runs workflows. `slug`: its own, so that one that leads back to itself is found.
    """
    workflows = interfaces(organisation, definition, slug)
    return validate(definition, agents=contracts(organisation, definition), workflows=workflows)


def checked(*, organisation: Organisation, definition: JSON, slug: str = "") -> dict[str, JSON]:
    """The definition, if it may run. Raises InvalidDefinition with every problem."""
    found = problems_of(organisation, definition, slug)
    if errors(found):
        raise InvalidDefinition(found)
    result: dict[str, JSON] = definition
    return result


def kept(body: Mapping[str, JSON]) -> Definition:
    """The stored row of a definition; equal definitions are one row."""
    row, _ = Definition.objects.get_or_create(digest=digest(body), defaults={"body": body})
    return row


def keepable(definition: JSON) -> dict[str, JSON]:
    """What a draft must be at least: an object of this format with a name, of a sensible size. Raises
    InvalidDefinition.
    """
    found: list[Problem] = []
    if not isinstance(definition, dict):
        found.append(Problem(Code.NOT_AN_OBJECT, "A definition is a JSON object."))
    elif too_deep(definition):
        found.append(Problem(Code.TOO_LARGE, f"The definition is nested deeper than {MAX_DEPTH} levels."))
    else:
        if definition.get("format") != FORMAT:
            found.append(Problem(Code.UNKNOWN_FORMAT, f'The key format must be "{FORMAT}".', place=("format",)))
        name = definition.get("name")
        if not isinstance(name, str) or not 1 <= len(name.strip()) <= 200:
            text = "The workflow needs a name of 1 to 200 characters."
            found.append(Problem(Code.MISSING_KEY, text, place=("name",)))
        found.extend(_unstorable(definition))
    if found:
        raise InvalidDefinition(found)
    result: dict[str, JSON] = definition
    return result


def _unstorable(definition: JSON) -> list[Problem]:
    try:
        text = canonical(definition)
        size = len(text.encode())
    except UnicodeEncodeError:
        return [Problem(Code.INVALID_VALUE, "The definition holds half of a character pair (a lone surrogate).")]
    except ValueError:
        return [Problem(Code.INVALID_VALUE, "The definition holds a number that JSON does not have (NaN, Infinity).")]
    if "\\u0000" in text:
        return [Problem(Code.INVALID_VALUE, "The definition holds the character U+0000, which cannot be stored.")]
    if size > LARGEST_BYTES:
        limit = LARGEST_BYTES // 1024 // 1024
        return [Problem(Code.TOO_LARGE, f"The definition is larger than {limit} MiB.")]
    return []
