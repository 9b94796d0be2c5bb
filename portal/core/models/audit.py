"""The audit ledger: what happened (`AuditEntry`), chained after the fact (`AuditLink`).

The design is told in `docs/decisions/0001-audit-chain.md`; functions and triggers are in migration 0002. Both tables
refuse UPDATE, DELETE and TRUNCATE, from their owner too. Entries are written by `services.audit.record` only.
"""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models.functions import Now


class AuditEntry(models.Model):
    """One fact. References are plain ids, so that nothing deleted elsewhere can take an entry along.

    before, after: {"field": value} of what changed. data: anything else worth keeping. All three are redacted.
    """

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(db_default=Now(), editable=False)
    organisation = models.ForeignKey(
        "core.Organisation",
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="+",
        db_index=False,
    )
    verb = models.CharField(max_length=100)
    actor_id = models.BigIntegerField(null=True)
    actor_label = models.CharField(max_length=200)
    channel = models.CharField(max_length=10)
    address = models.CharField(max_length=45, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    target_type = models.CharField(max_length=60, blank=True)
    target_id = models.CharField(max_length=64, blank=True)
    target_label = models.CharField(max_length=200, blank=True)
    before = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    after = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    data = models.JSONField(null=True, encoder=DjangoJSONEncoder)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["organisation", "-id"], name="audit_by_organisation"),
            models.Index(fields=["organisation", "target_type", "target_id"], name="audit_by_target"),
        ]

    def __str__(self) -> str:
        return f"{self.verb} by {self.actor_label}"


class AuditLink(models.Model):
    """The place of one entry in its organisation's chain. `chain` is the organisation's id, 0 for the installation."""

    entry = models.OneToOneField(
        AuditEntry, primary_key=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="link"
    )
    chain = models.BigIntegerField()
    number = models.BigIntegerField()
    previous = models.BinaryField()
    hash = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["chain", "number"], name="audit_link_once")]

    def __str__(self) -> str:
        return f"{self.chain}:{self.number}"


class AuditPending(models.Model):
    """Entries that the linker has not reached yet; filled by a trigger, emptied by the linker."""

    entry_id = models.BigIntegerField(primary_key=True)
    chain = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["chain", "entry_id"], name="audit_pending_by_chain")]

    def __str__(self) -> str:
        return f"{self.chain}:{self.entry_id}"
