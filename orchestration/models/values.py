"""Large values, stored once by content within an organisation; see `orchestration.values`."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from orchestration.models.runs import Run
from portal.core.models import Organisation


class StoredValue(models.Model):
    """A text, list or object. Its digest is over its kind and its bytes; rows never change but for `last_used_at`."""

    id = models.BigAutoField(primary_key=True)
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="+")
    digest = models.CharField(max_length=64)
    kind = models.CharField(max_length=10, help_text="string, array or object")
    bytes = models.BigIntegerField(help_text="As it is downloaded, before compression.")
    plain = models.BooleanField(default=True, help_text="It holds no reference to another value and nothing escaped.")
    names = ArrayField(
        models.CharField(max_length=64), default=list, help_text="Digests of the values it refers to itself."
    )
    created_at = models.DateTimeField(db_default=Now())
    last_used_at = models.DateTimeField(
        db_default=Now(), help_text="When it was last named. One that no run names is kept for a while after that."
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "digest"], name="stored_value_once")]
        indexes = [models.Index(fields=["last_used_at"], name="stored_value_age")]

    def __str__(self) -> str:
        return self.digest[:12]


class ValueChunk(models.Model):
    """A piece of at most 1 MiB, compressed by zlib, so that a download holds no more than that in memory."""

    pk = models.CompositePrimaryKey("value_id", "number")
    value = models.ForeignKey(StoredValue, on_delete=models.CASCADE, db_constraint=False, related_name="chunks")
    number = models.PositiveIntegerField()
    body = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.value_id}/{self.number}"


class ValueUse(models.Model):
    """A run names a value. Written before, or in the same commit as, the event that does; gone with the run."""

    pk = models.CompositePrimaryKey("run_id", "value_id")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, db_constraint=False, related_name="value_uses")
    value = models.ForeignKey(StoredValue, on_delete=models.CASCADE, db_constraint=False, related_name="uses")

    def __str__(self) -> str:
        return f"{self.run_id} names {self.value_id}"
