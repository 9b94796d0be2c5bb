"""The admin site's side navigation and its first page."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext_lazy as _

from portal.core import access, clock, health
from portal.core.models import AuditEntry
from portal.core.permissions import Permission

# (group, [(model, icon of Material Symbols)]): the order of the side navigation. What is registered and not named here
# goes under "More", so that a new admin page is never lost.
GROUPS: list[tuple[Any, list[tuple[str, str]]]] = [
    (
        _("People and access"),
        [
            ("core.organisation", "apartment"),
            ("core.user", "person"),
            ("core.membership", "badge"),
            ("core.role", "shield_person"),
            ("core.apitoken", "key"),
            ("core.secret", "lock"),
            ("core.mail", "mail"),
            ("axes.accessattempt", "front_hand"),
        ],
    ),
    (
        _("Agents"),
        [("agents.agent", "smart_toy"), ("agents.agentversion", "history"), ("agents.modelprofile", "tune")],
    ),
    (
        _("Work"),
        [
            ("orchestration.workflow", "account_tree"),
            ("orchestration.workflowversion", "bookmarks"),
            ("orchestration.trigger", "bolt"),
            ("orchestration.busevent", "podcasts"),
            ("orchestration.run", "play_circle"),
            ("orchestration.noderun", "checklist"),
            ("approvals.approvalrequest", "inbox"),
            ("approvals.decision", "gavel"),
            ("orchestration.organisationlimits", "speed"),
            ("orchestration.enginehost", "dns"),
        ],
    ),
]

NAMES = {"postgresql": "PostgreSQL"}


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Groups of links to the admin pages this person may see."""
    pages = {model._meta.label_lower: page for model, page in admin.site._registry.items()}
    named = [label for _title, entries in GROUPS for label, _icon in entries]
    rest = [(label, "database") for label in sorted(pages) if label not in named]
    overview = {
        "title": "",
        "items": [
            {"title": _("Overview"), "icon": "dashboard", "link": reverse_lazy("admin:index")},
            {"title": _("Back to the portal"), "icon": "arrow_back", "link": reverse_lazy("home"), "active": False},
        ],
    }
    groups: list[dict[str, Any]] = [overview]
    for title, entries in [*GROUPS, (_("More"), rest)]:
        items = [
            _link(pages[label], icon) for label, icon in entries if label in pages and _visible(pages[label], request)
        ]
        if items:
            groups.append({"title": title, "separator": True, "items": items})
    return groups


def _visible(page: Any, request: HttpRequest) -> bool:
    return bool(page.has_module_permission(request) and page.has_view_permission(request))


def _link(page: Any, icon: str) -> dict[str, Any]:
    meta = page.model._meta
    return {
        "title": str(meta.verbose_name_plural).capitalize().replace("Api ", "API "),
        "icon": icon,
        "link": reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist"),
    }


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The first page: is everything up, how much of each thing there is, what was changed last. About ten queries."""
    organisations = access.organisations_of(request.user)
    entries = AuditEntry.objects.filter(at__gte=clock.now() - timedelta(days=30))
    if not request.user.is_superuser:
        may = [one for one in organisations if access.can(request.user, one, Permission.AUDIT_VIEW)]
        entries = entries.filter(organisation__in=may)
    return {
        **context,
        "health": [(item, NAMES.get(item.name, item.name.replace("_", " ").capitalize())) for item in health.report()],
        "groups": [
            {"title": group["title"], "tiles": [_tile(item, request) for item in group["items"]]}
            for group in navigation(request)[1:]
        ],
        "entries": list(entries.select_related("organisation")[:12]),
    }


def _tile(item: dict[str, Any], request: HttpRequest) -> dict[str, Any]:
    page = next(page for page in admin.site._registry.values() if _link(page, "")["link"] == item["link"])
    adding = page.has_add_permission(request)
    return {
        **item,
        "count": page.get_queryset(request).count(),
        "add": reverse(f"admin:{page.model._meta.app_label}_{page.model._meta.model_name}_add") if adding else "",
    }
