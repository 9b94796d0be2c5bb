"""Call an address.

Through the guarded client only (`portal.core.outgoing`): no private addresses, no surprise redirects, limits of size
and time. Secrets are read at the moment of the call and travel in a header; they are in no setting, event or log.

Every request carries `Idempotency-Key: run/node/iteration`, the same over all attempts. What is worth another try:

- nothing was sent (no connection): always;
- the other side says that it did nothing yet (408, 425, 429, 503): always, and not sooner than its Retry-After;
- nobody knows whether it took effect (the answer did not come, 500, 502, 504 and the like): only if repeating is safe,
  which it is for GET, HEAD, PUT and DELETE (RFC 9110, 9.2.2), and for POST and PATCH when the author says that the
  other side honours the key (`repeatable`).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any
from typing import Literal as OneOf
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from agents.kinds.http import NEVER_REACHED, retry_after
from orchestration.definition.fields import Literal, NodeSettings
from orchestration.nodes.base import Context, Done, NodeFailure, NodeType, Result, register
from portal.core import clock, effects, outgoing
from portal.core.errors import UserError
from portal.core.in_threads import in_database
from portal.core.models import Organisation
from portal.core.redaction import redact
from portal.core.services import secrets

JSON = Any
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "idempotency-key"})
_CREDENTIALS = frozenset({"authorization", "proxy-authorization", "cookie"})
_EXCERPT = 500
_SAFE_TO_REPEAT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_DID_NOTHING = frozenset({408, 425, 429, 503})
_TRANSIENT = frozenset({500, 502, 504, 520, 522, 524, 529})
_CODES = {
    400: "bad_request", 401: "authentication", 403: "forbidden", 404: "not_found", 408: "timeout", 409: "conflict",
    413: "too_large", 422: "bad_request", 425: "busy", 429: "rate_limited", 503: "unavailable",
}  # fmt: skip
KEPT_HEADERS = ("content-type", "date", "etag", "last-modified", "link", "location", "retry-after", "x-request-id")
Status = OneOf["2xx", "3xx", "4xx", "5xx"]


class HttpAuth(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: OneOf["bearer", "basic", "header"] = Field("bearer", title="Kind")
    secret_name: Literal = Field(title="Secret", description="Name of a secret of the organisation.", min_length=1)
    username: str = Field("", title="User name", description="Only of basic; the secret is the password.")
    header: Literal = Field("", title="Header", description="Only of header: the header that carries the secret.")

    @field_validator("header")
    @classmethod
    def _named(cls, header: str, info: ValidationInfo) -> str:
        if (info.data.get("kind") == "header") != bool(header):
            raise ValueError("A header is named with the kind header, and only then.")
        if header and (not _HEADER.fullmatch(header) or header.lower() in _OURS):
            raise ValueError(f"{header} is not a header one can set.")
        return header


class HttpSettings(NodeSettings):
    method: OneOf["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = Field(
        "GET", title="Method", description="What is asked of the other side."
    )
    url: str = Field(
        title="Address", description="https://…; write {{ inputs.name.encode_url() }} where a value belongs into it."
    )
    query: dict[str, JSON] = Field(
        default_factory=dict, title="Query", description="Parameters added to the address, encoded as they must be."
    )
    headers: dict[str, str] = Field(
        default_factory=dict, title="Headers", description="Besides those of the portal; secrets go into auth."
    )
    body: JSON = Field(None, title="Body", description="What is sent: a value, or text with references in it.")
    body_format: OneOf["json", "text", "form"] = Field(
        "json", title="Body sent as", description="json: any value. text: as it is. form: an object of fields."
    )
    auth: HttpAuth | None = Field(
        None, title="Signed in by", description="A secret that is sent along. The host must then stand in the address."
    )
    timeout_seconds: float = Field(
        30, title="Time limit", description="Seconds for the whole call, redirects and body included.", gt=0, le=600
    )
    expect: tuple[int | Status, ...] = Field(
        ("2xx",), title="Good answers", description="Status codes, such as 200 or 2xx; any other is a failure."
    )
    repeatable: bool | None = Field(
        None,
        title="May be repeated",
        description="Whether a request that may have taken effect is safe to repeat. Empty: GET, HEAD, PUT and DELETE.",
    )
    response_headers: tuple[str, ...] = Field(
        KEPT_HEADERS, title="Headers kept", description="Headers of the answer that become part of the output."
    )
    max_bytes: int = Field(
        1024 * 1024, title="Largest answer", description="Bytes; an answer that is larger is a failure.", ge=1, le=10**7
    )

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        if url.lstrip().startswith("{{"):  # of a draft: what it will be is not known yet
            return url
        parts = urlsplit(url.strip())
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError("The address begins with https:// or http:// and names a host.")
        if "@" in parts.netloc:
            raise ValueError("The address holds no user or password: use auth with a secret.")
        return url.strip()

    @field_validator("headers")
    @classmethod
    def _headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if name.lower() in _OURS:
                raise ValueError(f"The header {name} is set by the portal.")
            if name.lower() in _CREDENTIALS:
                raise ValueError(f"The header {name} carries a secret: use auth.")
            if not _HEADER.fullmatch(name) or "\r" in value or "\n" in value:
                raise ValueError(f"{name!r} is not a header.")
        return headers

    @field_validator("auth")
    @classmethod
    def _to_whom(cls, auth: HttpAuth | None, info: ValidationInfo) -> HttpAuth | None:
        """Data must not choose who gets the secret."""
        url = info.data.get("url", "")
        if auth and ("{{" in urlsplit(url).netloc or url.startswith("{{")):
            raise ValueError(
                "With auth the address names its host itself, so that no data can send the secret elsewhere."
            )
        return auth

    @field_validator("expect")
    @classmethod
    def _statuses(cls, expect: tuple[int | str, ...]) -> tuple[int | str, ...]:
        if not expect or any(isinstance(one, int) and not 100 <= one <= 599 for one in expect):
            raise ValueError("Good answers are status codes from 100 to 599, at least one.")
        return expect

    @property
    def may_repeat(self) -> bool:
        return self.method in _SAFE_TO_REPEAT if self.repeatable is None else self.repeatable


@register
class Http(NodeType):
    """Call an address. Outputs: {"status": int, "headers": {name: text}, "body": any, "url": str}.

    `body` is the value of an answer that says it is JSON, text of one that is text, {"base64", "bytes"} of any other,
    null of none; `url` is where the answer came from in the end.
    """

    kind, label, icon, category = "http", "HTTP request", "world", "data"
    description = "Calls an address and passes on the answer."
    Settings = HttpSettings
    calls_are_recorded = True

    def output_schema(self, settings: Mapping[str, JSON]) -> dict[str, JSON]:
        properties = {
            "status": {"type": "integer"},
            "headers": {"type": "object", "additionalProperties": {"type": "string"}},
            "body": {},
            "url": {"type": "string"},
        }
        return {"type": "object", "properties": properties, "additionalProperties": False}

    async def execute(self, ctx: Context) -> Result:
        settings: HttpSettings = ctx.settings
        organisation = Organisation(pk=ctx.run.organisation_id)
        request = {**_body(settings), "headers": await _sent_headers(ctx, organisation, settings)}
        async with effects.outside(
            kind="http",
            target=f"{settings.method} {urlsplit(settings.url)._replace(query='', fragment='').geturl()}",
            request={} if settings.body is None else effects.fingerprint(settings.body),
            idempotency_key=ctx.idempotency_key,
        ) as effect:
            try:
                async with outgoing.client(
                    organisation, timeout=_seconds(ctx, settings), max_bytes=settings.max_bytes
                ) as client:
                    params = {name: _parameter(name, value) for name, value in settings.query.items()}
                    response = await client.request(settings.method, settings.url, params=params or None, **request)
            except outgoing.OutgoingError as error:
                if not isinstance(error, outgoing.AddressRefused):
                    effect.unsure()  # an answer came, and was too large
                raise NodeFailure(error.message, code=error.code) from error
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                if not isinstance(error, NEVER_REACHED):
                    effect.unsure()
                raise _no_answer(error, settings) from error
            effect.outcome({"status": response.status_code, "bytes": len(response.content)})
            if not _is_expected(response.status_code, settings.expect):
                if response.status_code in _TRANSIENT:
                    effect.unsure()
                raise _refused(response, settings)
        return Done(outputs=_outputs(response, settings))


# The request


async def _sent_headers(ctx: Context, organisation: Organisation, settings: HttpSettings) -> dict[str, str]:
    auth = await _auth(organisation, settings.auth) if settings.auth else {}
    headers = {"Accept": "application/json, */*;q=0.5", **settings.headers, **auth}
    for name, text in headers.items():
        if not text.isascii() or not text.isprintable():
            message = f"The header {name} would hold characters that a header cannot carry."
            raise NodeFailure(message, code="invalid_settings")
    return {**headers, "Idempotency-Key": ctx.idempotency_key}


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


def _seconds(ctx: Context, settings: HttpSettings) -> float:
    if ctx.deadline is None:
        return settings.timeout_seconds
    return min(settings.timeout_seconds, max(0.1, (ctx.deadline - clock.now()).total_seconds()))


def _body(settings: HttpSettings) -> dict[str, JSON]:
    """Arguments of httpx. Raises NodeFailure when the value does not go with its format."""
    if settings.body is None:
        return {}
    match settings.body_format, settings.body:
        case "json", value:
            return {"json": value}
        case "text", str(text):
            return {"content": text.encode()}
        case "form", dict(fields):
            return {"data": {name: _parameter(name, value) for name, value in fields.items()}}
    wanted = "a text" if settings.body_format == "text" else "an object"
    message = f"A body sent as {settings.body_format} must be {wanted}."
    raise NodeFailure(message, code="invalid_settings")


def _parameter(name: str, value: JSON) -> str | list[str]:
    if isinstance(value, list | tuple):
        return [str(_parameter(name, item)) for item in value]
    if isinstance(value, Mapping):
        raise NodeFailure(
            f"The parameter {name} is an object; use json(…) to send it as text.", code="invalid_settings"
        )
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


# The answer


def _outputs(response: httpx.Response, settings: HttpSettings) -> dict[str, JSON]:
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
            return response.json()
        except ValueError:
            raise NodeFailure(
                "The other side says that it answers with JSON, but it is not valid JSON.",
                code="invalid_output",
                detail={"status": response.status_code, "body": _excerpt(response)},
            ) from None
    if kind.startswith("text/") or kind in _TEXTS or kind.endswith("+xml") or not kind:
        try:
            return response.content.decode(response.charset_encoding or "utf-8")
        except (UnicodeDecodeError, LookupError):
            if kind:
                return response.text
    return {"base64": base64.b64encode(response.content).decode(), "bytes": len(response.content)}


_TEXTS = frozenset({"application/xml", "application/javascript", "application/x-www-form-urlencoded"})


def _excerpt(response: httpx.Response) -> str:
    return str(redact(response.text[: _EXCERPT * 2]))[:_EXCERPT]


def _is_expected(status: int, expect: tuple[int | str, ...]) -> bool:
    return status in expect or f"{status // 100}xx" in expect


def _refused(response: httpx.Response, settings: HttpSettings) -> NodeFailure:
    status = response.status_code
    retryable = status in _DID_NOTHING or (status in _TRANSIENT and settings.may_repeat)
    unsure = status in _TRANSIENT and not settings.may_repeat
    code = _CODES.get(status) or ("server_error" if status >= 500 else "unexpected_status")
    return NodeFailure(
        f"{response.url.host} answered {status} {response.reason_phrase}".rstrip() + "." + (_UNSURE if unsure else ""),
        code=code,
        retryable=retryable,
        retry_after=retry_after(response.headers.get("retry-after"), clock.now()),
        detail={"status": status, "body": _excerpt(response)},
    )


_UNSURE = (
    " Nobody knows whether the request took effect, so it is not repeated; "
    "set repeatable if the other side honours the Idempotency-Key."
)


def _no_answer(error: httpx.HTTPError | httpx.InvalidURL, settings: HttpSettings) -> NodeFailure:
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
