"""The form of a trigger, one a kind."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings

from agents.contracts import Fault
from orchestration.models import Trigger, Workflow, WorkflowVersion
from orchestration.services.triggers import InvalidTrigger, Wanted
from orchestration.triggers import settings as trigger_settings
from portal.core.schema_controls import JsonField

JSON = Any


class TriggerForm(forms.Form):
    """`settings_fields` are those whose values are the trigger's settings, by their names; the first of them shows
    what is wrong with all of them together.
    """

    kind = ""
    settings_fields: tuple[str, ...] = ()

    name = forms.CharField(max_length=120, help_text="What it is for, such as “every morning” or “from the shop”.")
    inputs = JsonField(
        kind=dict,
        required=False,
        label="Inputs of the runs",
        widget=forms.Textarea(attrs={"rows": 6, "class": "mono", "data-json": True, "spellcheck": "false"}),
    )
    version = forms.TypedChoiceField(
        required=False, coerce=int, empty_value=None, help_text="Which version it starts, whatever is published later."
    )
    priority = forms.IntegerField(min_value=1, max_value=10, initial=5, help_text="10 is served first, 1 last.")
    most_unfinished = forms.IntegerField(
        min_value=1,
        max_value=10_000,
        initial=100,
        label="Most runs at once",
        help_text="It starts no other while so many of its runs are under way. 1: never two at once.",
    )

    def __init__(self, *args: Any, workflow: Workflow, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.workflow = workflow
        self.versions = {
            version.number: version
            for version in WorkflowVersion.objects.filter(workflow=workflow).defer("definition").order_by("-number")
        }
        numbered = [(str(number), f"Version {number}") for number in self.versions]
        version = self.fields["version"]
        assert isinstance(version, forms.TypedChoiceField)  # noqa: S101  tells the type checker
        version.choices = [("", "The published one of the day"), *numbered]
        self.order_fields(["name", *self.settings_fields, "inputs"])

    def clean(self) -> dict[str, Any]:
        """What is wrong with the settings is told along with the rest, not after it."""
        cleaned = super().clean() or {}
        given = {name: cleaned[name] for name in self.settings_fields if name in cleaned}
        if self.errors and len(given) == len([name for name in self.settings_fields if name in self.fields]):
            try:
                trigger_settings.read(self.kind, given)
            except trigger_settings.InvalidSettings as error:
                self._show(error.faults)
        return cleaned

    @property
    def main(self) -> list[forms.BoundField]:
        rare = {field.name for field in self.rare}
        return [field for field in self.visible_fields() if field.name not in rare]

    @property
    def rare(self) -> list[forms.BoundField]:
        """Fields that most triggers leave as they are."""
        names = ("version", "priority", "most_unfinished", "window_seconds", "per_minute")
        return [self[name] for name in names if name in self.fields]

    def wanted(self) -> Wanted:
        """Of a valid form."""
        values = self.cleaned_data
        return Wanted(
            name=values["name"],
            settings={name: values[name] for name in self.settings_fields if name in values},
            inputs=values["inputs"] or {},
            version=self.versions.get(values["version"]),
            priority=values["priority"],
            most_unfinished=values["most_unfinished"],
        )

    def show(self, error: InvalidTrigger) -> None:
        """Each fault at the field that holds its place."""
        self._show(error.faults)

    def _show(self, faults: list[Fault]) -> None:
        for fault in faults:
            steps = fault.path.removeprefix("$.").split(".")
            if steps[0] == "settings":
                named = len(steps) > 1 and steps[1] in self.fields
                self.add_error(steps[1] if named else self.settings_fields[0], fault.message)
            elif steps[0].partition("[")[0] == "inputs":
                self.add_error("inputs", f"{fault.path.replace('$.inputs', '$', 1)}: {fault.message}")
            else:
                self.add_error(steps[0] if steps[0] in self.fields else None, fault.message)


class CronForm(TriggerForm):
    kind = Trigger.Kind.CRON.value
    settings_fields = ("expression", "timezone", "missed")

    expression = forms.CharField(
        label="Schedule",
        max_length=200,
        initial="0 9 * * 1-5",
        widget=forms.TextInput(attrs={"class": "mono", "spellcheck": "false", "autocomplete": "off"}),
        help_text="Minute, hour, day of the month, month, day of the week. 0 9 * * 1-5 is nine o'clock from Monday to "
        "Friday, */15 * * * * each quarter of an hour.",
    )
    timezone = forms.ChoiceField(label="Time zone", initial=settings.TIME_ZONE)
    missed = forms.ChoiceField(
        label="If no engine was running at the time",
        choices=[
            ("once", "Start once, afterwards"),
            ("all", "Make up for each (50 at most)"),
            ("skip", "Leave it out"),
        ],
        initial="once",
        widget=forms.RadioSelect,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zones = sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc/", "posix")))
        field = self.fields["timezone"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  tells the type checker
        field.choices = [(zone, zone.replace("_", " ")) for zone in ("UTC", *zones)]
        self.fields["inputs"].help_text = "A JSON object. {{ due_at }} and {{ fired_at }} are the times."


class WebhookForm(TriggerForm):
    kind = Trigger.Kind.WEBHOOK.value
    settings_fields = ("scheme", "window_seconds", "per_minute")

    scheme = forms.ChoiceField(
        label="How calls are signed",
        choices=[
            ("ensemble", "X-Ensemble-Signature, over time and body (best)"),
            ("github", "X-Hub-Signature-256, over the body, as GitHub and others do"),
        ],
        initial="ensemble",
        widget=forms.RadioSelect,
    )
    secret = forms.CharField(
        required=False,
        min_length=16,
        max_length=200,
        label="Secret",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text="Leave it empty to have one made; it is shown once. It is stored encrypted.",
    )
    window_seconds = forms.IntegerField(
        min_value=30,
        max_value=3600,
        initial=300,
        label="Oldest call in seconds",
        help_text="By the timestamp that is signed along. Not with GitHub's way.",
    )
    per_minute = forms.IntegerField(min_value=1, max_value=6000, initial=60, label="Most calls a minute")

    def __init__(self, *args: Any, changing: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if changing:
            del self.fields["secret"]
        self.fields["inputs"].help_text = (
            "A JSON object. {{ body.order }} is a field of the JSON that was sent; {{ query.x }} and "
            "{{ headers['x-name'] }} are known too."
        )


class EventForm(TriggerForm):
    kind = Trigger.Kind.EVENT.value
    settings_fields = ("event", "key", "filter")

    event = forms.CharField(
        label="Event",
        max_length=120,
        widget=forms.TextInput(attrs={"class": "mono", "spellcheck": "false", "placeholder": "order.paid"}),
    )
    key = forms.CharField(required=False, max_length=200, help_text="Only events with this key; empty: any.")
    filter = forms.CharField(
        required=False,
        max_length=2000,
        widget=forms.TextInput(
            attrs={"class": "mono", "spellcheck": "false", "placeholder": "event.data.amount > 100"}
        ),
        help_text="An expression that must be true of the event.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["inputs"].help_text = "A JSON object. {{ event.data.order }} is a field of the event's data."


class SampleForm(forms.Form):
    """What the test button pretends has come. Cleaned: sample."""

    key = forms.CharField(required=False, max_length=200, label="Key of the event")
    sample = JsonField(
        required=False,
        or_text=False,
        widget=forms.Textarea(attrs={"rows": 5, "class": "mono", "data-json": True, "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, kind: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind
        if kind != Trigger.Kind.EVENT:
            del self.fields["key"]
        if kind == Trigger.Kind.CRON:
            del self.fields["sample"]
        else:
            event = kind == Trigger.Kind.EVENT
            self.fields["sample"].label = "Data of the event" if event else "Body of the call"
            self.fields["sample"].help_text = "As JSON."

    def names(self) -> dict[str, JSON]:
        """Of a valid form: what `services.triggers.rehearse` takes."""
        sample = self.cleaned_data.get("sample")
        if self.kind == Trigger.Kind.EVENT:
            return {"event": {"key": self.cleaned_data["key"], "data": {} if sample is None else sample}}
        return {"body": sample} if self.kind == Trigger.Kind.WEBHOOK else {}


FORMS: dict[str, type[TriggerForm]] = {"cron": CronForm, "webhook": WebhookForm, "event": EventForm}
