"""What litellm and the providers raise, turned into our one error by one table.

Classes are matched by name, so that this module imports no litellm; the order is the order of trust: a class that says
what happened, then the HTTP status, then what lies at the bottom of the exception chain (litellm turns a reset
connection and an unreadable answer alike into a status 500).
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from agents.errors import AgentError
from portal.core import clock
from portal.core.redaction import redact

_LONGEST_DETAIL = 500
_LONGEST_WAIT_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Meaning:
    code: str
    retryable: bool
    message: str
    """A sentence with `{model}`, fit for the user."""


CONTEXT_TOO_LONG = Meaning("context_too_long", False, "The text is too long for {model}.")
CONTENT_FILTER = Meaning("content_filter", False, "{model} refused to answer: its content filter objected.")
AUTHENTICATION = Meaning(
    "authentication", False, "{model} did not accept the API key. Check the key or secret of the model profile."
)
MODEL_NOT_FOUND = Meaning("model_not_found", False, "The provider knows no model {model}. Check the model profile.")
QUOTA = Meaning("quota_exhausted", False, "The account at the provider of {model} has no credit left.")
RATE_LIMITED = Meaning("rate_limited", True, "{model} is asked too often just now.")
TIMEOUT = Meaning("timeout", True, "{model} did not answer in time.")
CONNECTION = Meaning("connection", True, "{model} could not be reached, or the connection broke.")
ADDRESS = Meaning("address_refused", False, "The address of the profile for {model} is inside the network.")
BAD_RESPONSE = Meaning("bad_response", True, "{model} sent an answer that cannot be read.")
UNAVAILABLE = Meaning("provider_unavailable", True, "The provider of {model} has a fault just now.")
INVALID_REQUEST = Meaning("invalid_request", False, "{model} refused the request.")

BY_CLASS = {
    "ContextWindowExceededError": CONTEXT_TOO_LONG,
    "ContentPolicyViolationError": CONTENT_FILTER,
    "RejectedRequestError": CONTENT_FILTER,
    "AuthenticationError": AUTHENTICATION,
    "PermissionDeniedError": AUTHENTICATION,
    "NotFoundError": MODEL_NOT_FOUND,
    "PaymentRequiredError": QUOTA,
    "BudgetExceededError": QUOTA,
    "RateLimitError": RATE_LIMITED,
    "Timeout": TIMEOUT,
    "APITimeoutError": TIMEOUT,
    "APIResponseValidationError": BAD_RESPONSE,
    "JSONSchemaValidationError": BAD_RESPONSE,
    "UnprocessableEntityError": INVALID_REQUEST,
    "UnsupportedParamsError": INVALID_REQUEST,
    "BadRequestError": INVALID_REQUEST,
    "LiteLLMUnknownProvider": MODEL_NOT_FOUND,
    "ServiceUnavailableError": UNAVAILABLE,
    "BadGatewayError": UNAVAILABLE,
}
BY_STATUS = {
    400: INVALID_REQUEST,
    401: AUTHENTICATION,
    402: QUOTA,
    403: AUTHENTICATION,
    404: MODEL_NOT_FOUND,
    408: TIMEOUT,
    409: UNAVAILABLE,
    413: CONTEXT_TOO_LONG,
    422: INVALID_REQUEST,
    425: UNAVAILABLE,
    429: RATE_LIMITED,
    501: INVALID_REQUEST,
    504: TIMEOUT,
    529: UNAVAILABLE,
}
# What lies deeper in the chain than litellm's own class.
BY_CAUSE = {
    "AddressRefused": ADDRESS,
    "JSONDecodeError": BAD_RESPONSE,
    "ContentTypeError": BAD_RESPONSE,
    "DecodingError": BAD_RESPONSE,
    "UnicodeDecodeError": BAD_RESPONSE,
    "RemoteProtocolError": CONNECTION,
    "ConnectError": CONNECTION,
    "ReadError": CONNECTION,
    "WriteError": CONNECTION,
    "ClientConnectorError": CONNECTION,
    "ClientConnectionError": CONNECTION,
    "ClientOSError": CONNECTION,
    "ServerDisconnectedError": CONNECTION,
    "ClientPayloadError": CONNECTION,
    "TransferEncodingError": CONNECTION,
    "ConnectionResetError": CONNECTION,
    "gaierror": CONNECTION,
    "SSLError": CONNECTION,
    "ConnectTimeout": TIMEOUT,
    "ReadTimeout": TIMEOUT,
    "TimeoutError": TIMEOUT,
}
# Providers say with one status what differs for us; these words are in their documented error codes.
_QUOTA_WORDS = re.compile(r"insufficient_quota|billing|credit balance|exceeded your current quota", re.I)
_LENGTH_WORDS = re.compile(r"context_length_exceeded|maximum context length|prompt is too long|too many tokens", re.I)
_FILTER_WORDS = re.compile(r"content_filter|content_policy|safety system", re.I)


def meaning_of(error: BaseException) -> Meaning:
    """Which row of the table `error` is. Anything unknown counts as an unreadable answer: worth one more try."""
    original = getattr(error, "original_exception", None)
    if isinstance(original, Exception) and "MidStreamFallbackError" in _names(error):
        return meaning_of(original)  # litellm's wrapper for whatever happens after the first piece of a stream
    chain = list(_chain(error))
    causes = [BY_CAUSE[name] for one in chain for name in _names(one) if name in BY_CAUSE]
    if ADDRESS in causes:
        return ADDRESS
    text = " ".join(str(one) for one in chain[:2])[:4000]
    found = _by_class(error) or BY_STATUS.get(_status(error))
    if found is RATE_LIMITED and _QUOTA_WORDS.search(text):
        return QUOTA
    if found is INVALID_REQUEST and _LENGTH_WORDS.search(text):
        return CONTEXT_TOO_LONG
    if found is INVALID_REQUEST and _FILTER_WORDS.search(text):
        return CONTENT_FILTER
    if found is not None:
        return found
    if causes:
        return causes[-1]
    return UNAVAILABLE if _status(error) >= 500 and _answered(error) else _by_words(text)


def agent_error(error: BaseException, *, model: str, usage: dict[str, object] | None = None) -> AgentError:
    """The error for the engine. The provider's words, cut and without secrets, are `detail.provider_message`."""
    meaning = meaning_of(error)
    words = redact(str(error))[:_LONGEST_DETAIL]
    detail = {"model": model, "status": _status(error) or None, "provider_message": words}
    return AgentError(
        meaning.message.format(model=model),
        code=meaning.code,
        retryable=meaning.retryable,
        retry_after=retry_after(error),
        detail=detail,
        usage=usage,
    )


