"""What the pages of one agent show, worked out for the templates."""

from dataclasses import dataclass
from typing import Any

from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from agents import queries
from agents.kinds.base import AgentKind, agent_kinds
from agents.models import Agent, AgentVersion, Status
from agents.schema_rows import SchemaRow, is_open, schema_rows
from portal.core.access import can
from portal.core.htmx import HtmxRequest
from portal.core.permissions import Permission

JSON = Any


@dataclass(frozen=True, slots=True)
class Prompt:
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Setting:
    label: str
    value: JSON

    @property
    def nested(self) -> bool:
        return isinstance(self.value, dict | list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A version for reading. settings: what of the configuration is no prompt."""

    version: AgentVersion
    kind: AgentKind | None
    prompts: list[Prompt]
    settings: list[Setting]
    inputs: list[SchemaRow]
    outputs: list[SchemaRow]
    open_inputs: bool
    open_outputs: bool


def shown(version: AgentVersion | None) -> Shown | None:
    """None for an agent that was never published."""
    if version is None:
        return None
    kind = agent_kinds().get(version.kind)
    titles = {name: field.title or name for name, field in kind.Config.model_fields.items()} if kind else {}
    texts = {name: version.config[name] for name in ("system", "user") if version.config.get(name)}
    return Shown(
        version=version,
        kind=kind,
        prompts=[Prompt(titles.get(name, name), text) for name, text in texts.items()],
        settings=[
            Setting(titles.get(name, name), version.config[name])
            for name in sorted(version.config, key=list(titles).index if titles else None)
            if name not in texts and version.config[name] not in (None, "", {}, [])
        ],
        inputs=schema_rows(version.input_schema),
        outputs=schema_rows(version.output_schema),
        open_inputs=is_open(version.input_schema),
        open_outputs=is_open(version.output_schema),
    )


@dataclass(frozen=True, slots=True)
class Tab:
    label: str
    url: str
    icon: str
    active: bool


def head(request: HtmxRequest, agent: Agent, tab: str) -> dict[str, JSON]:
    """What every tab shows: the agent, its kind, and what this user may do. One query more for those who manage."""
    may_manage = can(request.user, request.organisation, Permission.AGENTS_MANAGE)
    address = [request.organisation.slug, agent.slug]
    try_url = _try_url(address) if can(request.user, request.organisation, Permission.RUNS_START) else None
    return {
        "agent": agent,
        "kind": agent_kinds().get(agent.current.kind) if agent.current else None,
        "tabs": _tabs(address, tab, try_url),
        # Whoever is on the tab has no use for a button to it; what cannot run is not offered.
        "try_url": try_url if tab != "try" and agent.current and agent.status != Status.OFFLINE else None,
        "may_manage": may_manage,
        "replacements": list(queries.replacements(agent)) if may_manage else [],
    }


def _tabs(address: list[str], tab: str, try_url: str | None) -> list[Tab]:
    tabs = [
        Tab(_("Overview"), reverse("agents:detail", args=address), "info-circle", tab == "overview"),
        Tab(_("Versions"), reverse("agents:versions", args=address), "versions", tab == "versions"),
        Tab(_("Use"), reverse("agents:usage", args=address), "chart-bar", tab == "usage"),
    ]
    return [*tabs, Tab(_("Try it"), try_url, "player-play", tab == "try")] if try_url else tabs


def _try_url(address: list[str]) -> str | None:
    """Trying is a page of the app that runs agents; None where that is not installed."""
    try:
        return reverse("trials:agent", args=address)
    except NoReverseMatch:
        return None
