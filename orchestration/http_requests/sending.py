"""The request: its headers with the secret, its body and parameters, and how long it may take."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from orchestration.definition.canonical import canonical
from orchestration.http_requests.settings import HttpAuth, HttpSettings
from orchestration.nodes.base import Context, NodeFailure
from orchestration.values.portions import is_long, written
from portal.core import clock
from portal.core.errors import UserError
from portal.core.in_threads import in_database
from portal.core.models import Organisation
from portal.core.services import secrets

JSON = Any


async def headers(ctx: Context, organisation: Organisation, settings: HttpSettings) -> dict[str, str]:
    """With secret and Idempotency-Key. Raises NodeFailure: no such secret, or what no header can carry."""
    auth = await _auth(organisation, settings.auth) if settings.auth else {}
    found = {"Accept": "application/json, */*;q=0.5", **settings.headers, **auth}
    if settings.body is not None and settings.body_format == "json" and "content-type" not in map(str.lower, found):
        found["Content-Type"] = "application/json"
    for name, text in found.items():
        if not text.isascii() or not text.isprintable():
            message = f"The header {name} would hold characters that a header cannot carry."
            raise NodeFailure(message, code="invalid_settings")
    return {**found, "Idempotency-Key": ctx.idempotency_key}


async def _auth(organisation: Organisation, auth: HttpAuth) -> dict[str, str]:
    try:
        value = await in_database(secrets.read, organisation, auth.secret_name)
    except UserError as error:
        raise NodeFailure(error.message, code=error.code) from None
    match auth.kind:
        case "bearer":
            return {"Authorization": f"Bearer {value}"}
        case "basic":
            return {"Authorization": "Basic " + base64.b64encode(f"{auth.username}:{value}".encode()).decode()}
        case _:
            return {auth.header: value}


def seconds(ctx: Context, settings: HttpSettings) -> float:
    if ctx.deadline is None:
        return settings.timeout_seconds
    return min(settings.timeout_seconds, max(0.1, (ctx.deadline - clock.now()).total_seconds()))


def body(settings: HttpSettings) -> dict[str, JSON]:
    """Arguments of httpx. Of much it takes a while. Raises NodeFailure when the value does not go with its format."""
    if settings.body is None:
        return {}
    match settings.body_format, settings.body:
        case "json", value if is_long(value):
            return {"content": "".join(written(value, canonical)).encode()}
        case "json", value:
            return {"json": value}
        case "text", str(text):
            return {"content": text.encode()}
        case "form", dict(fields):
            return {"data": {name: parameter(name, value) for name, value in fields.items()}}
    wanted = "a text" if settings.body_format == "text" else "an object"
    message = f"A body sent as {settings.body_format} must be {wanted}."
    raise NodeFailure(message, code="invalid_settings")


def parameter(name: str, value: JSON) -> str | list[str]:
    """Of a query or a form: text, or a list of texts. Raises NodeFailure for an object."""
    if isinstance(value, list | tuple):
        return [str(parameter(name, item)) for item in value]
    if isinstance(value, Mapping):
        raise NodeFailure(
            f"The parameter {name} is an object; use json(…) to send it as text.", code="invalid_settings"
        )
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)
