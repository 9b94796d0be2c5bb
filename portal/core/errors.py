"""Errors whose text is written for the person who meets them.

UserError                 what was asked cannot be done; the message says why and what helps
├── Conflict              the state does not allow it (any more); 409 in the API
└── NotAllowed            a rule of the product forbids it, whatever the role; 403 in the API
"""

from collections.abc import Mapping, Sequence
from typing import Any


class UserError(Exception):
    """`message` is one sentence for people, `code` a stable word for programs (`last_admin`), `facts` more for them, as
    JSON.
    """

    status = 400
    problems: Sequence[Mapping[str, Any]] = ()
    """All that is wrong, where it is several things: [{"path", "message", ...}]."""
    retry_after: int | None = None
    """Seconds after which the same may be asked again."""

    def __init__(self, message: str, code: str = "invalid", **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.facts = facts


class Conflict(UserError):
    status = 409


class NotAllowed(UserError):
    status = 403
