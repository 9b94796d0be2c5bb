"""The answer: what the step passes on of it, and what it means when it is no good one."""

from __future__ import annotations

import base64
from typing import Any

import httpx

from orchestration.http_requests.settings import HttpSettings
from orchestration.nodes.base import NodeFailure
from orchestration.values import pieces
from portal.core import clock
from portal.core.outgoing import OutgoingError
from portal.core.outgoing.answers import CODES, DID_NOTHING, TRANSIENT, excerpt, retry_after

JSON = Any
_CODES = {**CODES, 503: "unavailable"}
_TEXTS = frozenset({"application/xml", "application/javascript", "application/x-www-form-urlencoded"})
_UNSURE = (
    " Nobody knows whether the request took effect, so it is not repeated; "
    "set repeatable if the other side honours the Idempotency-Key."
)


def outputs(response: httpx.Response, settings: HttpSettings) -> dict[str, JSON]:
    """Of a step whose answer is a good one: {"status", "headers", "body", "url"}."""
    kept = {name.lower() for name in settings.response_headers}
    return {
        "status": response.status_code,
        "headers": {name: value for name, value in response.headers.items() if name in kept},
        "body": _value(response),
        "url": str(response.url),
    }


def _value(response: httpx.Response) -> JSON:
    if not response.content:
        return None
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        try:
            return pieces.loads(response.content)
        except ValueError:
            raise NodeFailure(
                "The other side says that it answers with JSON, but it is not valid JSON.",
                code="invalid_output",
                detail={"status": response.status_code, "body": excerpt(response)},
            ) from None
    if kind.startswith("text/") or kind in _TEXTS or kind.endswith("+xml") or not kind:
        try:
            return response.content.decode(response.charset_encoding or "utf-8")
        except (UnicodeDecodeError, LookupError):
            if kind:
                return response.text
    return {"base64": base64.b64encode(response.content).decode(), "bytes": len(response.content)}


def is_expected(status: int, expect: tuple[int | str, ...]) -> bool:
    return status in expect or f"{status // 100}xx" in expect


def refused(response: httpx.Response, settings: HttpSettings) -> NodeFailure:
    """The failure that a status outside of `expect` stands for."""
    status = response.status_code
    retryable = status in DID_NOTHING or (status in TRANSIENT and settings.may_repeat)
    unsure = status in TRANSIENT and not settings.may_repeat
    code = _CODES.get(status) or ("server_error" if status >= 500 else "unexpected_status")
    return NodeFailure(
        f"{response.url.host} answered {status} {response.reason_phrase}".rstrip() + "." + (_UNSURE if unsure else ""),
        code=code,
        retryable=retryable,
        retry_after=retry_after(response.headers.get("retry-after"), clock.now()),
        detail={"status": status, "body": excerpt(response)},
    )


def no_answer(error: OutgoingError | httpx.HTTPError | httpx.InvalidURL, settings: HttpSettings) -> NodeFailure:
    """The failure that having no answer stands for: was anything sent, and may it be sent again?"""
    if isinstance(error, OutgoingError):
        return NodeFailure(error.message, code=error.code)
    nothing_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    if isinstance(error, httpx.TransportError) and not isinstance(
        error, httpx.UnsupportedProtocol | httpx.LocalProtocolError
    ):
        retryable = nothing_sent or settings.may_repeat
        late = isinstance(error, httpx.TimeoutException)
        said = "did not answer in time" if late else f"cannot be reached: {error or type(error).__name__}"
        return NodeFailure(
            f"The other side {said}.".replace("..", ".") + ("" if retryable else _UNSURE),
            code="timeout" if late else "unreachable",
            retryable=retryable,
        )
    if isinstance(error, httpx.DecodingError):
        return NodeFailure(f"The answer cannot be read: {error}", code="invalid_output")
    return NodeFailure(f"The request cannot be made: {error}", code="bad_request")
