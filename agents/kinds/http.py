"""An HTTP endpoint: the inputs become a request, the answer becomes the outputs.

Requests go through the guarded client (no private addresses, no surprise redirects, limits of size and time). Headers
may name secrets, which are read at the moment of the call. The body is a JSON template: a string that is exactly
`{{ input.name }}` becomes that input with its type, other strings are filled in as text.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import httpx
from django.utils.translation import gettext_lazy as _
from pydantic import Field, field_validator

from agents import prompts
from agents.contracts import Fault
from agents.errors import AgentError
from agents.kinds.base import JSON, AgentKind, KindCall, KindConfig, KindReply, register
from portal.core import clock, effects, outgoing
from portal.core.errors import UserError
from portal.core.in_threads import in_database
from portal.core.models import Organisation, Secret
from portal.core.outgoing.answers import CODES, DID_NOTHING, NEVER_REACHED, TRANSIENT, excerpt, retry_after
from portal.core.services import secrets

_PLACEHOLDER = re.compile(r"\{\{\s*input((?:\.[A-Za-z_][\w-]*)*)\s*\}\}")
_ANY_BRACES = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_SECRET = re.compile(r"secret:([A-Za-z][A-Za-z0-9_.-]*)")
_HEADER_PART = re.compile(
    r"\{\{\s*input(?P<input>(?:\.[A-Za-z_][\w-]*)*)\s*\}\}|secret:(?P<secret>[A-Za-z][A-Za-z0-9_.-]*)"
)
_POINTER = re.compile(r"(?:\$|status|(?:\$|headers)(?:\.[\w-]+|\[\d+\])+)")


class HttpConfig(KindConfig):
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = Field(default="POST", title="Method")
    url: str = Field(
        title="Address", description="https://…; write {{ input.name }} where an input belongs, it is percent-encoded."
    )
    headers: dict[str, str] = Field(
        default_factory=dict,
        title="Headers",
        description="Write secret:NAME for a secret's value, also inside: “Bearer secret:CRM_TOKEN”.",
    )
    query: dict[str, str] = Field(default_factory=dict, title="Query", description="Parameters added to the address.")
    body: Any = Field(
        default="{{ input }}",
        title="Body",
        description="JSON; {{ input }} is all inputs, {{ input.name }} one of them with its type. Not sent with GET.",
    )
    response: dict[str, str] = Field(
        default_factory=dict,
        title="Outputs",
        description="Output name → place in the answer: $.data[0].id, status, headers.etag. Empty: the whole object.",
    )

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError("must begin with https:// or http:// and name a host")
        if "{{" in parts.netloc:
            raise ValueError("must name its host itself: an input cannot choose where the request goes")
        if "@" in parts.netloc:
            raise ValueError("must not hold a user or password; use a header with secret:NAME")
        return _template(url)

    @field_validator("headers", "query")
    @classmethod
    def _values(cls, values: dict[str, str]) -> dict[str, str]:
        for value in values.values():
            _template(value)
        return values

    @field_validator("headers")
    @classmethod
    def _names(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name) or re.search(r"[\r\n]", value):
                raise ValueError(f"“{name}” is not a header")
            if name.lower() in {"host", "content-length", "transfer-encoding", "idempotency-key"}:
                raise ValueError(f"“{name}” is set by the portal")
        return headers

    @field_validator("response")
    @classmethod
    def _places(cls, places: dict[str, str]) -> dict[str, str]:
        for name, place in places.items():
            if not _POINTER.fullmatch(place):
                raise ValueError(f"“{name}”: {place} is not a place; write $.name, $.list[0], status or headers.name")
        return places

    @field_validator("body")
    @classmethod
    def _body(cls, body: Any) -> Any:
        for text in _strings(body):
            _template(text)
        return body


@register
class HttpKind(AgentKind):
    kind = "http"
    label = _("HTTP endpoint")
    description = _("A service reached over HTTP, with JSON in and out.")
    icon = "world"
    Config = HttpConfig

    async def run(self, call: KindCall) -> KindReply:
        config: HttpConfig = call.config
        organisation = Organisation(pk=call.organisation_id)
        headers = await _headers(organisation, config.headers, call.inputs)
        headers.update({"Idempotency-Key": call.idempotency_key, "Accept": "application/json"})
        body = None if config.method == "GET" else fill(config.body, call.inputs)
        if call.shared and isinstance(body, dict):
            body = {**body, "shared_context": dict(call.shared)}
        seconds = max(0.1, (call.deadline - clock.now()).total_seconds())
        address = _fill_address(config.url, call.inputs)
        async with effects.outside(
            kind="http",
            target=f"{config.method} {urlsplit(address)._replace(query='', fragment='').geturl()}",
            request={} if body is None else effects.fingerprint(body),
            idempotency_key=call.idempotency_key,
        ) as effect:
            try:
                async with outgoing.client(organisation=organisation, timeout=seconds) as client:
                    response = await client.request(
                        config.method,
                        address,
                        headers=headers,
                        params={name: _fill_text(value, call.inputs) for name, value in config.query.items()} or None,
                        json=body,
                    )
            except outgoing.OutgoingError as error:
                if not isinstance(error, outgoing.AddressRefused):
                    effect.unsure()  # an answer came, and was too large
                raise AgentError(error.message, code=error.code) from error
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                if not isinstance(error, NEVER_REACHED):
                    effect.unsure()
                raise _connection_error(error) from error
            effect.outcome({"status": response.status_code, "bytes": len(response.content)})
            if not response.is_success:
                if response.status_code >= 500 or response.status_code == 408:
                    effect.unsure()
                raise _status_error(response)
        return KindReply(outputs=_outputs(config, response))

    def check(self, organisation: Organisation, config: Any, input_schema: Mapping[str, JSON]) -> list[Fault]:
        return [
            fault
            for path, text in _texts(config)
            for fault in prompts.template_faults(text, input_schema.get("properties", {}), path)
        ]

    def advice(self, organisation: Organisation, config: Any) -> list[str]:
        named = {name for value in config.headers.values() for name in _SECRET.findall(value)}
        known = set(Secret.objects.filter(organisation=organisation, name__in=named).values_list("name", flat=True))
        return [
            f"The secret {name} does not exist yet; set it before the agent runs." for name in sorted(named - known)
        ]


# -- the request ----------------------------------------------------------------------------------------------------


def fill(template: JSON, inputs: Mapping[str, JSON]) -> JSON:
    """The JSON template with the inputs put in. A string that is one placeholder keeps the input's type."""
    if isinstance(template, Mapping):
        return {key: fill(value, inputs) for key, value in template.items()}
    if isinstance(template, list):
        return [fill(value, inputs) for value in template]
    if not isinstance(template, str):
        return template
    whole = _PLACEHOLDER.fullmatch(template.strip())
    return _look_up(whole.group(1), inputs) if whole else _fill_text(template, inputs)


