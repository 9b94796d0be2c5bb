"""The addresses of webhooks. No session, no cookie: the signature says who calls (`services.webhooks`)."""

from __future__ import annotations

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from orchestration.models import TriggerFire
from orchestration.services import webhooks
from orchestration.services.firing import Outcome
from orchestration.services.webhooks import Call
from portal.core import reading
from portal.core.errors import UserError
from portal.core.problems import problem, user_error


@csrf_exempt  # nothing here believes a cookie
@require_POST
def receive(request: HttpRequest, org: str, path: str) -> HttpResponse:
    """202 and the run; 200 and the run there is for an Idempotency-Key that was used before."""
    if (reading.number(request.headers.get("Content-Length", "")) or 0) > webhooks.LARGEST_BYTES:
        return _too_large(request)
    body = request.body
    if len(body) > webhooks.LARGEST_BYTES:
        return _too_large(request)
    call = Call(
        organisation=org,
        path=path,
        headers=request.headers,
        query=request.GET.dict(),
        body=body,
        address=getattr(request, "address", None) or "",
    )
    try:
        fired, new = webhooks.receive(call)
        return _answer(request, org, fired, new)
    except UserError as error:
        return user_error(request, error)


def _answer(request: HttpRequest, org: str, fired: TriggerFire, new: bool) -> HttpResponse:
    """Raises CannotStart, TooManyCalls."""
    if fired.outcome == Outcome.SKIPPED:
        raise webhooks.TooManyCalls(fired.reason)
    if fired.outcome != Outcome.STARTED:
        raise webhooks.CannotStart(fired)
    status = HTTPStatus.ACCEPTED if new else HTTPStatus.OK
    body: dict[str, object] = {"fire": fired.pk, "run": None}
    if fired.run_id is not None:
        address = reverse("runs:detail", args=[org, fired.run_id])
        body |= {"run": str(fired.run_id), "url": request.build_absolute_uri(address)}
    return JsonResponse(body, status=status)


def _too_large(request: HttpRequest) -> HttpResponse:
    most = webhooks.LARGEST_BYTES // 1024
    return problem(request, 413, f"The body is larger than {most} KiB. Send where it is to be found.", "too_large")
