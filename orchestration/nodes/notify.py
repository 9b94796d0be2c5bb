"""Tell people something.

Notifications and mails are rows that appear in the commit of the node's success, once a person and success
(`portal.core.notifying`); a mail is then sent by the jobs cluster, and stands in the run's ledger from that commit on
(`services.mails` closes its entry). The webhook is called before, as an outside call of this attempt, and carries the
node's idempotency key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from typing import Literal as OneOf

import httpx
from django.conf import settings as portal_settings
from pydantic import Field, field_validator, model_validator

from orchestration.definition.fields import NodeSettings
from orchestration.engine.events import NodeSucceeded
from orchestration.engine.ids import path_text
from orchestration.nodes.base import Context, Done, NodeFailure, NodeType, Result, RunFacts, register
from orchestration.store.effects import ORDER
from orchestration.values.keeper import whole_on
from portal.core import effects, outgoing, queries
from portal.core.in_threads import in_database
from portal.core.models import Organisation
from portal.core.notifying import Notice, mail, tell
from portal.core.outgoing.answers import NEVER_REACHED, TRANSIENT
from portal.core.services.mail import is_configured

if TYPE_CHECKING:
    import psycopg

    from orchestration.engine.events import NodeEvent

JSON = Any
MOST_PEOPLE = 200
_ADDRESS = re.compile(r"[^@\s,;<>]+@[^@\s,;<>.]{1,63}(\.[^@\s,;<>.]{1,63})+")
_LONGEST_ADDRESS = 254
"""RFC 5321, 4.5.3.1.3, and the column of `portal.core.models.Mail`."""
_RETRYABLE = frozenset({408, 425, 429, 500, 502, 503, 504})


class NotifySettings(NodeSettings):
    users: tuple[str, ...] = Field((), title="People", description="User names of members.")
    roles: tuple[str, ...] = Field((), title="Roles", description="Slugs of roles; all their holders are told.")
    addresses: tuple[str, ...] = Field((), title="Mail addresses", description="Of others; they are told by mail.")
    channels: tuple[OneOf["portal", "email", "webhook"], ...] = Field(
        ("portal",), title="By", description="portal: the bell. email: mail. webhook: a POST to an address."
    )
    title: str = Field(title="Title", description="One line.", min_length=1, max_length=300)
    message: str = Field("", title="Message", description="Markdown.", max_length=20_000)
    link: str = Field("", title="Link", description="Where it leads; empty: the run's page.", max_length=2000)
    webhook_url: str = Field("", title="Webhook", description="Where the channel webhook posts JSON to.")

    @field_validator("addresses")
    @classmethod
    def _addresses(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        for address in addresses:
            if len(address) > _LONGEST_ADDRESS or not _ADDRESS.fullmatch(address):
                raise ValueError(f"{address!r} is no mail address.")
        return addresses

    @field_validator("link", "webhook_url")
    @classmethod
    def _links(cls, link: str) -> str:
        known = link.lstrip().startswith(("{{", "https://", "http://", "/"))
        if link and (not known or link.lstrip().startswith("//")):
            raise ValueError("An address begins with https://, http:// or /.")
        return link

    @model_validator(mode="after")
    def _somebody(self) -> NotifySettings:
        by = set(self.channels)
        if not by:
            raise ValueError("It needs a channel: portal, email or webhook.")
        if by & {"portal", "email"} and not (self.users or self.roles or self.addresses):
            raise ValueError("Nobody is named: give users, roles or addresses.")
        if self.addresses and "email" not in by:
            raise ValueError("Addresses are told by mail: add the channel email.")
        if ("webhook" in by) != bool(self.webhook_url):
            raise ValueError("The channel webhook and webhook_url go together.")
        return self


@register
class Notify(NodeType):
    """Tell people. Outputs: {"sent": [{"channel", "to", "state"?}], "title", "message", "link"}.

    `state` of a mail is `held` while no mail server is configured: it is sent once there is one, within three days.
    """

    kind, label, icon, category = "notify", "Notify", "bell", "people"
    description = "Tells people something: in the portal, by mail, or by a webhook."
    effect = "sends a message"
    calls_are_recorded = True
    Settings = NotifySettings

    def output_schema(self, settings: Mapping[str, JSON]) -> dict[str, JSON]:
        text = {"type": "string"}
        sent = {"type": "object", "properties": {"channel": text, "to": text, "state": text}}
        properties = {"sent": {"type": "array", "items": sent}, "title": text, "message": text, "link": text}
        return {"type": "object", "properties": properties, "additionalProperties": False}

    async def execute(self, ctx: Context) -> Result:
        settings: NotifySettings = ctx.settings
        found = await in_database(queries.recipients, ctx.run.organisation_id, settings.users, settings.roles)
        if found.fault:
            raise NodeFailure(found.fault, code="invalid_recipient")
        sent: list[dict[str, str]] = []
        if "portal" in settings.channels:
            sent.extend({"channel": "portal", "to": name} for name in found.people)
        if "email" in settings.channels:
            sent.extend(_mails(settings, found))
        if len(sent) > MOST_PEOPLE:
            message = f"It would tell {len(sent)} people at once, and {MOST_PEOPLE} are the most."
            raise NodeFailure(message, code="too_many")
        link = settings.link or f"/o/{found.organisation}/runs/{ctx.run.id}/"
        if "webhook" in settings.channels:
            await _post(ctx, settings, _absolute(link))
            sent.append({"channel": "webhook", "to": httpx.URL(settings.webhook_url).host})
        message = settings.message
        return Done(outputs={"sent": sent, "title": settings.title, "message": message, "link": link})

    def in_commit(self, connection: psycopg.Connection[Any], run: RunFacts, events: Sequence[NodeEvent]) -> None:
        for event in events:
            if isinstance(event, NodeSucceeded) and not event.by_person:
                _write(connection, run, event)


def _mails(settings: NotifySettings, found: queries.Recipients) -> list[dict[str, str]]:
    """People without an address cannot be told by mail; that is said, and no failure."""
    state = {} if is_configured() else {"state": "held"}
    addresses = dict.fromkeys([*settings.addresses, *filter(None, found.people.values())])
    without = [name for name, address in found.people.items() if not address]
    return [
        *({"channel": "email", "to": address, **state} for address in addresses),
        *({"channel": "email", "to": name, "state": "no address"} for name in without),
    ]


def _write(connection: psycopg.Connection[Any], run: RunFacts, event: NodeSucceeded) -> None:
    told: dict[str, JSON] = whole_on(connection, run.organisation_id, event.outputs)
    # each success tells: one that comes after a retry of the run, as what it stands behind was undone, tells again
    key = f"run/{run.id}/{event.node}/{path_text(event.path)}@{event.at:%Y%m%d%H%M%S%f}"
    title, body, link = told["title"], told["message"], told["link"]
    notice = Notice(organisation_id=run.organisation_id, key=key, title=title, body=body, link=link)
    names = [one["to"] for one in told["sent"] if one["channel"] == "portal"]
    if names:
        rows = connection.execute("SELECT id FROM core_user WHERE username = ANY(%s)", [names]).fetchall()
        tell(connection, notice, [row[0] for row in rows])
    addresses = [one["to"] for one in told["sent"] if one["channel"] == "email" and one.get("state") != "no address"]
    text = "\n\n".join(filter(None, (body, _absolute(link))))
    held = None if is_configured() else json.dumps({"status": "held, as no mail server is configured"})
    summary = json.dumps(effects.fingerprint([title, text]))
    for _, address in mail(connection, notice, addresses, text):
        connection.execute(
            ORDER,
            {
                "run": run.id,
                "node": event.node,
                "path": path_text(event.path),
                "kind": str(effects.Kind.MAIL),
                "target": address,
                "key": key,
                "request": summary,
                "response": held,
            },
        )


def _absolute(link: str) -> str:
    return f"{portal_settings.PUBLIC_URL.rstrip('/')}{link}" if link.startswith("/") else link


async def _post(ctx: Context, settings: NotifySettings, link: str) -> None:
    """Raises NodeFailure. Chat systems show `text`; the rest is for programs."""
    body = {
        "text": f"{settings.title}\n{link}",
        "title": settings.title,
        "message": settings.message,
        "link": link,
        "run": str(ctx.run.id),
        "workflow": ctx.run.workflow_slug,
        "node": ctx.node,
    }
    organisation, key = Organisation(pk=ctx.run.organisation_id), ctx.idempotency_key
    try:
        host = httpx.URL(settings.webhook_url).host
    except httpx.InvalidURL as error:
        raise NodeFailure(f"The webhook's address is none: {error}", code="invalid_settings") from error
    async with effects.outside(
        kind="http", target=f"POST {host}", request=effects.fingerprint(body), idempotency_key=key
    ) as effect:
        try:
            async with outgoing.client(organisation, timeout=20, max_bytes=65536) as client:
                response = await client.post(settings.webhook_url, json=body, headers={"Idempotency-Key": key})
        except (outgoing.OutgoingError, httpx.HTTPError, httpx.InvalidURL) as error:
            if not isinstance(error, NEVER_REACHED):
                effect.unsure()
            if isinstance(error, outgoing.OutgoingError):
                raise NodeFailure(error.message, code=error.code) from error
            said = f"{host} cannot be told: {error or type(error).__name__}"
            raise NodeFailure(said, code="unreachable", retryable=isinstance(error, httpx.TransportError)) from error
        status = response.status_code
        effect.outcome({"status": status})
        if not response.is_success:
            if status in TRANSIENT:
                effect.unsure()
            raise NodeFailure(f"{host} answered {status}.", code="webhook_failed", retryable=status in _RETRYABLE)
