"""What the jobs cluster does for the core."""

from datetime import timedelta
from uuid import UUID

import structlog
from django.contrib.sessions.models import Session
from django.core.management import call_command

from portal.core import clock, queue
from portal.core.models import Mail, Notification, SignIn
from portal.core.services import audit, mail

log = structlog.get_logger(__name__)

KEPT = timedelta(days=90)
UNREAD_KEPT = timedelta(days=365)


def link_audit_entries() -> None:
    """Chain what a crash between commit and linking has left behind."""
    linked = audit.link_pending()
    if linked:
        log.info("audit entries linked late", count=linked)


def clear_sessions() -> None:
    """Remove sessions that have run out, and the rows that described them."""
    call_command("clearsessions")
    alive = Session.objects.filter(expire_date__gt=clock.now()).values("session_key")
    SignIn.objects.exclude(session_key__in=alive).delete()


def send_mail(mail_id: str) -> str:
    """Queued in the commit that made the mail."""
    return mail.send(UUID(mail_id))


def send_due_mail() -> None:
    """What nobody was told of, what a server refused a while ago, what waited for a server."""
    sent = mail.send_due()
    if sent:
        log.info("mails sent late", count=sent)


def forget_read_notifications() -> None:
    """Read ones, and mails, are kept for ninety days; unread ones for a year: some people never look."""
    before = clock.now() - KEPT
    Notification.objects.filter(read_at__lt=before).delete()
    Notification.objects.filter(read_at=None, created_at__lt=clock.now() - UNREAD_KEPT).delete()
    Mail.objects.filter(created_at__lt=before).exclude(state__in=[Mail.State.PENDING, Mail.State.HELD]).delete()


def ensure_schedules() -> None:
    """Called after `migrate`."""
    queue.repeat("Chain audit entries that were left behind", "portal.core.tasks.link_audit_entries", minutes=1)
    queue.repeat("Clear sessions that have run out", "portal.core.tasks.clear_sessions", minutes=24 * 60)
    queue.repeat("Send mail that is due", "portal.core.tasks.send_due_mail", minutes=1)
    queue.repeat(
        "Forget notifications that were read long ago",
        "portal.core.tasks.forget_read_notifications",
        minutes=24 * 60,
    )
