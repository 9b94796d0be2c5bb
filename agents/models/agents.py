"""Agents: their cards, which may change at any time."""

import pgtrigger
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from agents.models.search import document
from portal.core.models import Organisation

CHANNEL = "ensemble_agents"
"""Tells hosts which agent has changed: `<organisation id> <slug>`."""
SLUG = RegexValidator(r"^[a-z0-9][a-z0-9-]*$", _("Use lower-case letters, digits and hyphens."))


class Domain(models.TextChoices):
    """Fields of work that agents are grouped by (requirement AGT-01)."""

    SALES = "sales", _("Sales")
    LEGAL = "legal", _("Legal")
    ENGINEERING = "engineering", _("Engineering")
    FINANCE = "finance", _("Finance")
    OPERATIONS = "operations", _("Operations")
    MARKETING = "marketing", _("Marketing")
    SUPPORT = "support", _("Support")
    SECURITY = "security", _("Security")
    QUALITY = "quality", _("Quality")
    DATA = "data", _("Data")


class Status(models.TextChoices):
    ACTIVE = "active", _("Active")
    BETA = "beta", _("Beta")
    DEPRECATED = "deprecated", _("Deprecated")
    OFFLINE = "offline", _("Offline")


class Agent(models.Model):
    """A named worker that workflows call. What it does is in its versions; `current` is the one that "latest" means.

    skills, input_types, output_types, tags: lists of short words (["contract review", "risk"], ["pdf", "text"]).
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="agents")
    slug = models.SlugField(
        max_length=80, validators=[SLUG], help_text=_("How workflows call it. It cannot be changed later.")
    )
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True, help_text=_("What it does and when to use it. Markdown is shown."))
    domain = models.CharField(max_length=20, choices=Domain, default=Domain.OPERATIONS)
    skills = models.JSONField(default=list, blank=True)
    input_types = models.JSONField(default=list, blank=True)
    output_types = models.JSONField(default=list, blank=True)
    tags = models.JSONField(default=list, blank=True)
    status = models.CharField(max_length=12, choices=Status, default=Status.ACTIVE)
    replaced_by = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="replaces")
    current = models.ForeignKey("AgentVersion", null=True, blank=True, on_delete=models.RESTRICT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    search = models.GeneratedField(
        expression=document(), output_field=SearchVectorField(), db_persist=True, editable=False
    )

    class Meta:
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint(fields=["organisation", "slug"], name="agent_slug_once")]
        indexes = [
            GinIndex(fields=["search"], name="agent_search"),
            GinIndex(fields=["skills"], name="agent_skills"),
            models.Index(fields=["organisation", "domain", "name"], name="agent_by_domain"),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="tell",  # whoever keeps it in memory (`agents.snapshots`)
                when=pgtrigger.After,
                operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
                declare=[("agent", "agents_agent")],
                func="agent := COALESCE(NEW, OLD);"
                f" PERFORM pg_notify('{CHANNEL}', agent.organisation_id || ' ' || agent.slug); RETURN NULL;",
            )
        ]

    def __str__(self) -> str:
        return self.name
