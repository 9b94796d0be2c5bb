"""What a guarded call may raise of its own; the tree is drawn at the head of the package."""

from portal.core.errors import UserError


class OutgoingError(UserError):
    """Its message names the host, never the query or credentials."""


class AddressRefused(OutgoingError):
    def __init__(self, message: str) -> None:
        super().__init__(message, "address_refused")


class ResponseTooLarge(OutgoingError):
    def __init__(self, limit: int) -> None:
        super().__init__(f"The answer is larger than {limit} bytes.", "response_too_large")
