"""Approval requests and the decisions on them.

A request is opened by the engine in the very commit that records that the node waits (`approvals.nodes`), and closed
by a decision, or by the engine when the node stops waiting. Lock order: the run's row first, then the request's.
"""

from __future__ import annotations

import uuid
from typing import Any

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from orchestration.models import Run
from portal.core.models import Organisation


class ApprovalRequest(models.Model):
    """Somebody is asked: for a decision, for input, or what is to become of a failed step. One open one a node run."""

    class Kind(models.TextChoices):
        APPROVAL = "approval", _("Approval")
        HUMAN_INPUT = "human_input", _("Input")
        ESCALATION = "escalation", _("Failed step")

    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        DECIDED = "decided", _("Decided")
        WITHDRAWN = "withdrawn", _("Withdrawn")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="approval_requests")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="approval_requests")
    node = models.CharField(max_length=64)
    path = models.CharField(max_length=200, blank=True)
    kind = models.CharField(max_length=20, choices=Kind)
    status = models.CharField(max_length=20, choices=Status, default=Status.OPEN)
    title = models.CharField(max_length=300)
    message = models.TextField(blank=True)
    context = models.JSONField(default=list, help_text="What the person reads: [{label, value, format}].")
    options = models.JSONField(default=list, help_text="What may be chosen: [{port, label, style, comment_required}].")
    recommended = models.CharField(max_length=64, blank=True)
    fields_schema = models.JSONField(default=dict, help_text="JSON Schema of what the person fills in.")
    assignee_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="approval_requests"
    )
    assignee_role = models.CharField(max_length=80, blank=True, help_text="Slug of the role whose holders may decide.")
    opened_at = models.DateTimeField(db_default=Now())
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_because = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["run", "node", "path"], condition=models.Q(status="open"), name="approval_request_open_once"
            )
        ]
        indexes = [
            models.Index(fields=["organisation", "status", "-opened_at"], name="approval_request_list"),
            models.Index(fields=["run"], name="approval_request_run"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def open(self) -> bool:
        return self.status == self.Status.OPEN

    def option(self, port: str) -> dict[str, Any] | None:
        return next((option for option in self.options if option["port"] == port), None)


class Decision(models.Model):
    """What a person decided, by what right, and a digest of exactly what was shown. Rows never change.

    Attempts that were refused are in the audit ledger (`approvals.request.refused`), not here.
    """

    id = models.BigAutoField(primary_key=True)
    request = models.OneToOneField(ApprovalRequest, on_delete=models.PROTECT, related_name="decision")
    option = models.CharField(max_length=64)
    label = models.CharField(max_length=120)
    comment = models.TextField(blank=True)
    values = models.JSONField(null=True, blank=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    decided_by_label = models.CharField(max_length=200)
    right = models.CharField(max_length=200, help_text="Why this person could decide: named, or by which role.")
    channel = models.CharField(max_length=20)
    shown_digest = models.CharField(max_length=64, help_text="SHA-256 of the canonical JSON of what was decided upon.")
    decided_at = models.DateTimeField(db_default=Now())

    class Meta:
        triggers = [
            pgtrigger.Protect(
                name="immutable",
                operation=pgtrigger.UpdateOf(
                    "request_id", "option", "label", "comment", "values", "decided_by_label", "right", "decided_at"
                ),
            )
        ]

    def __str__(self) -> str:
        return f"{self.label} by {self.decided_by_label}"