def retry_after(error: BaseException) -> float | None:
    """Seconds from `Retry-After` (seconds or a date, RFC 9110 10.2.3) or `retry-after-ms`; at most an hour."""
    for one in _chain(error):
        response = getattr(one, "response", None)
        for headers in (getattr(response, "headers", None), getattr(one, "litellm_response_headers", None)):
            if headers is None:
                continue
            seconds = _seconds(headers.get("retry-after-ms"), 0.001) or _seconds(headers.get("retry-after"), 1.0)
            if seconds is not None:
                return min(seconds, _LONGEST_WAIT_SECONDS)
    return None


def _seconds(value: str | None, unit: float) -> float | None:
    if not value:
        return None
    try:
        return max(0.0, float(value) * unit)
    except ValueError:
        pass
    try:
        return max(0.0, (email.utils.parsedate_to_datetime(value) - clock.now()).total_seconds())
    except (ValueError, TypeError):
        return None


def _by_class(error: BaseException) -> Meaning | None:
    return next((BY_CLASS[name] for name in _names(error) if name in BY_CLASS), None)


def _names(error: BaseException) -> list[str]:
    return [kind.__name__ for kind in type(error).__mro__]


def _status(error: BaseException) -> int:
    status = getattr(error, "status_code", 0)
    return status if isinstance(status, int) else 0


def _answered(error: BaseException) -> bool:
    """Whether the provider itself sent this status; litellm invents a 500 for what it cannot place."""
    response = getattr(error, "response", None)
    return bool(getattr(response, "headers", None)) or any(
        _status(one) >= 500 and getattr(getattr(one, "response", None), "headers", None) for one in _chain(error)
    )


def _by_words(text: str) -> Meaning:
    """The last resort: litellm has kept nothing but the text of the cause."""
    lowered = text.lower()
    if (
        "jsondecode" in lowered
        or "expecting value" in lowered
        or "unable to parse" in lowered
        or "not valid json" in lowered
    ):
        return BAD_RESPONSE
    if "disconnected" in lowered or "connection" in lowered or "cannot connect" in lowered or "payload" in lowered:
        return CONNECTION
    return UNAVAILABLE if "internalservererror" in lowered or "server error" in lowered else BAD_RESPONSE


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__ or getattr(current, "original_exception", None)


EXPECTED = (asyncio.TimeoutError, json.JSONDecodeError, OSError, ValueError, KeyError, TypeError, AttributeError)
"""What may come out of reading a provider's answer besides litellm's own classes."""
