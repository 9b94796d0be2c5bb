"""The inbox and the decision page. A GET shows; only the POST of `decide` decides."""

from __future__ import annotations

from uuid import UUID

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from approvals import access, decision_page, queries
from approvals.models import ApprovalRequest
from approvals.services import decisions
from orchestration.access import run_for
from portal.core import htmx
from portal.core.access import member
from portal.core.actors import Actor
from portal.core.htmx import HtmxRequest
from portal.core.permissions import Permission

PAGE_SIZE = 50


@require_GET
@member(Permission.APPROVALS_VIEW)
def inbox_list(request: HtmxRequest, org: str) -> HttpResponse:
    """?view (mine, open, decided, withdrawn), q, workflow, page; a partial request gets the list only."""
    view = request.GET.get("view", "mine")
    chosen = queries.InboxFilter(
        view=view if view in queries.VIEWS else "mine",
        q=request.GET.get("q", "").strip(),
        workflow=request.GET.get("workflow", ""),
    )
    found = queries.inbox(request.user, request.organisation, chosen)
    context = {
        "page": Paginator(found, PAGE_SIZE).get_page(request.GET.get("page")),
        "chosen": chosen,
        "counts": queries.counts(request.user, request.organisation),
    }
    return render(request, "inbox/_list.html" if htmx.is_partial(request) else "inbox/list.html", context)


@require_GET
@member(Permission.APPROVALS_VIEW)
def detail(request: HtmxRequest, org: str, request_id: UUID) -> HttpResponse:
    asked = access.request_for(request.organisation, request_id)
    page = decision_page.build(request.user, asked)
    return render(request, "inbox/detail.html", {"asked": asked, "page": page})


@require_POST
@member(Permission.APPROVALS_VIEW)
def decide(request: HtmxRequest, org: str, request_id: UUID) -> HttpResponse:
    """Decide and go to the next one that waits, or back to the page with what is wrong and all that was typed."""
    asked = access.request_for(request.organisation, request_id)
    form = decision_page.form_for(asked, data=request.POST, files=request.FILES)
    if not form.is_valid():
        if asked.status != ApprovalRequest.Status.OPEN:  # what is missing matters no more
            form.add_error(None, decisions.AlreadyClosed(asked).message)
        return _again(request, asked, form, status=422)
    try:
        decision = decisions.decide(
            request=asked,
            user=request.user,
            actor=Actor.of(request),
            option=form.cleaned_data["option"],
            comment=form.cleaned_data["comment"],
            values=form.values,
            shown_digest=request.POST.get("shown", ""),
        )
    except decisions.InvalidDecision as error:
        form.add_error(None, error.message)
        return _again(request, asked, form, status=422)
    except (decisions.AlreadyClosed, decisions.Changed, decisions.NotAnApprover) as error:
        asked = access.request_for(request.organisation, request_id)
        form.add_error(None, error.message)
        return _again(request, asked, form, status=error.status)
    following = queries.next_after(request.user, asked)
    where = (
        reverse("inbox:detail", args=[org, following.pk])
        if following and "next" in request.POST
        else reverse("runs:detail", args=[org, asked.run_id])
    )
    goes_on = "" if asked.kind == ApprovalRequest.Kind.ESCALATION and decision.option == "fail" else " The run goes on."
    return htmx.say_and_go(request, where, f"“{decision.label}” is recorded.{goes_on}", "success")


@require_GET
@member(Permission.APPROVALS_VIEW)
def of_node(request: HtmxRequest, org: str, run_id: UUID, node: str) -> HttpResponse:
    """From a step of a run to its newest request; `?path=` names the iteration."""
    run = run_for(request.organisation, run_id)
    found = (
        ApprovalRequest.objects.filter(run=run, node=node, path=request.GET.get("path", ""))
        .order_by("-opened_at")
        .first()
    )
    if found is None:
        raise Http404("Nobody was asked at this step yet.")
    return redirect("inbox:detail", org, found.pk)


def _again(request: HtmxRequest, asked: ApprovalRequest, form: decision_page.AnyForm, *, status: int) -> HttpResponse:
    page = decision_page.build(request.user, asked, form=form)
    return render(request, "inbox/detail.html", {"asked": asked, "page": page}, status=status)
