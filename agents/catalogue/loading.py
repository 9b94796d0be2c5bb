"""Puts the starter catalogue into an organisation. Safe to repeat: what people have changed stays theirs.

An agent that is not there is created. One that is there gets a new version only when the catalogue has changed and the current
version is still the one that the catalogue published; the version's note says so: `Starter catalogue 3f9a1c04`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from agents.catalogue import engineering, finance, legal, office, sales, security, tools
from agents.catalogue.entries import Entry
from agents.models import Agent, ModelProfile
from agents.services import AgentCard, VersionDraft, create_agent, publish_version, save_profile, update_agent
from portal.core.actors import Actor
from portal.core.models import Organisation

_NOTE = "Starter catalogue"

ENTRIES: tuple[Entry, ...] = (
    *sales.ENTRIES,
    *legal.ENTRIES,
    *finance.ENTRIES,
    *engineering.ENTRIES,
    *security.ENTRIES,
    *office.ENTRIES,
    *tools.ENTRIES,
)

PROFILES: dict[str, dict[str, Any]] = {
    "auto": {
        "model": "auto",
        "description": "Chooses between fast, quality and code by the task of the agent.",
        "is_default": True,
    },
    "fast": {"model": "auto", "description": "Quick and cheap: sorting, short answers."},
    "quality": {"model": "auto", "description": "The best there is: analysis, law, writing."},
    "code": {"model": "auto", "description": "Good at code: reviews, diffs, SQL.", "timeout_seconds": 180},
    "offline": {
        "model": "offline/extract",
        "description": "No language model: extracts and sorts by rules. Free, instant, always the same.",
    },
}


@dataclass(slots=True)
class Loaded:
    """Slugs by what was done with them."""

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    """Changed by people: left alone."""

    def __str__(self) -> str:
        counts = {
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "left to their owners": self.kept,
        }
        return ", ".join(f"{len(slugs)} {what}" for what, slugs in counts.items() if slugs) or "nothing to do"


@transaction.atomic
def load(organisation: Organisation, actor: Actor) -> Loaded:
    """Create what is missing, renew what is untouched. Raises InvalidAgent if an entry is wrong (a bug of the catalogue)."""
    for name, values in PROFILES.items():
        if not ModelProfile.objects.filter(organisation=organisation, name=name).exists():
            taken = (
                values.get("is_default")
                and ModelProfile.objects.filter(organisation=organisation, is_default=True).exists()
            )
            save_profile(
                organisation=organisation,
                name=name,
                actor=actor,
                **{**values, **({"is_default": False} if taken else {})},
            )
    known = {agent.slug: agent for agent in Agent.objects.filter(organisation=organisation).select_related("current")}
    loaded = Loaded()
    for entry in ENTRIES:
        _load_one(organisation, entry, known.get(entry.slug), actor, loaded)
    return loaded


def _load_one(organisation: Organisation, entry: Entry, agent: Agent | None, actor: Actor, loaded: Loaded) -> None:
    card, draft, note = card_of(entry), draft_of(entry), f"{_NOTE} {digest(entry)}"
    if agent is None:
        create_agent(organisation=organisation, slug=entry.slug, card=card, draft=draft, actor=actor, note=note)
        loaded.created.append(entry.slug)
        return
    current = agent.current
    if current is None or not current.note.startswith(f"{_NOTE} "):
        loaded.kept.append(entry.slug)
    elif current.note == note:
        loaded.unchanged.append(entry.slug)
    else:
        update_agent(agent=agent, card=card, actor=actor)
        published = publish_version(agent=agent, draft=draft, actor=actor, note=note)
        (loaded.updated if published.created else loaded.unchanged).append(entry.slug)


def card_of(entry: Entry) -> AgentCard:
    return AgentCard(
        name=entry.name,
        description=entry.description,
        domain=entry.domain,
        skills=list(entry.skills),
        input_types=list(entry.input_types),
        output_types=list(entry.output_types),
        tags=list(entry.tags),
    )


def draft_of(entry: Entry) -> VersionDraft:
    return VersionDraft(
        kind=entry.kind,
        config=entry.config,
        input_schema=entry.inputs,
        output_schema=entry.outputs,
        timeout_seconds=entry.timeout_seconds,
        max_concurrency=entry.max_concurrency,
    )


def digest(entry: Entry) -> str:
    """Of everything an entry says; eight hexadecimal digits."""
    draft = draft_of(entry).values()
    content = json.dumps([card_of(entry).values(), draft], sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()[:8]
