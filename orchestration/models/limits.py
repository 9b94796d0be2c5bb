"""How much an organisation may have the engine do at once."""

from __future__ import annotations

from django.core.validators import MinValueValidator
from django.db import models

from portal.core.models import Organisation


class OrganisationLimits(models.Model):
    """Empty fields set no limit of the organisation's own."""

    organisation = models.OneToOneField(Organisation, primary_key=True, on_delete=models.CASCADE, related_name="limits")
    open_runs = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Runs that have not ended. More are refused at their start (429). Empty: the installation's limit.",
    )
    runs_in_hand = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Runs that engines drive at the same time. Others wait until one ends or begins to wait.",
    )
    steps_at_work = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Steps at work at the same time, over all its runs. Others are held back until one ends.",
    )

    class Meta:
        verbose_name = verbose_name_plural = "limits"

    def __str__(self) -> str:
        return f"Limits of {self.organisation}"