def _fill_text(template: str, inputs: Mapping[str, JSON]) -> str:
    return _PLACEHOLDER.sub(lambda match: _as_text(_look_up(match.group(1), inputs)), template)


def _fill_address(template: str, inputs: Mapping[str, JSON]) -> str:
    return _PLACEHOLDER.sub(lambda match: quote(_as_text(_look_up(match.group(1), inputs)), safe=""), template)


def _look_up(dotted: str, inputs: Mapping[str, JSON]) -> JSON:
    value: JSON = inputs
    for part in dotted.split(".")[1:]:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _as_text(value: JSON) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _template(text: str) -> str:
    for braces in _ANY_BRACES.findall(text):
        if not _PLACEHOLDER.fullmatch(braces):
            raise ValueError(f"{braces} is not understood; write {{{{ input.name }}}}")
    return text


def _texts(config: HttpConfig) -> list[tuple[str, str]]:
    """Every template with its path."""
    named = [("$.headers", config.headers), ("$.query", config.query), ("$.body", config.body)]
    return [("$.url", config.url), *((path, text) for path, value in named for text in _strings(value))]


def _strings(value: JSON) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return [text for one in inner for text in _strings(one)]


async def _headers(
    organisation: Organisation, templates: Mapping[str, str], inputs: Mapping[str, JSON]
) -> dict[str, str]:
    """Inputs and secrets put in, in one pass: an input that reads "secret:NAME" stays those letters."""
    values = await _secrets(organisation, {name for text in templates.values() for name in _SECRET.findall(text)})

    def value(match: re.Match[str]) -> str:
        if match["secret"]:
            return values[match["secret"]]
        return _as_text(_look_up(match["input"], inputs))

    headers = {name: _HEADER_PART.sub(value, text) for name, text in templates.items()}
    for name, text in headers.items():
        if not text.isascii() or not text.isprintable():
            raise AgentError(
                f"The header {name} would hold characters that a header cannot carry.", code="invalid_input"
            )
    return headers


async def _secrets(organisation: Organisation, names: set[str]) -> dict[str, str]:
    if not names:
        return {}
    try:
        return await in_database(lambda: {name: secrets.read(organisation, name) for name in names})
    except UserError as error:
        raise AgentError(error.message, code=error.code) from None


# -- the answer -----------------------------------------------------------------------------------------------------


def _outputs(config: HttpConfig, response: httpx.Response) -> dict[str, JSON]:
    body = _json_of(response)
    if config.response:
        return {name: _pick(place, body, response) for name, place in config.response.items()}
    if isinstance(body, dict):
        return body
    return {"body": body}


def _json_of(response: httpx.Response) -> JSON:
    """The body as JSON where it is JSON, else as text; None when there is none."""
    if not response.content:
        return None
    try:
        return response.json()
    except ValueError:
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


def _status_error(response: httpx.Response) -> AgentError:
    status = response.status_code
    code = CODES.get(status) or ("server_error" if status >= 500 else "redirected" if status < 400 else "refused")
    return AgentError(
        f"The endpoint answered {status} {response.reason_phrase}.".replace(" .", "."),
        code=code,
        retryable=status in DID_NOTHING | TRANSIENT,
        retry_after=retry_after(response.headers.get("retry-after"), clock.now()),
        detail={"status": status, "body": excerpt(response)},
    )


def _connection_error(error: httpx.HTTPError | httpx.InvalidURL) -> AgentError:
    if isinstance(error, httpx.TimeoutException):
        return AgentError("The endpoint did not answer in time.", code="timeout", retryable=True)
    if isinstance(
        error, httpx.UnsupportedProtocol | httpx.TooManyRedirects | httpx.LocalProtocolError | httpx.InvalidURL
    ):
        return AgentError(f"The request cannot be made: {error}", code="bad_request")
    return AgentError(
        f"The endpoint cannot be reached: {error or type(error).__name__}", code="unreachable", retryable=True
    )
