"""The admin page of agents: list, form, actions."""

from contextlib import suppress
from typing import Any

from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils.safestring import SafeString
from unfold.decorators import display

from agents import services
from agents.admin.agent_form import AgentForm
from agents.kinds.base import agent_kinds
from agents.models import Agent, AgentVersion, Status
from agents.services import Published
from portal.core import reading
from portal.core.actors import Actor
from portal.core.admin.links import link, row_of
from portal.core.admin_base import OrganisationAdmin, ReadOnlyInline
from portal.core.errors import UserError
from portal.core.permissions import Permission

_BADGES = {
    Status.ACTIVE.label: "success",
    Status.BETA.label: "info",
    Status.DEPRECATED.label: "warning",
    Status.OFFLINE.label: "danger",
}
_STATE_HELP = "Deprecated agents go on working; offline ones are refused at once."
_VERSION_HELP = (
    "From here on the fields describe a version. Saving a change publishes the next one: workflows that follow the "
    "latest use it from their next run on, running ones keep theirs, and earlier versions stay as they were."
)
_LIMITS = [
    "timeout_seconds",
    "max_concurrency",
    "retry_max_attempts",
    "retry_backoff",
    "retry_initial_seconds",
    "cost_per_run_usd",
]
_VERSION_FIELDSETS: list[Any] = [
    (
        "What it does",
        {
            "fields": ["kind", "system", "user", "profile", "temperature", "max_tokens", "config"],
            "description": _VERSION_HELP,
        },
    ),
    ("Contract", {"fields": ["input_schema", "output_schema"], "description": "JSON Schema, draft 2020-12."}),
    ("Limits", {"fields": _LIMITS}),
    ("This version", {"fields": ["note", "confirm_breaking"]}),
]
_LLM_ONLY = ("system", "user", "profile", "temperature", "max_tokens")


class VersionInline(ReadOnlyInline):
    """What was published; never changed."""

    model = AgentVersion
    fields = ["number", "kind", "note", "published_at", "published_by"]
    readonly_fields = fields
    ordering = ["-number"]
    tab = True
    verbose_name_plural = "Published versions"

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        rows: models.QuerySet[Any] = super().get_queryset(request)
        return rows.select_related("published_by", "agent").defer("config", "input_schema", "output_schema")


