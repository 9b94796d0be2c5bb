"""Published versions of agents, which never change."""

import pgtrigger
from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from agents.models.agents import Agent
from portal.core.fields import OrderedJSONField

LONGEST_TIMEOUT_SECONDS = 3600

_FROZEN = (
    "agent_id", "number", "kind", "config", "input_schema", "output_schema", "max_concurrency", "timeout_seconds",
    "retry", "cost_per_run_usd", "published_at",
)  # fmt: skip


class Backoff(models.TextChoices):
    FIXED = "fixed", _("Fixed")
    LINEAR = "linear", _("Linear")
    EXPONENTIAL = "exponential", _("Exponential")


def default_retry() -> dict[str, object]:
    """One try more than none: what a workflow's node falls back to when it says nothing itself."""
    return {"max_attempts": 3, "backoff": Backoff.EXPONENTIAL.value, "initial_seconds": 1}


class AgentVersion(models.Model):
    """What an agent does, fixed for ever: workflows pin a version, running runs keep theirs.

    config: settings of the kind, checked by its `Config` model. input_schema, output_schema: JSON Schema 2020-12, type
    object. retry: {"max_attempts": int, "backoff": "fixed" | "linear" | "exponential", "initial_seconds": number}.
    """

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=30)
    config = models.JSONField(default=dict)
    input_schema = OrderedJSONField(default=dict)
    output_schema = OrderedJSONField(default=dict)
    max_concurrency = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    timeout_seconds = models.PositiveIntegerField(
        default=120, validators=[MinValueValidator(1), MaxValueValidator(LONGEST_TIMEOUT_SECONDS)]
    )
    retry = models.JSONField(default=default_retry)
    cost_per_run_usd = models.DecimalField(
        max_digits=12, decimal_places=6, null=True, blank=True, validators=[MinValueValidator(0)]
    )
    note = models.CharField(max_length=300, blank=True)
    published_at = models.DateTimeField(db_default=Now())
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["agent", "-number"]
        constraints = [models.UniqueConstraint(fields=["agent", "number"], name="agent_version_once")]
        triggers = [pgtrigger.Protect(name="immutable", operation=pgtrigger.UpdateOf(*_FROZEN))]

    def __str__(self) -> str:
        return f"v{self.number}"
