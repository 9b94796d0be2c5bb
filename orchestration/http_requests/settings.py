"""Settings of a request: what an author may write, and what they may not."""

from __future__ import annotations

import re
from typing import Any
from typing import Literal as OneOf
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from orchestration.definition.fields import Literal, NodeSettings
from orchestration.values.splitting import LARGEST_BYTES

JSON = Any
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "idempotency-key"})
_CREDENTIALS = frozenset({"authorization", "proxy-authorization", "cookie"})
_SAFE_TO_REPEAT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
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
        1024 * 1024,
        title="Largest answer",
        description="Bytes, up to 100 MiB; an answer that is larger is a failure.",
        ge=1,
        le=LARGEST_BYTES,
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
