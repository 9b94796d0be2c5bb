"""Contracts of agents: JSON Schema (draft 2020-12) of what goes in and out, checked with words a person understands.

A fault is a JSON path and a sentence (`fault_words.py`). What a contract's schema itself may be is in
`contract_schemas.py`, which formats there are in `formats.py`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import best_match
from referencing import Registry
from referencing.exceptions import Unresolvable

from agents.fault_words import did_you_mean, known_ones, listed, member, show, type_of, types
from agents.formats import FORMATS

JSON = Any
MOST_FAULTS = 20


@dataclass(frozen=True, slots=True)
class Fault:
    """Where and what: Fault("$.lines[2].price", "must be a number, but is text")."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"

    def as_json(self) -> dict[str, str]:
        return {"path": self.path, "message": self.message}


def data_faults(schema: Mapping[str, JSON], data: JSON) -> list[Fault]:
    """All faults of `data` (at most 20), in the order of their paths. The schema must have none of its own."""
    validator = Draft202012Validator(schema, format_checker=FORMATS, registry=Registry())
    faults: dict[Fault, None] = {}
    try:
        for error in validator.iter_errors(data):
            faults.update(dict.fromkeys(explained(error)))
            if len(faults) >= MOST_FAULTS:
                break
    except RecursionError:
        return [Fault("$", "is nested too deeply to be checked")]
    except Unresolvable as error:
        return [Fault("$", f"cannot be checked: the schema refers to {error.ref}, which it does not hold")]
    return sorted(faults, key=lambda fault: fault.path)


def explained(error: ValidationError) -> Iterator[Fault]:
    """The faults that an error of the library stands for, in our words: one for each member that is missing or
    unknown.
    """
    path = error.json_path
    value: Any = error.instance
    wanted: Any = error.validator_value
    schema: Any = error.schema
    match error.validator:
        case "required":
            yield from (Fault(member(path, name), "is required") for name in wanted if name not in value)
        case "additionalProperties" | "unevaluatedProperties":
            known = list(schema.get("properties", {}))
            patterns = schema.get("patternProperties", {})
            unknown = [n for n in value if n not in known and not any(re.search(p, n) for p in patterns)]
            yield from (Fault(member(path, name), f"is not known here{known_ones(name, known)}") for name in unknown)
        case "type":
            yield Fault(path, f"must be {types(wanted)}, but is {type_of(value)}")
        case "enum":
            close = did_you_mean(value, wanted)
            yield Fault(path, f"must be one of {listed(wanted)}, but is {show(value)}{close}")
        case "const":
            yield Fault(path, f"must be {show(wanted)}, but is {show(value)}")
        case "anyOf" | "oneOf" if error.context:
            closest = best_match(iter(error.context)) or error
            for fault in explained(closest):
                yield Fault(fault.path, f"{fault.message} (the nearest of {len(wanted)} allowed forms)")
        case "format":
            yield Fault(path, f"must be {_FORMAT_WORDS.get(wanted, wanted)}, but is {show(value)}")
        case "pattern":
            yield Fault(path, f"must match the pattern {wanted}, but is {show(value)}")
        case keyword if keyword in _LIMIT_WORDS:
            yield Fault(path, _LIMIT_WORDS[keyword].format(wanted))
        case _:
            yield Fault(path, error.message)


_FORMAT_WORDS = {
    "date": "a date (2026-05-31)",
    "date-time": "a date and time with time zone (2026-05-31T12:00:00Z)",
    "time": "a time of day (12:00:00)",
    "email": "an e-mail address",
    "uri": "an address with its scheme (https://…)",
    "uuid": "a UUID",
}
_LIMIT_WORDS = {
    "minLength": "must have at least {} characters",
    "maxLength": "must have at most {} characters",
    "minItems": "must have at least {} items",
    "maxItems": "must have at most {} items",
    "minProperties": "must have at least {} members",
    "maxProperties": "must have at most {} members",
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "exclusiveMinimum": "must be more than {}",
    "exclusiveMaximum": "must be less than {}",
    "multipleOf": "must be a multiple of {}",
    "uniqueItems": "must not hold an item twice",
}


def is_small(data: JSON, most: int) -> bool:
    """Whether it holds at most that many values, counted no further."""
    waiting, seen = [data], 0
    while waiting:
        value = waiting.pop()
        seen += 1
        if seen + len(waiting) > most:
            return False
        if isinstance(value, Mapping):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return True
