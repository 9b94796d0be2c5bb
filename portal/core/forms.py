"""Forms of the core's own pages."""

from datetime import timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.core import clock, permissions
from portal.core.models import Organisation

_LIFETIMES = [("7", _("7 days")), ("30", _("30 days")), ("90", _("90 days")), ("365", _("One year")), ("", _("Never"))]


class TokenForm(forms.Form):
    """Cleaned: name, organisation, scopes (codes), expires_at (or None)."""

    name = forms.CharField(max_length=80, help_text=_("What will use it, e.g. “nightly import”."))
    organisation = forms.ModelChoiceField(queryset=Organisation.objects.none(), empty_label=None)
    lifetime = forms.ChoiceField(choices=_LIFETIMES, initial="90", required=False, label=_("Expires after"))
    scopes = forms.MultipleChoiceField(
        choices=permissions.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("What it may do, at most. With none chosen it may do all that your roles allow."),
    )

    def __init__(self, *args: Any, organisations: list[Organisation], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["organisation"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101  tells the type checker
        field.queryset = Organisation.objects.filter(pk__in=[one.pk for one in organisations])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        days = cleaned.get("lifetime")
        cleaned["expires_at"] = clock.now() + timedelta(days=int(days)) if days else None
        return cleaned


class AuditFilterForm(forms.Form):
    """The filter row of the ledger. A value it does not know filters nothing."""

    q = forms.CharField(max_length=100, required=False)
    area = forms.CharField(required=False)
    channel = forms.CharField(required=False)
    since = forms.DateField(required=False)
    before = forms.IntegerField(required=False, min_value=1)
