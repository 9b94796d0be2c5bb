"""Model profiles: what agents name instead of a model."""

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.core.models import Organisation

_NAME = RegexValidator(r"^[a-z0-9][a-z0-9-]*$", _("Use lower-case letters, digits and hyphens."))

# Names that answer without a row too, with the best model that is found (`agents.llm.router`).
BUILT_IN_PROFILES = ("fast", "quality", "code", "auto", "offline")


class ModelProfile(models.Model):
    """A named way to reach a model. Agents name a profile, never a model, so one change here moves them all.

    fallbacks: ["quality", "offline"], names of profiles of the same organisation, tried in order when this one fails.
    Prices are USD per million tokens and override the gateway's own price list.
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="model_profiles")
    name = models.SlugField(
        max_length=40,
        validators=[_NAME],
        help_text=_("What agents refer to: fast, quality, code, auto, offline, or a name of your own."),
    )
    description = models.CharField(max_length=200, blank=True, help_text=_("When to choose it, in a few words."))
    model = models.CharField(
        max_length=160,
        help_text=_(
            "Provider and model as litellm writes them: openai/gpt-4.1-mini, ollama_chat/llama3.2. "
            "“auto” takes the best that a key or a local server is found for."
        ),
    )
    api_base = models.CharField(
        _("address"),
        max_length=300,
        blank=True,
        help_text=_("Only for your own endpoint: Ollama, vLLM or any OpenAI-compatible server. Empty: the provider's."),
    )
    api_key_secret = models.CharField(
        _("secret with the key"),
        max_length=80,
        blank=True,
        help_text=_("Name of the organisation's secret. Empty: the provider's usual environment variable is used."),
    )
    temperature = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0.0), MaxValueValidator(2.0)],
        help_text=_("0 answers the same way each time, 1 varies. Empty: the model's own."),
    )
    max_tokens = models.PositiveIntegerField(
        _("longest answer (tokens)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("Empty: the model's own limit."),
    )
    timeout_seconds = models.PositiveIntegerField(
        _("time limit (seconds)"),
        default=120,
        validators=[MinValueValidator(1)],
        help_text=_("A call that takes longer is given up."),
    )
    input_price_usd = models.DecimalField(
        _("price of what it reads"),
        max_digits=12,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_("USD for a million tokens. Empty: the known price of the model."),
    )
    output_price_usd = models.DecimalField(
        _("price of what it writes"),
        max_digits=12,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_("USD for a million tokens. Empty: the known price of the model."),
    )
    fallbacks = models.JSONField(
        default=list, blank=True, help_text=_("Profiles to try in order when this one cannot answer.")
    )
    enabled = models.BooleanField(default=True, help_text=_("When off, calls go to the fallbacks."))
    is_default = models.BooleanField(
        _("default"), default=False, help_text=_("Used by agents that name no profile. One in each organisation.")
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["organisation", "name"]
        constraints = [
            models.UniqueConstraint(fields=["organisation", "name"], name="model_profile_once"),
            models.UniqueConstraint(
                fields=["organisation"], condition=models.Q(is_default=True), name="model_profile_one_default"
            ),
        ]

    def __str__(self) -> str:
        return self.name
