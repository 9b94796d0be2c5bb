"""Sending the mails that wait in their table. Called by the jobs cluster only.

A mail is claimed (state `sending`) in a commit of its own before the server is spoken to, so none is sent twice: what a
crash cuts off in between stays `unsure` and is not tried again. A server that refuses or is away is: after a minute,
then later and later, for a day. Without a mail server mails are `held`, said wherever mails are shown, and go out once
there is one.
"""

import smtplib
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import transaction
from django.db.models import Q

from portal.core import clock
from portal.core.models import Mail

log = structlog.get_logger(__name__)

MOST_ATTEMPTS = 12
LONGEST_PAUSE = timedelta(hours=4)
CUT_OFF_AFTER = timedelta(minutes=10)
HELD_FOR = timedelta(days=3)
AT_ONCE = 200

Hearer = Callable[[Mail], object]
_hearers: list[Hearer] = []


def on_end(hearer: Hearer) -> Hearer:
    """Decorator: called with each mail that is sent, failed or unsure for good, in the transaction that says so."""
    _hearers.append(hearer)
    return hearer


def is_configured() -> bool:
    return bool(settings.MAIL_CONFIGURED)


def send(mail_id: UUID) -> str:
    """Send one mail if it is due; says in which state it is now, or "" if it was not for us."""
    mail = _claim(mail_id)
    if mail is None:
        return ""
    try:
        _message(mail).send()
    except (OSError, smtplib.SMTPException, ValueError) as error:
        _failed(mail, error)
    else:
        mail.sent_at = clock.now()
        _end(mail, Mail.State.SENT)
    return mail.state


def send_due() -> int:
    """What is due and nobody was told of; what was cut off; what waited for a server. Says how many were sent."""
    now = clock.now()
    _end_all(Q(state=Mail.State.SENDING, due_at__lt=now - CUT_OFF_AFTER), Mail.State.UNSURE)
    held = Q(state=Mail.State.HELD) if is_configured() else Q(pk=None)
    too_old = held & Q(created_at__lt=now - HELD_FOR)
    _end_all(too_old, Mail.State.FAILED, "There was no mail server for three days.")
    due = Mail.objects.filter(Q(state=Mail.State.PENDING, due_at__lte=now) | held).order_by("due_at")
    return sum(send(mail_id) == Mail.State.SENT for mail_id in due.values_list("pk", flat=True)[:AT_ONCE])


@transaction.atomic
def _claim(mail_id: UUID) -> Mail | None:
    mail = Mail.objects.select_for_update(skip_locked=True).filter(pk=mail_id).first()
    if mail is None or mail.state not in (Mail.State.PENDING, Mail.State.HELD) or mail.due_at > clock.now():
        return None
    if not is_configured():
        if mail.state != Mail.State.HELD:
            log.warning("mail held: no mail server is configured (EMAIL_URL)", mail=str(mail.pk))
        mail.state = Mail.State.HELD
        mail.save(update_fields=["state"])
        return None
    mail.state, mail.attempts, mail.due_at = Mail.State.SENDING, mail.attempts + 1, clock.now()
    mail.save(update_fields=["state", "attempts", "due_at"])
    return mail


def _failed(mail: Mail, error: Exception) -> None:
    said = f"{type(error).__name__}: {error}"[:500]
    # ValueError: an address or a line that no mail can hold, found out before the server was spoken to
    if isinstance(error, smtplib.SMTPRecipientsRefused | ValueError) or mail.attempts >= MOST_ATTEMPTS:
        _end(mail, Mail.State.FAILED, said)
    else:
        mail.state, mail.error = Mail.State.PENDING, said
        mail.due_at = clock.now() + min(timedelta(minutes=2 ** (mail.attempts - 1)), LONGEST_PAUSE)
        mail.save(update_fields=["state", "error", "due_at"])
    log.warning("mail not sent", mail=str(mail.pk), state=mail.state, error=mail.error)


@transaction.atomic
def _end_all(which: Q, state: Mail.State, error: str = "") -> None:
    for mail in Mail.objects.select_for_update(skip_locked=True).filter(which)[:AT_ONCE]:
        _end(mail, state, error)


@transaction.atomic
def _end(mail: Mail, state: Mail.State, error: str = "") -> None:
    mail.state, mail.error = state, error
    mail.save(update_fields=["state", "error", "sent_at"])
    for hearer in _hearers:
        hearer(mail)


def _message(mail: Mail) -> EmailMessage:
    return EmailMessage(
        subject=" ".join(mail.subject.split()),
        body=mail.text,
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[mail.address],
        # the same over all attempts: a server that has it already may drop the second
        headers={"Message-ID": f"<{mail.pk}@ensemble>", "Auto-Submitted": "auto-generated"},
        connection=get_connection(timeout=30),
    )
