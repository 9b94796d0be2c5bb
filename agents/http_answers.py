"""What an endpoint's answer comes to: the outputs picked out of it, or the error it stands for."""

import re
from collections.abc import Mapping
from typing import Any

import httpx

from agents.errors import AgentError
from portal.core import clock
from portal.core.outgoing import OutgoingError
from portal.core.outgoing.answers import CODES, DID_NOTHING, TRANSIENT, excerpt, retry_after

JSON = Any


def outputs(wanted: Mapping[str, str], response: httpx.Response) -> dict[str, JSON]:
    """By the agent's `response`: {name: place}; without it the JSON object that was answered, or {"body": ...}."""
    body = _json_of(response)
    if wanted:
        return {name: _pick(place, body, response) for name, place in wanted.items()}
    if isinstance(body, dict):
        return body
    return {"body": body}


def _json_of(response: httpx.Response) -> JSON:
    """The body as JSON where it is JSON, else as text; None when there is none."""
    if not response.content:
        return None
    try:
        return response.json()
    except (ValueError, RecursionError):
        if "json" in response.headers.get("content-type", ""):
            raise AgentError(
                "The endpoint says that it answers with JSON, but it is not valid JSON.",
                code="invalid_output",
                retryable=True,
                detail={"body": excerpt(response)},
            ) from None
        return response.text


def _pick(place: str, body: JSON, response: httpx.Response) -> JSON:
    if place == "status":
        return response.status_code
    if place.startswith("headers"):
        return response.headers.get(place.partition(".")[2])
    value = body
    for name, index in re.findall(r"\.([\w-]+)|\[(\d+)\]", place):
        if name and isinstance(value, Mapping):
            value = value.get(name)
        elif index and isinstance(value, list) and int(index) < len(value):
            value = value[int(index)]
        else:
            return None
    return value


def status_error(response: httpx.Response) -> AgentError:
    """What a status that is no success means for whoever may ask again."""
    status = response.status_code
    code = CODES.get(status) or ("server_error" if status >= 500 else "redirected" if status < 400 else "refused")
    return AgentError(
        f"The endpoint answered {status} {response.reason_phrase}.".replace(" .", "."),
        code=code,
        retryable=status in DID_NOTHING | TRANSIENT,
        retry_after=retry_after(response.headers.get("retry-after"), clock.now()),
        detail={"status": status, "body": excerpt(response)},
    )


def connection_error(error: OutgoingError | httpx.HTTPError | httpx.InvalidURL) -> AgentError:
    """What it means that there is no answer."""
    if isinstance(error, OutgoingError):
        return AgentError(error.message, code=error.code)
    if isinstance(error, httpx.TimeoutException):
        return AgentError("The endpoint did not answer in time.", code="timeout", retryable=True)
    if isinstance(
        error, httpx.UnsupportedProtocol | httpx.TooManyRedirects | httpx.LocalProtocolError | httpx.InvalidURL
    ):
        return AgentError(f"The request cannot be made: {error}", code="bad_request")
    return AgentError(
        f"The endpoint cannot be reached: {error or type(error).__name__}", code="unreachable", retryable=True
    )
