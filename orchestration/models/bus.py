"""The event bus: what was published, who waits for what, and what came of it (`orchestration.bus`)."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from orchestration.models.runs import Run
from portal.core.models import Organisation


class BusEvent(models.Model):
    """Something that happened, told to everybody in the organisation who waits for it."""

    class Source(models.TextChoices):
        API = "api", "API"
        PERSON = "person", "Person"
        RUN = "run", "Run"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=120)
    key = models.CharField(max_length=200, blank=True, help_text="What it is about, e.g. the number of an order.")
    data = models.JSONField(default=dict)
    source = models.CharField(max_length=20, choices=Source)
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    run = models.ForeignKey(
        Run, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", help_text="The run that published it."
    )
    node = models.CharField(max_length=64, blank=True)
    path = models.CharField(max_length=200, blank=True)
    hops = models.PositiveSmallIntegerField(
        default=0, help_text="How many events led here, each by starting the run that published the next."
    )
    idempotency_key = models.CharField(max_length=200, null=True, blank=True)  # noqa: DJ001  null is "none given", outside of the unique key
    at = models.DateTimeField(db_default=Now())
    route_at = models.DateTimeField(
        null=True, db_default=Now(), help_text="When an engine should pass it on; null once that is done."
    )
    faults = models.JSONField(default=list, help_text='Filters that failed at it: [{"of", "message"}].')

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "source", "idempotency_key"], name="bus_event_key_once"),
        ]
        indexes = [
            models.Index(fields=["route_at"], name="bus_event_to_route", condition=models.Q(route_at__isnull=False)),
            models.Index(fields=["organisation", "name", "at"], name="bus_event_named"),
            models.Index(fields=["organisation", "-at"], name="bus_event_recent"),
            models.Index(fields=["at"], name="bus_event_age"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.key}".strip()

    def as_json(self) -> dict[str, Any]:
        """As nodes, filters and templates see it."""
        return {
            "id": str(self.pk),
            "name": self.name,
            "key": self.key,
            "data": self.data,
            "at": self.at.isoformat(),
            "source": self.source,
        }


class EventSubscription(models.Model):
    """A node run that waits for an event. The row appears with the wait and goes with it, or with what ends it."""

    id = models.BigAutoField(primary_key=True)
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="+")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="+")
    node = models.CharField(max_length=64)
    path = models.CharField(max_length=200, blank=True)
    name = models.CharField(max_length=120)
    key = models.CharField(max_length=200, blank=True, help_text="Empty: whatever the key.")
    filter = models.TextField(blank=True)
    since = models.DateTimeField(help_text="Events from this moment on count.")
    settled = models.BooleanField(default=False, help_text="Events that were there before the row have been looked at.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "node", "path"], name="event_subscription_once")]
        indexes = [
            models.Index(fields=["organisation", "name"], name="event_subscription_named"),
            models.Index(fields=["id"], name="event_subscription_new", condition=models.Q(settled=False)),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.key}".strip()


class EventDelivery(models.Model):
    """A waiting node run that an event has woken."""

    id = models.BigAutoField(primary_key=True)
    event = models.ForeignKey(BusEvent, on_delete=models.CASCADE, related_name="deliveries")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="+")
    node = models.CharField(max_length=64)
    path = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["event", "run", "node", "path"], name="event_delivered_once")]

    def __str__(self) -> str:
        return f"{self.event_id} to {self.run_id}/{self.node}"
