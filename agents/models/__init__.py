"""The registry: agents (`Agent`), what each does (`AgentVersion`), and how models are reached (`ModelProfile`)."""

from agents.models.agents import CHANNEL, Agent, Domain, Status
from agents.models.profiles import ModelProfile
from agents.models.versions import AgentVersion, Backoff, default_retry

__all__ = ["CHANNEL", "Agent", "AgentVersion", "Backoff", "Domain", "ModelProfile", "Status", "default_retry"]
