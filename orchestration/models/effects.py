"""The ledger of outside calls. Only `orchestration.store` writes it (`store/effects.py`)."""

from __future__ import annotations

from django.db import models

from orchestration.models.runs import Run


class Effect(models.Model):
    """One call to the outside, written before it was made and again when it had ended.

    Its identity is the lease under which it was made and its number under that lease, so writing a row twice (the
    answer of a commit got lost) changes nothing.
    """

    pk = models.CompositePrimaryKey("run_id", "lease_token", "serial")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="effects", db_index=False)
    lease_token = models.BigIntegerField()
    serial = models.PositiveIntegerField()
    node = models.CharField(max_length=64)
    path = models.CharField(max_length=200, blank=True)
    attempt = models.PositiveIntegerField()
    number = models.PositiveIntegerField(help_text="Within the attempt, from 1.")
    kind = models.CharField(max_length=20, help_text="model, http, mail, tool")
    target = models.CharField(max_length=300)
    idempotency_key = models.CharField(max_length=300, blank=True)
    request = models.JSONField(default=dict, help_text="A summary, without secrets.")
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=10, blank=True, help_text="ok, failed, unknown; empty while under way.")
    response = models.JSONField(null=True, blank=True, help_text="A summary, without secrets.")
    cost_usd = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["run", "node", "path"], name="effect_of_node")]

    def __str__(self) -> str:
        return f"{self.kind} {self.target}"
