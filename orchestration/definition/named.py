"""What a definition names by slug and version: agents, and the workflows it runs. It may be a draft, wrong anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

JSON = Any
Named = tuple[str, int | None]
"""Slug and pinned version; None: the published one."""


def settings_of(definition: JSON, kind: str) -> Iterator[Mapping[str, JSON]]:
    """Of each node of this type that has settings at all."""
    nodes = definition.get("nodes") if isinstance(definition, Mapping) else None
    for node in nodes if isinstance(nodes, list) else []:
        settings = node.get("settings") if isinstance(node, Mapping) and node.get("type") == kind else None
        if isinstance(settings, Mapping):
            yield settings


def named_in(settings: Mapping[str, JSON], key: str) -> Named | None:
    """What `key` (agent, workflow) and `version` of a node's settings name; None where that is no name."""
    slug, version = settings.get(key), settings.get("version")
    if not isinstance(slug, str) or not slug:
        return None
    return slug, version if isinstance(version, int) and not isinstance(version, bool) else None
