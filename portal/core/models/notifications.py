"""What people are told: notifications in the portal, and mails on their way out.

Rows appear in the commit of what they tell of (`portal.core.notifying`), once: `key` names the occasion.
"""

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from portal.core.models.organisations import Organisation


class Notification(models.Model):
    """What one person is told in the portal. How long it is kept says `portal.core.tasks`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="notifications")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifications")
    key = models.CharField(max_length=400, help_text="What it tells of; a person is told once.")
    title = models.CharField(max_length=300)
    body = models.TextField(blank=True, help_text="Markdown.")
    link = models.CharField(max_length=2000, blank=True, help_text="A path of the portal, or an https address.")
    created_at = models.DateTimeField(db_default=Now())
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="notification_once")]
        indexes = [
            models.Index(fields=["user", "organisation", "-created_at"], name="notification_recent"),
            models.Index(
                fields=["user", "organisation"], name="notification_unread", condition=models.Q(read_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return self.title


class Mail(models.Model):
    """One message to one address. It is sent at most once: one that was cut off while it was sent stays `unsure`."""

    class State(models.TextChoices):
        PENDING = "pending", "waits to be sent"
        HELD = "held", "no mail server is configured"
        SENDING = "sending", "is being sent"
        SENT = "sent", "sent"
        FAILED = "failed", "failed"
        UNSURE = "unsure", "cut off while it was sent"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="mails")
    key = models.CharField(max_length=400)
    address = models.EmailField()
    subject = models.CharField(max_length=300)
    text = models.TextField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(db_default=Now(), help_text="When it is tried next, or when it began to be sent.")
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["address", "key"], name="mail_once")]
        indexes = [
            models.Index(
                fields=["due_at"], name="mail_due", condition=models.Q(state__in=["pending", "held", "sending"])
            )
        ]

    def __str__(self) -> str:
        return f"{self.subject} to {self.address}"
