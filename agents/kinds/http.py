"""An HTTP endpoint: the inputs become a request, the answer becomes the outputs.

Requests go through the guarded client (no private addresses, no surprise redirects, limits of size and time). Headers
may name secrets, which are read at the moment of the call. Address, headers, query and body are templates
(`http_templates.py`).
"""

import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx
from django.utils.translation import gettext_lazy as _
from pydantic import Field, field_validator

from agents import http_answers, http_templates, prompts
from agents.contracts import Fault
from agents.errors import AgentError
from agents.kinds.base import JSON, AgentKind, KindCall, KindConfig, KindReply, register
from portal.core import clock, effects, outgoing
from portal.core.errors import UserError
from portal.core.in_threads import in_database
from portal.core.models import Organisation, Secret
from portal.core.outgoing.answers import NEVER_REACHED
from portal.core.services import secrets

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
        return http_templates.checked(url)

    @field_validator("headers", "query")
    @classmethod
    def _values(cls, values: dict[str, str]) -> dict[str, str]:
        for value in values.values():
            http_templates.checked(value)
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
        for text in http_templates.strings(body):
            http_templates.checked(text)
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
        body = None if config.method == "GET" else http_templates.fill(config.body, call.inputs)
        if call.shared and isinstance(body, dict):
            body = {**body, "shared_context": dict(call.shared)}
        query = {name: http_templates.fill_text(value, call.inputs) for name, value in config.query.items()}
        seconds = max(0.1, (call.deadline - clock.now()).total_seconds())
        address = http_templates.fill_address(config.url, call.inputs)
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
                        params=query or None,
                        json=body,
                    )
            except (outgoing.OutgoingError, httpx.HTTPError, httpx.InvalidURL) as error:
                if not isinstance(error, NEVER_REACHED):
                    effect.unsure()
                raise http_answers.connection_error(error) from error
            effect.outcome({"status": response.status_code, "bytes": len(response.content)})
            if not response.is_success:
                if response.status_code >= 500 or response.status_code == 408:
                    effect.unsure()
                raise http_answers.status_error(response)
        return KindReply(outputs=http_answers.outputs(config.response, response))

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


def _texts(config: HttpConfig) -> list[tuple[str, str]]:
    """Every template with its path."""
    named = [("$.headers", config.headers), ("$.query", config.query), ("$.body", config.body)]
    return [("$.url", config.url), *((path, text) for path, value in named for text in http_templates.strings(value))]


async def _headers(
    organisation: Organisation, templates: Mapping[str, str], inputs: Mapping[str, JSON]
) -> dict[str, str]:
    """Inputs and secrets put in, in one pass: an input that reads "secret:NAME" stays those letters."""
    values = await _secrets(organisation, {name for text in templates.values() for name in _SECRET.findall(text)})

    def value(match: re.Match[str]) -> str:
        if match["secret"]:
            return values[match["secret"]]
        return http_templates.as_text(http_templates.look_up(match["input"], inputs))

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
