"""What people do with their notifications. Reading is nobody else's business, so it is in no ledger."""

from uuid import UUID

from portal.core import clock, live
from portal.core.models import Notification, Organisation, User


def mark_read(*, user: User, organisation: Organisation, ids: list[UUID] | None = None) -> int:
    """Those named, or all; says how many were unread. Other people's are left alone. One query."""
    unread = Notification.objects.filter(user=user, organisation=organisation, read_at=None)
    if ids is not None:
        unread = unread.filter(pk__in=ids)
    count = unread.update(read_at=clock.now())
    if count:
        live.publish(live.user_group(user.pk), {"type": "hint", "topic": "notifications"})
    return count
