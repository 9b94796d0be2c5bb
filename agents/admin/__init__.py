"""Agents and model profiles in the admin site: the editor of the registry, for people who do not program."""

from agents.admin.agents import AgentAdmin
from agents.admin.profiles import ModelProfileAdmin

__all__ = ["AgentAdmin", "ModelProfileAdmin"]
