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

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from orchestration.http_requests import answers, sending
from orchestration.http_requests.settings import HttpSettings
from orchestration.nodes.base import Context, Done, NodeType, Result, register
from orchestration.values.portions import is_long
from portal.core import effects, outgoing
from portal.core.models import Organisation
from portal.core.outgoing.answers import NEVER_REACHED, TRANSIENT

JSON = Any
_QUICK_BYTES = 256 * 1024


@register
class Http(NodeType):
    """Call an address. Outputs: {"status": int, "headers": {name: text}, "body": any, "url": str}.

    `body` is the value of an answer that says it is JSON, text of one that is text, {"base64", "bytes"} of any other,
    null of none; `url` is where the answer came from in the end.
    """

    kind, label, icon, category = "http", "HTTP request", "world", "data"
    description = "Calls an address and passes on the answer."
    effect = "calls another system"
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
        body = await asyncio.to_thread(sending.body, settings) if is_long(settings.body) else sending.body(settings)
        request = {**body, "headers": await sending.headers(ctx, organisation, settings)}
        async with effects.outside(
            kind="http",
            target=f"{settings.method} {urlsplit(settings.url)._replace(query='', fragment='').geturl()}",
            request={} if settings.body is None else effects.fingerprint(settings.body),
            idempotency_key=ctx.idempotency_key,
        ) as effect:
            try:
                async with outgoing.client(
                    organisation, timeout=sending.seconds(ctx, settings), max_bytes=settings.max_bytes
                ) as client:
                    params = {name: sending.parameter(name, value) for name, value in settings.query.items()}
                    response = await client.request(settings.method, settings.url, params=params or None, **request)
            except (outgoing.OutgoingError, httpx.HTTPError, httpx.InvalidURL) as error:
                if not isinstance(error, NEVER_REACHED):
                    effect.unsure()
                raise answers.no_answer(error, settings) from error
            effect.outcome({"status": response.status_code, "bytes": len(response.content)})
            if not answers.is_expected(response.status_code, settings.expect):
                if response.status_code in TRANSIENT:
                    effect.unsure()
                raise answers.refused(response, settings)
        if len(response.content) <= _QUICK_BYTES:
            return Done(outputs=answers.outputs(response, settings))
        # in a thread: reading much takes a while, and the host's other runs go on
        return Done(outputs=await asyncio.to_thread(answers.outputs, response, settings))
