"""The form of an agent: its card, and the version it describes. Every fault is shown at its field."""

from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from agents.admin.fields import JsonTextField, WordsField, prompt_field
from agents.contracts import Fault
from agents.kinds.base import kind_choices
from agents.kinds.llm import LlmConfig
from agents.models import Agent, AgentVersion, Backoff, ModelProfile, default_retry
from agents.models.profiles import BUILT_IN_PROFILES
from agents.models.versions import LONGEST_TIMEOUT_SECONDS
from agents.services import AgentCard, VersionDraft, draft_faults
from agents.services.drafts import completed
from agents.services.registry import compare
from agents.services.relying import relying_on, words
from portal.core.admin_base import ScopedForm

LLM = "llm"
_LLM_FIELDS = tuple(LlmConfig.model_fields)


def _llm_help(name: str) -> str:
    return LlmConfig.model_fields[name].description or ""


class AgentForm(ScopedForm):
    """Fields of `Agent`, then those of its version: they show the current one, and changing them publishes the next."""

    skills = WordsField(help_text="What it can do, with commas between: contract review, risk.")
    input_types = WordsField(label="Takes", help_text="Kinds of things it works on: text, pdf, diff.")
    output_types = WordsField(label="Gives", help_text="Kinds of things it makes: report, decision, code.")
    tags = WordsField(help_text="Any other words to find it by.")

    kind = forms.ChoiceField(
        choices=kind_choices, initial=LLM, widget=UnfoldAdminSelectWidget, help_text="What does the work."
    )
    system = prompt_field(label="System prompt", rows=14, help_text=_llm_help("system"))
    user = prompt_field(label="User prompt", rows=6, help_text=_llm_help("user"))
    profile = forms.ChoiceField(
        label="Model profile", required=False, initial="auto", widget=UnfoldAdminSelectWidget,
        help_text="Which model answers; profiles are managed under Model profiles.",
    )  # fmt: skip
    temperature = forms.FloatField(
        required=False, min_value=0, max_value=2, help_text=_llm_help("temperature"), widget=UnfoldAdminTextInputWidget
    )
    max_tokens = forms.IntegerField(
        label="Longest answer",
        required=False,
        min_value=1,
        help_text=_llm_help("max_tokens"),
        widget=UnfoldAdminIntegerFieldWidget,
    )
    config = JsonTextField(
        label="Settings",
        rows=10,
        help_text='For an HTTP endpoint: {"method": "POST", "url": "https://…", "headers": {"Authorization": "Bearer '
        'secret:NAME"}, "body": "{{ input }}", "response": {"id": "$.data.id"}}. '
        'For a Python function: {"callable": "echo"}.',
    )
    input_schema = JsonTextField(
        label="Takes, as JSON Schema",
        help_text="The named values it needs: properties with type, title and description; “required” lists those it "
        "cannot do without. A Python function brings its own when this is empty.",
    )
    output_schema = JsonTextField(
        label="Gives, as JSON Schema",
        help_text="What it promises to answer. A language model with one text property named “text” writes freely; "
        "with others it is made to fill them in.",
    )
    timeout_seconds = forms.IntegerField(
        label="Answers within (seconds)", min_value=1, max_value=LONGEST_TIMEOUT_SECONDS, initial=120,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="A call that takes longer is given up and, where the policy allows, tried again.",
    )  # fmt: skip
    max_concurrency = forms.IntegerField(
        label="Calls at once", required=False, min_value=1, widget=UnfoldAdminIntegerFieldWidget,
        help_text="Over all workflows and hosts; further calls wait. Empty: no limit.",
    )  # fmt: skip
    retry_max_attempts = forms.IntegerField(
        label="Attempts", min_value=1, max_value=20, initial=3, widget=UnfoldAdminIntegerFieldWidget,
        help_text="Tries in all, for failures that another try may help.",
    )  # fmt: skip
    retry_backoff = forms.ChoiceField(
        label="Pause between attempts",
        choices=Backoff.choices,
        initial=Backoff.EXPONENTIAL,
        widget=UnfoldAdminSelectWidget,
    )
    retry_initial_seconds = forms.FloatField(
        label="First pause (seconds)", min_value=0, max_value=3600, initial=1, widget=UnfoldAdminTextInputWidget
    )
    cost_per_run_usd = forms.DecimalField(
        label="Stated cost of a run (USD)", required=False, min_value=0, max_digits=12, decimal_places=6,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text="Counted where the kind measures no cost itself, as a paid HTTP endpoint.",
    )  # fmt: skip
    confirm_breaking = forms.BooleanField(
        label="Publish although it breaks workflows", required=False, widget=UnfoldBooleanWidget,
        help_text="Asked for when less is taken, or something else given, than before, and published workflows follow "
        "the latest version.",
    )  # fmt: skip
    note = forms.CharField(
        label="What is new", required=False, max_length=300, widget=UnfoldAdminTextInputWidget,
        help_text="Stands beside the version that this saving publishes.",
    )  # fmt: skip

    class Meta:
        model = Agent
        fields = ["organisation", "slug", *AgentCard.__dataclass_fields__, "status", "replaced_by"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        version = self.instance.current if self.instance.pk else None
        if version is not None:
            self.initial.update(_shown(version))
        names = ModelProfile.objects.filter(organisation__in=self.organisations()).values_list("name", flat=True)
        known = dict.fromkeys([*BUILT_IN_PROFILES, *names.order_by("name")])
        if "profile" in self.fields:
            self.fields["profile"].choices = [(name, name) for name in known]  # type: ignore[attr-defined]
        if "replaced_by" in self.fields and self.instance.pk:
            field: Any = self.fields["replaced_by"]
            field.queryset = field.queryset.filter(organisation_id=self.instance.organisation_id).exclude(
                pk=self.instance.pk
            )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        organisation = cleaned.get("organisation") or (self.instance.organisation if self.instance.pk else None)
        if not self.errors and organisation is not None and "kind" in self.fields:
            for fault in draft_faults(organisation, completed(self.draft())):
                field, text = _place(fault, cleaned["kind"])
                self.add_error(field if field in self.fields else None, text)
        if not self.errors and self.instance.pk and "kind" in self.fields and not cleaned["confirm_breaking"]:
            self._ask_before_breaking()
        return cleaned

    def _ask_before_breaking(self) -> None:
        breaking = compare(self.instance.current, completed(self.draft()))
        if breaking and (relying := relying_on(self.instance)):
            self.add_error("confirm_breaking", words(breaking, relying))

    def card(self) -> AgentCard:
        return AgentCard(**{name: self.cleaned_data[name] for name in AgentCard.__dataclass_fields__})

    def draft(self) -> VersionDraft:
        """What the version's fields say. Call after the fields are clean."""
        data = self.cleaned_data
        config = data["config"]
        if data["kind"] == LLM:
            config = {name: data[name] for name in _LLM_FIELDS if data[name] not in (None, "")}
        retry = {name: data[f"retry_{name}"] for name in default_retry()}
        retry["initial_seconds"] = int(seconds) if (seconds := retry["initial_seconds"]).is_integer() else seconds
        same = ("kind", "input_schema", "output_schema", "max_concurrency", "timeout_seconds", "cost_per_run_usd")
        return VersionDraft(config=config, retry=retry, **{name: data[name] for name in same})


def _shown(version: AgentVersion) -> dict[str, Any]:
    """The initial values of the version's fields."""
    same = ("kind", "input_schema", "output_schema", "max_concurrency", "timeout_seconds", "cost_per_run_usd")
    values = {name: getattr(version, name) for name in same}
    values |= {f"retry_{name}": value for name, value in version.retry.items()}
    if version.kind == LLM:
        return values | {name: version.config.get(name) for name in _LLM_FIELDS}
    return values | {"config": version.config}


def _place(fault: Fault, kind: str) -> tuple[str, str]:
    """The field where a fault of the draft is shown, and its sentence with the rest of the path."""
    first, _, rest = fault.path.removeprefix("$.").partition(".")
    name, bracket, index = first.partition("[")
    rest = f"[{index}{'.' if rest else ''}{rest}" if bracket else rest
    if name == "config" and kind == LLM:
        name, _, rest = rest.partition(".")
    elif name == "retry":
        name, rest = f"retry_{rest}", ""
    text = fault.message[:1].upper() + fault.message[1:] + "."
    return name, f"{rest}: {text}" if rest else text
