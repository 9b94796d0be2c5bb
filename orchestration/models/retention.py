"""How long runs are kept, what keeps them longer, and runs that are packed away (`orchestration.retention`)."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Now

from orchestration.models.runs import Run
from orchestration.models.workflows import Workflow
from portal.core.models import Organisation


class RetentionRule(models.Model):
    """When ended runs are archived and deleted. The rule that names most of a run counts: workflow and status, then
    workflow, then status, then the organisation's own. Where no rule fits, and where a field is empty, runs are kept.
    """

    id = models.BigAutoField(primary_key=True)
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="retention_rules")
    workflow = models.ForeignKey(
        Workflow, null=True, blank=True, on_delete=models.CASCADE, related_name="retention_rules"
    )
    status = models.CharField(max_length=20, blank=True, help_text="completed, failed or cancelled; empty: any.")
    archive_after_days = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    delete_after_days = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "workflow", "status"], nulls_distinct=False, name="retention_rule_once"
            ),
            models.CheckConstraint(
                condition=models.Q(archive_after_days=None)
                | models.Q(delete_after_days=None)
                | models.Q(delete_after_days__gt=models.F("archive_after_days")),
                name="retention_deletes_after_archiving",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=["", "completed", "failed", "cancelled"]), name="retention_of_ended_runs"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.workflow_id or 'any workflow'}, {self.status or 'any status'}"


class LegalHold(models.Model):
    """While it stands, the run, or every run of the workflow, is neither archived nor deleted, nor is any run of the
    same tree. Lifted ones stay on record.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="+")
    workflow = models.ForeignKey(Workflow, null=True, blank=True, on_delete=models.CASCADE, related_name="holds")
    run = models.ForeignKey(Run, null=True, blank=True, on_delete=models.CASCADE, related_name="holds")
    reason = models.CharField(max_length=500)
    set_by = models.CharField(max_length=200)
    set_by_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    set_at = models.DateTimeField(db_default=Now())
    lifted_by = models.CharField(max_length=200, blank=True)
    lifted_because = models.CharField(max_length=500, blank=True)
    lifted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["run"], condition=models.Q(lifted_at=None, run__isnull=False), name="hold_of_run_once"
            ),
            models.UniqueConstraint(
                fields=["workflow"],
                condition=models.Q(lifted_at=None, workflow__isnull=False),
                name="hold_of_workflow_once",
            ),
            models.CheckConstraint(
                condition=models.Q(run=None, workflow__isnull=False) | models.Q(run__isnull=False, workflow=None),
                name="hold_of_one_thing",
            ),
        ]

    def __str__(self) -> str:
        return f"Hold of {'run' if self.run_id else 'workflow'} {self.run_id or self.workflow_id}"


class MeasuredCall(models.Model):
    """A call of an agent in a run that has been archived or deleted, as far as the agent's figures need it.

    The run is named and not referred to: it may be gone.
    """

    id = models.BigAutoField(primary_key=True)
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="+", db_index=False)
    run = models.UUIDField(db_index=True)
    agent = models.CharField(max_length=80)
    ended_at = models.DateTimeField(db_index=True)
    succeeded = models.BooleanField()
    seconds = models.FloatField(null=True)
    cost_usd = models.DecimalField(max_digits=14, decimal_places=6, null=True)

    class Meta:
        indexes = [models.Index(fields=["organisation", "agent", "ended_at"], name="measured_call_agent")]

    def __str__(self) -> str:
        return f"{self.agent} in {self.run}"


class RunArchive(models.Model):
    """What a run's events, node runs, signals and effects were, packed (`orchestration.retention.packing`)."""

    run = models.OneToOneField(Run, primary_key=True, on_delete=models.CASCADE, related_name="archive")
    sections = models.JSONField(
        help_text='Where what lies in the body: [{"kind", "columns", "first", "count", "at", "bytes"}].'
    )
    body = models.BinaryField(help_text="Sections one after the other: rows as lines of JSON, compressed by zlib.")
    bytes_before = models.BigIntegerField(help_text="What the rows took, without indexes.")
    bytes_after = models.BigIntegerField()
    archived_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"Archive of {self.run_id}"
