"""Places where only so many may be at work at once. Written by `orchestration.store.places` only."""

from __future__ import annotations

from django.db import models

from orchestration.models.runs import Run


class Place(models.Model):
    """A place that is held (`granted_at`), or somebody who waits for one.

    node and path: whose it is; both empty while it waits, or is granted and not used yet; node "*": the run's own.
    """

    id = models.BigAutoField(primary_key=True)
    scope = models.CharField(max_length=150)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="places")
    node = models.CharField(max_length=64, blank=True)
    path = models.CharField(max_length=200, blank=True)
    lease_token = models.BigIntegerField(help_text="Under which it was taken: a place ends with its lease.")
    allowed = models.PositiveIntegerField(help_text="Places of the scope, as of the asking.")
    turn = models.DateTimeField(help_text="When it came, less half a minute a step of priority.")
    since = models.DateTimeField()
    granted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["scope", "run", "node", "path"], name="place_once")]
        indexes = [models.Index(fields=["scope", "turn"], name="place_queue", condition=models.Q(granted_at=None))]

    def __str__(self) -> str:
        return f"{self.scope}: {self.node or 'waiting'}"
