"""All that changes agents and model profiles."""

from agents.services.drafts import InvalidAgent, VersionDraft, advice, draft_faults
from agents.services.exchange import FORMAT, draft_of, export_agent, import_agent
from agents.services.profiles import InvalidProfile, delete_profile, save_profile
from agents.services.registry import (
    AgentCard,
    Published,
    SlugTaken,
    compare,
    create_agent,
    publish_version,
    restore_version,
    set_status,
    update_agent,
)

__all__ = [
    "FORMAT",
    "AgentCard",
    "InvalidAgent",
    "InvalidProfile",
    "Published",
    "SlugTaken",
    "VersionDraft",
    "advice",
    "compare",
    "create_agent",
    "delete_profile",
    "draft_faults",
    "draft_of",
    "export_agent",
    "import_agent",
    "publish_version",
    "restore_version",
    "save_profile",
    "set_status",
    "update_agent",
]
