"""One's own account: password, sessions, API tokens."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth import views as auth
from django.contrib.auth.forms import PasswordChangeForm
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from portal.core import access, clock, context, htmx, queries
from portal.core.actors import Actor
from portal.core.errors import UserError
from portal.core.forms import TokenForm
from portal.core.htmx import HtmxRequest
from portal.core.services import sessions, tokens


class ChangePassword(auth.PasswordChangeView):
    """A new password ends every other session of the user."""

    success_url = reverse_lazy("password_change_done")

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        response = super().form_valid(form)  # gives this session a new key
        sessions.password_changed(request=self.request)
        return response


@require_safe
@access.signed_in
def security(request: HtmxRequest) -> HttpResponse:
    """The user's sessions."""
    return render(
        request,
        "core/security.html",
        {"sign_ins": list(queries.live_sign_ins(request.user)), "current_key": request.session.session_key},
    )


@require_POST
@access.signed_in
def revoke_session(request: HtmxRequest, sign_in_id: int) -> HttpResponse:
    sign_in = get_object_or_404(queries.live_sign_ins(request.user), pk=sign_in_id)
    sessions.revoke(sign_in=sign_in, actor=Actor.of(request))
    messages.success(request, _("The session has been ended."))
    return htmx.redirect(request, reverse("account:security"))


@require_POST
@access.signed_in
def revoke_other_sessions(request: HtmxRequest) -> HttpResponse:
    count = sessions.revoke_others(user=request.user, keep=request.session.session_key, actor=Actor.of(request))
    messages.success(
        request,
        ngettext("%(count)d other session has been ended.", "%(count)d other sessions have been ended.", count)
        % {"count": count},
    )
    return htmx.redirect(request, reverse("account:security"))


@access.signed_in
def token_list(request: HtmxRequest) -> HttpResponse:
    """GET: the user's tokens and the form for a new one. POST: makes it, and shows its text this once."""
    organisations = queries.token_organisations(request.user)
    form = TokenForm(
        request.POST or None, organisations=organisations, initial={"organisation": context.current(request)}
    )
    new = None
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            new = tokens.create_token(
                organisation=data["organisation"],
                user=request.user,
                name=data["name"],
                scopes=data["scopes"],
                expires_at=data["expires_at"],
                actor=Actor.of(request),
            )
            form = TokenForm(organisations=organisations)
        except UserError as error:
            form.add_error(None, error.message)
    now = clock.now()
    rows = [{"token": token, "state": token.state(now)} for token in queries.tokens_of(request.user)]
    return render(
        request,
        "core/tokens.html",
        {"rows": rows, "form": form, "new": new, "may_create": bool(organisations)},
        status=422 if form.errors else 200,
    )


@require_POST
@access.signed_in
def revoke_token(request: HtmxRequest, token_id: UUID) -> HttpResponse:
    token = get_object_or_404(queries.tokens_of(request.user), pk=token_id)
    tokens.revoke_token(token=token, actor=Actor.of(request))
    messages.success(request, _("The token “%(name)s” has been revoked.") % {"name": token.name})
    return htmx.redirect(request, reverse("account:tokens"))