@admin.register(Agent)
class AgentAdmin(OrganisationAdmin):
    class Media:
        css = {"all": ["css/pages/agents_admin.css"]}

    form = AgentForm
    view_permission = Permission.AGENTS_VIEW
    change_permission = Permission.AGENTS_MANAGE
    audit_noun = "agents.agent"
    list_display = ["titled", "organisation", "domain", "kind", "version", "status_shown", "updated_at", "pages"]
    list_filter = ["organisation", "status", "domain", "current__kind"]
    search_fields = ["name", "slug", "description"]
    ordering = ["name"]
    list_per_page = 50
    readonly_fields = ["pages", "version", "created_at", "updated_at"]
    inlines = [VersionInline]
    actions = ["activate", "set_beta", "deprecate", "take_offline"]
    # Only what the chosen kind uses is shown.
    conditional_fields = {**dict.fromkeys(_LLM_ONLY, "kind == 'llm'"), "config": "kind != 'llm'"}

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        state = ["status", "replaced_by", "version", "pages", "created_at", "updated_at"] if obj else ["status"]
        card = [
            ("Agent", {"fields": ["organisation", "name", "slug", "description", "domain"]}),
            ("Finding it", {"fields": ["skills", "input_types", "output_types", "tags"]}),
            ("State", {"fields": state, "description": _STATE_HELP}),
        ]
        # Whoever may only look is shown the row; what a version says is on the agent's page.
        return [*card, *_VERSION_FIELDSETS] if self.has_change_permission(request, obj) else card

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        rows = super().get_queryset(request).select_related("organisation", "current", "replaced_by")
        return rows.defer("search")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        fixed = list(super().get_readonly_fields(request, obj))
        return [*fixed, "organisation", "slug"] if obj else fixed

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, list[str]]:
        return {} if obj else {"slug": ["name"]}

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False  # runs and workflows name it; taking it offline is the way

    # -- saving ---------------------------------------------------------------------------------------------------

    def write(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        actor, card, draft = Actor.of(request, "admin"), form.card(), form.draft()
        data = form.cleaned_data
        if change:
            # `obj` carries the form's values already; the services compare with what is stored.
            stored = Agent.objects.get(pk=obj.pk)
            services.update_agent(agent=stored, card=card, actor=actor)
            services.set_status(agent=stored, status=data["status"], replaced_by=data["replaced_by"], actor=actor)
            published = services.publish_version(agent=stored, draft=draft, actor=actor, note=data["note"])
        else:
            published = services.create_agent(
                organisation=obj.organisation,
                slug=obj.slug,
                card=card,
                draft=draft,
                actor=actor,
                status=data["status"],
                note=data["note"],
            )
            obj.pk, obj._state.adding = published.version.agent_id, False
        self._tell(request, published)

    def _tell(self, request: HttpRequest, published: Published) -> None:
        if published.created:
            messages.success(request, f"Version {published.version.number} is published.")
        if published.breaking:
            told = "; ".join(str(change) for change in published.breaking)
            messages.warning(
                request,
                f"Its contract breaks what the version before promised: {told}. Check the workflows that use it.",
            )
        for sentence in published.advice:
            messages.warning(request, sentence)

    # -- actions --------------------------------------------------------------------------------------------------

    @admin.action(description="Set active")
    def activate(self, request: HttpRequest, queryset: models.QuerySet[Agent]) -> None:
        self._set_all(request, queryset, Status.ACTIVE)

    @admin.action(description="Set to beta")
    def set_beta(self, request: HttpRequest, queryset: models.QuerySet[Agent]) -> None:
        self._set_all(request, queryset, Status.BETA)

    @admin.action(description="Take offline")
    def take_offline(self, request: HttpRequest, queryset: models.QuerySet[Agent]) -> None:
        self._set_all(request, queryset, Status.OFFLINE)

    @admin.action(description="Deprecate, with a replacement…")
    def deprecate(self, request: HttpRequest, queryset: models.QuerySet[Agent]) -> HttpResponse | None:
        """Asks for the replacement on a page of its own, which posts the same action again."""
        chosen = list(queryset)
        organisations = {agent.organisation_id for agent in chosen}
        if len(organisations) > 1:
            messages.error(request, "Choose agents of one organisation: a replacement belongs to the same one.")
            return None
        offered = Agent.objects.filter(
            organisation_id__in=organisations, status__in=[Status.ACTIVE, Status.BETA]
        ).exclude(pk__in=[agent.pk for agent in chosen])
        if "replacement" in request.POST:
            replacement = offered.filter(pk=reading.number(request.POST["replacement"]) or 0).first()
            self._set_all(request, queryset, Status.DEPRECATED, replacement)
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": "Deprecate agents",
            "opts": self.model._meta,
            "chosen": chosen,
            "offered": offered.order_by("name"),
        }
        return render(request, "agents/admin_deprecate.html", context)

    def _set_all(
        self, request: HttpRequest, queryset: models.QuerySet[Agent], status: Status, replacement: Agent | None = None
    ) -> None:
        done = 0
        for agent in queryset:
            if not self.has_change_permission(request, agent):
                messages.error(request, f"{agent} is not yours to change.")
                continue
            try:
                services.set_status(
                    agent=agent, status=status, replaced_by=replacement, actor=Actor.of(request, "admin")
                )
                done += 1
            except UserError as error:
                messages.error(request, f"{agent}: {error.message}")
        if done:
            messages.success(request, f"{done} {'agent is' if done == 1 else 'agents are'} now {status.label.lower()}.")

    # -- columns --------------------------------------------------------------------------------------------------

    @display(description="Agent", ordering="name", header=True)
    def titled(self, obj: Agent) -> list[str]:
        return [obj.name, obj.slug]

    @display(description="Kind", ordering="current__kind")
    def kind(self, obj: Agent) -> str:
        kind = agent_kinds().get(obj.current.kind) if obj.current else None
        return str(kind.label) if kind else "–"

    @display(description="Version")
    def version(self, obj: Agent) -> str:
        return f"v{obj.current.number}" if obj.current else "not published yet"

    @display(description="Status", ordering="status", label=_BADGES)
    def status_shown(self, obj: Agent) -> str:
        return obj.get_status_display()

    @display(description="In the portal")
    def pages(self, obj: Agent) -> SafeString | str:
        if not obj.pk:
            return "after saving"
        address = [obj.organisation.slug, obj.slug]
        links = [
            link(reverse("agents:detail", args=address), "Page"),
            link(reverse("agents:versions", args=address), "Versions"),
        ]
        with suppress(NoReverseMatch):  # where nothing that runs agents is installed
            links.append(link(reverse("trials:agent", args=address), "Try it"))
        return row_of(links)

    def view_on_site(self, obj: Agent) -> str:
        return reverse("agents:detail", args=[obj.organisation.slug, obj.slug])
