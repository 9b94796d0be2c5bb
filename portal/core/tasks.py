"""What the jobs cluster does for the core."""

import structlog
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.utils import timezone
from django_q.models import Schedule

from portal.core.models import SignIn
from portal.core.services import audit

log = structlog.get_logger(__name__)


def link_audit_entries() -> None:
    """Chain what a crash between commit and linking has left behind."""
    linked = audit.link_pending()
    if linked:
        log.info("audit entries linked late", count=linked)


def clear_sessions() -> None:
    """Remove sessions that have run out, and the rows that described them."""
    call_command("clearsessions")
    alive = Session.objects.filter(expire_date__gt=timezone.now()).values("session_key")
    SignIn.objects.exclude(session_key__in=alive).delete()


def ensure_schedules() -> None:
    """Idempotent; called after `migrate`."""
    for name, function, minutes in (
        ("Chain audit entries that were left behind", "link_audit_entries", 1),
        ("Clear sessions that have run out", "clear_sessions", 24 * 60),
    ):
        Schedule.objects.update_or_create(
            name=name,
            defaults={
                "func": f"portal.core.tasks.{function}",
                "schedule_type": Schedule.MINUTES,
                "minutes": minutes,
                "repeats": -1,
            },
        )
