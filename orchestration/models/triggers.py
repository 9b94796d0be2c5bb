"""What starts workflows by itself, and each time it did or did not (`orchestration.triggers`)."""

from __future__ import annotations

import uuid

from django.conf import settings as configuration
from django.db import models
from django.db.models.functions import Now

from orchestration.models.bus import BusEvent
from orchestration.models.runs import Run
from orchestration.models.workflows import Workflow, WorkflowVersion
from portal.core.fields import OrderedJSONField
from portal.core.models import Organisation


class Trigger(models.Model):
    """Starts a workflow: at times (cron), when called (webhook), when an event is published (event)."""

    class Kind(models.TextChoices):
        CRON = "cron", "Schedule"
        WEBHOOK = "webhook", "Webhook"
        EVENT = "event", "Event"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="+")
    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="triggers")
    version = models.ForeignKey(
        WorkflowVersion,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Always this one; empty: the version that is published when it fires.",
    )
    kind = models.CharField(max_length=20, choices=Kind)
    name = models.CharField(max_length=120)
    enabled = models.BooleanField(default=True)
    disabled_because = models.CharField(
        max_length=300, blank=True, help_text="Why the portal itself has switched it off."
    )
    settings = models.JSONField(default=dict, help_text="By kind; see orchestration.triggers.settings.")
    inputs = OrderedJSONField(default=dict, help_text="Inputs of the runs, with {{ expressions }}.")
    priority = models.PositiveSmallIntegerField(default=5)
    most_unfinished = models.PositiveIntegerField(
        default=100, help_text="While so many of its runs are under way, it starts no other."
    )
    failures = models.PositiveIntegerField(default=0, help_text="Fires in a row that could start nothing.")
    next_at = models.DateTimeField(null=True, blank=True, help_text="When a schedule is due next.")
    path = models.CharField(
        max_length=64, null=True, blank=True, unique=True, help_text="The unguessable part of a webhook's address."
    )
    created_by = models.ForeignKey(
        configuration.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workflow", "name"], name="trigger_name_once")]
        indexes = [
            models.Index(
                fields=["next_at"], name="trigger_due", condition=models.Q(enabled=True, next_at__isnull=False)
            ),
            models.Index(
                fields=["organisation"], name="trigger_listening", condition=models.Q(enabled=True, kind="event")
            ),
        ]

    def __str__(self) -> str:
        return self.name


class TriggerFire(models.Model):
    """One occasion of a trigger and what came of it. `key` is the due time, the event, or the request."""

    class Outcome(models.TextChoices):
        STARTED = "started", "Started"
        SKIPPED = "skipped", "Skipped"
        REFUSED = "refused", "Refused"
        FAILED = "failed", "Failed"

    id = models.BigAutoField(primary_key=True)
    trigger = models.ForeignKey(Trigger, on_delete=models.CASCADE, related_name="fires")
    key = models.CharField(max_length=200)
    at = models.DateTimeField(db_default=Now(), help_text="When it fired or was received.")
    due_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=20, choices=Outcome)
    reason = models.CharField(max_length=500, blank=True)
    problems = models.JSONField(default=list, help_text='[{"path": "$.order", "message"}]')
    inputs = models.JSONField(null=True, blank=True, help_text="As they were resolved.")
    test = models.BooleanField(default=False)
    run = models.ForeignKey(Run, null=True, blank=True, on_delete=models.SET_NULL, related_name="fires")
    event = models.ForeignKey(BusEvent, null=True, blank=True, on_delete=models.SET_NULL, related_name="fires")
    address = models.CharField(max_length=64, blank=True, help_text="Who called, for webhooks.")
    count = models.PositiveIntegerField(default=1, help_text="Occasions that this row stands for.")
    said = models.CharField(
        max_length=64, blank=True, db_default="", help_text="Digest of what a call with an Idempotency-Key said."
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["trigger", "key"], name="trigger_fire_once")]
        indexes = [
            models.Index(fields=["trigger", "-at"], name="trigger_fire_recent"),
            models.Index(fields=["at"], name="trigger_fire_age"),
        ]

    def __str__(self) -> str:
        return f"{self.trigger_id} {self.outcome}"


class WebhookSeen(models.Model):
    """A signature that was used: the same request again is refused."""

    id = models.BigAutoField(primary_key=True)
    trigger = models.ForeignKey(Trigger, on_delete=models.CASCADE, related_name="+")
    digest = models.CharField(max_length=64)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["trigger", "digest"], name="webhook_seen_once")]
        indexes = [models.Index(fields=["at"], name="webhook_seen_age")]

    def __str__(self) -> str:
        return self.digest[:12]
