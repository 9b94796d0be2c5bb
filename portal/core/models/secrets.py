"""The secrets store."""

from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _


class Secret(models.Model):
    """An encrypted value, referenced by name. Written and read only by `services.secrets`."""

    organisation = models.ForeignKey("core.Organisation", on_delete=models.CASCADE, related_name="secrets")
    name = models.CharField(
        max_length=80,
        validators=[
            RegexValidator(r"^[A-Za-z][A-Za-z0-9_.-]*$", _("Begin with a letter; then letters, digits, _ . -"))
        ],
        help_text=_("How agents and nodes refer to it, e.g. OPENAI_API_KEY."),
    )
    description = models.CharField(max_length=200, blank=True)
    ciphertext = models.TextField(editable=False)
    key_id = models.CharField(max_length=16, editable=False, help_text=_("Fingerprint of the key that encrypted it."))
    created_at = models.DateTimeField(auto_now_add=True)
    set_at = models.DateTimeField(editable=False)

    class Meta:
        ordering = ["organisation", "name"]
        constraints = [models.UniqueConstraint(fields=["organisation", "name"], name="secret_once_per_organisation")]

    def __str__(self) -> str:
        return self.name
