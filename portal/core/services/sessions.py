"""Sessions a person can see and end: each sign-in keeps its device, address and last sign of life."""

from datetime import timedelta
from importlib import import_module

from django.conf import settings
from django.contrib.auth.signals import user_logged_out
from django.db import transaction
from django.http import HttpRequest

from portal.core import clock, live
from portal.core.actors import Actor
from portal.core.models import SignIn, User
from portal.core.services import audit

_SEEN_EVERY = timedelta(minutes=1)


def touch(request: HttpRequest) -> None:
    """Note that the request's session is alive. No query unless a minute has passed (kept in the session itself)."""
    session = getattr(request, "session", None)
    if session is None or not session.session_key or not request.user.is_authenticated:
        return
    now = clock.now()
    seen = session.get("seen")
    if seen is not None and now.timestamp() - float(seen) < _SEEN_EVERY.total_seconds():
        return
    session["seen"] = now.timestamp()
    session.save()
    SignIn.objects.update_or_create(
        session_key=session.session_key,
        defaults={
            "user": request.user,
            "seen_at": now,
            "address": getattr(request, "address", None),
            "user_agent": request.headers.get("User-Agent", "")[:300],
        },
        create_defaults={
            "user": request.user,
            "created_at": now,
            "seen_at": now,
            "address": getattr(request, "address", None),
            "user_agent": request.headers.get("User-Agent", "")[:300],
        },
    )


@transaction.atomic
def revoke(*, sign_in: SignIn, by: Actor) -> None:
    """End one session, its sockets included."""
    _store(sign_in.session_key).delete()
    sign_in.delete()
    audit.record(organisation=None, actor=by, verb="core.session.revoked", target=sign_in.user)
    live.publish(live.user_group(sign_in.user_id), {"type": "recheck"})


@transaction.atomic
def revoke_others(*, user: User, keep: str | None, by: Actor) -> int:
    """End all sessions of the user but `keep` (a session key); says how many."""
    others = SignIn.objects.filter(user=user).exclude(session_key=keep or "")
    count = 0
    for sign_in in others:
        _store(sign_in.session_key).delete()
        sign_in.delete()
        count += 1
    audit.record(organisation=None, actor=by, verb="core.session.others_revoked", target=user, data={"count": count})
    live.publish(live.user_group(user.pk), {"type": "recheck"})
    return count


def forget_signed_out(*, request: HttpRequest | None, user: User | None, **_: object) -> None:
    """Receiver of Django's `user_logged_out`: the row goes with the session, open sockets look again."""
    if request is not None and request.session.session_key:
        SignIn.objects.filter(session_key=request.session.session_key).delete()
    if user is not None:
        live.publish(live.user_group(user.pk), {"type": "recheck"})


def connect() -> None:
    user_logged_out.connect(forget_signed_out, dispatch_uid="core.sessions")


def _store(key: str):  # type: ignore[no-untyped-def]
    return import_module(settings.SESSION_ENGINE).SessionStore(key)
