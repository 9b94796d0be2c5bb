"""Numbers and JSON as people and programs write them: read, or refused in words, whatever it is."""

import json
from typing import Any

from django.utils.translation import gettext as _

JSON = Any
_MOST_DIGITS = 18
"""What a bigint surely holds. Of thousands of digits Python itself makes an error."""


def number(text: str) -> int | None:
    """A whole number, from 0 on. None for what is none, or is too large to be any row's."""
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else None


def json_of(text: str) -> JSON:
    """Raises json.JSONDecodeError, also for what Python's reader refuses by other errors."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise json.JSONDecodeError("It is nested too deeply", text, 0) from None
    except ValueError:
        raise json.JSONDecodeError("A number has too many digits", text, 0) from None


def not_json(error: json.JSONDecodeError) -> str:
    """What whoever wrote the text is told."""
    place = {"line": error.lineno, "column": error.colno, "problem": error.msg}
    return _("This is not JSON: line %(line)d, column %(column)d: %(problem)s.") % place
