"""The audit ledger of an organisation."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from portal.core import access, htmx, queries
from portal.core.forms import AuditFilterForm
from portal.core.htmx import HtmxRequest
from portal.core.permissions import Permission
from portal.core.services import ledger


@require_safe
@access.member(Permission.AUDIT_VIEW)
def entries(request: HtmxRequest, org: str) -> HttpResponse:
    """The list, filtered; a partial request gets the rows only."""
    form = AuditFilterForm(request.GET)
    form.is_valid()
    given = form.cleaned_data
    wanted = queries.AuditFilter(
        text=given.get("q", ""),
        area=given["area"] if given.get("area") in dict(queries.AUDIT_AREAS) else "",
        channel=given["channel"] if given.get("channel") in dict(queries.AUDIT_CHANNELS) else "",
        since=given.get("since"),
        before=given.get("before"),
    )
    return render(
        request,
        "core/_audit_rows.html" if htmx.is_partial(request) else "core/audit.html",
        {
            "page": queries.audit_page(request.organisation, wanted),
            "wanted": wanted,
            "areas": queries.AUDIT_AREAS,
            "channels": queries.AUDIT_CHANNELS,
        },
    )


@require_POST
@access.member(Permission.AUDIT_VIEW)
def verify(request: HtmxRequest, org: str) -> HttpResponse:
    """Recompute the organisation's chain and say what was found. POST, because it reads everything."""
    verdict = ledger.verify(request.organisation.pk)
    if verdict.fault is None:
        text = ngettext(
            "The ledger is sound: %(count)d entry checked.",
            "The ledger is sound: %(count)d entries checked.",
            verdict.length,
        )
        messages.success(request, text % {"count": verdict.length})
    else:
        messages.error(
            request,
            _("The ledger is broken at entry %(entry)d: %(reason)s.")
            % {"entry": verdict.fault.entry, "reason": verdict.fault.reason},
        )
    return htmx.redirect(request, reverse("audit:list", args=[request.organisation.slug]))
