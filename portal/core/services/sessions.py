"""Sessions a person can see and end: each sign-in keeps its device, address and last sign of life."""

from datetime import timedelta
from importlib import import_module
from typing import Any

from axes.signals import user_locked_out
from django.conf import settings
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.http import HttpRequest

from portal.core import clock, live
from portal.core.actors import Actor
from portal.core.models import SignIn, User
from portal.core.services import audit

_SEEN_EVERY = timedelta(minutes=1)
# From the sign-in. Without any request a session ends after SESSION_COOKIE_AGE.
_LONGEST = timedelta(days=30)


def touch(request: HttpRequest) -> None:
    """Note that the request's session is alive. No query unless a minute has passed (kept in the session itself)."""
    session = getattr(request, "session", None)
    if session is None or not session.session_key or not request.user.is_authenticated:
        return
    now = clock.now()
    # The key is part of it: signing in and changing the password give the session a new one.
    key, seen = session.get("seen", ("", 0.0))
    if key == session.session_key and now.timestamp() - seen < _SEEN_EVERY.total_seconds():
        return
    session["seen"] = [session.session_key, now.timestamp()]
    if now.timestamp() - session.setdefault("began", now.timestamp()) > _LONGEST.total_seconds():
        session.flush()  # however busy it is; the next request finds the login
        return
    facts = {
        "user": request.user,
        "seen_at": now,
        "address": getattr(request, "address", None),
        "user_agent": request.headers.get("User-Agent", "")[:300],
    }
    _row, created = SignIn.objects.update_or_create(
        session_key=session.session_key, defaults=facts, create_defaults={**facts, "created_at": now}
    )
    if created:
        _forget_dead(request.user)


@transaction.atomic
def revoke(*, sign_in: SignIn, actor: Actor) -> None:
    """End one session, its sockets included."""
    _store(sign_in.session_key).delete()
    sign_in.delete()
    audit.record(organisation=None, actor=actor, verb="core.session.revoked", target=sign_in.user)
    live.publish(live.user_group(sign_in.user_id), {"type": "recheck"})


@transaction.atomic
def revoke_others(*, user: User, keep: str | None, actor: Actor) -> int:
    """End all sessions of the user but `keep` (a session key); says how many."""
    others = SignIn.objects.filter(user=user).exclude(session_key=keep or "")
    count = 0
    for sign_in in others:
        _store(sign_in.session_key).delete()
        sign_in.delete()
        count += 1
    audit.record(organisation=None, actor=actor, verb="core.session.others_revoked", target=user, data={"count": count})
    live.publish(live.user_group(user.pk), {"type": "recheck"})
    return count


def password_changed(*, request: HttpRequest) -> None:
    """End every other session: their password hash is stale already, but their sockets and rows would linger."""
    user = request.user
    assert isinstance(user, User)  # noqa: S101  only the signed-in change passwords; tells the type checker
    with transaction.atomic():
        audit.record(organisation=None, actor=Actor.of(request), verb="core.password.changed", target=user)
        revoke_others(user=user, keep=request.session.session_key, actor=Actor.of(request))


@transaction.atomic
def password_reset(*, user: User, actor: Actor) -> None:
    """Somebody else has set the user's password: all sessions end."""
    audit.record(organisation=None, actor=actor, verb="core.password.reset", target=user)
    revoke_others(user=user, keep=None, actor=actor)


def connect() -> None:
    """Hear Django's and axes' signals of signing in and out; called once, by the app's `ready`."""
    user_logged_in.connect(_signed_in, dispatch_uid="core.sessions")
    user_logged_out.connect(_signed_out, dispatch_uid="core.sessions")
    user_login_failed.connect(_refused, dispatch_uid="core.sessions")
    user_locked_out.connect(_locked, dispatch_uid="core.sessions")


def _signed_in(*, request: HttpRequest, user: User, **_: object) -> None:
    audit.record(organisation=None, actor=Actor.on(request, user), verb="core.session.began", target=user)


def _signed_out(*, request: HttpRequest | None, user: User | None, **_: object) -> None:
    """The row goes with the session; open sockets look again."""
    if request is not None and request.session.session_key:
        SignIn.objects.filter(session_key=request.session.session_key).delete()
    if user is not None and request is not None:
        audit.record(organisation=None, actor=Actor.on(request, user), verb="core.session.ended", target=user)
    if user is not None:
        live.publish(live.user_group(user.pk), {"type": "recheck"})


def _refused(*, request: HttpRequest | None, credentials: dict[str, Any], **_: object) -> None:
    """A wrong password. Attempts on a locked pair are axes' to count: the ledger must not be filled from outside."""
    if request is None or getattr(request, "axes_locked_out", False):
        return
    name = str(credentials.get("username", ""))[:150]
    audit.record(organisation=None, actor=Actor.on(request, None), verb="core.session.refused", target_label=name)


def _locked(*, request: HttpRequest, username: str, **_: object) -> None:
    audit.record(
        organisation=None, actor=Actor.on(request, None), verb="core.session.locked", target_label=str(username)[:150]
    )


def _forget_dead(user: User) -> None:
    """Rows of sessions that ended by themselves."""
    alive = Session.objects.filter(session_key=OuterRef("session_key"), expire_date__gt=clock.now())
    SignIn.objects.filter(user=user).exclude(Exists(alive)).delete()


def _store(key: str) -> SessionBase:
    store: SessionBase = import_module(settings.SESSION_ENGINE).SessionStore(key)
    return store
