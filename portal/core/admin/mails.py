"""Mails on their way out, to be looked at."""

from django.contrib import admin

from portal.core.admin_base import ReadOnlyAdmin
from portal.core.models import Mail
from portal.core.permissions import Permission


@admin.register(Mail)
class MailAdmin(ReadOnlyAdmin):
    """What was sent, what waits, and why. Without a mail server (EMAIL_URL) mails are held for three days."""

    view_permission = Permission.ORGANISATION_MANAGE
    list_display = ["subject", "address", "organisation", "state", "attempts", "error", "created_at", "sent_at"]
    list_filter = ["state", "organisation"]
    search_fields = ["subject", "address"]
    list_select_related = ["organisation"]
    fields = ["organisation", "address", "subject", "text", "state", "attempts", "error", "created_at", "sent_at"]
