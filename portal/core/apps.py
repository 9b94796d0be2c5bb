from typing import Any

from django.apps import AppConfig
from django.contrib.admin.apps import SimpleAdminConfig
from django.db.models.signals import post_migrate


class CoreConfig(AppConfig):
    default = True
    name = "portal.core"
    label = "core"
    verbose_name = "Organisation and access"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from portal.core import (
            checks,  # noqa: F401  registers them
            queries,
            shell,
        )
        from portal.core.services import sessions

        sessions.connect()
        shell.register_count("notifications", queries.unread_notifications)
        post_migrate.connect(_after_migrate, sender=self)


def _after_migrate(**_: Any) -> None:
    from portal.core import tasks

    tasks.ensure_schedules()


class AdminConfig(SimpleAdminConfig):
    """Django's admin app on our own site, opened by the gate."""

    default_site = "portal.core.admin_site.PortalAdminSite"

    def ready(self) -> None:
        from django.contrib.admin import autodiscover

        super().ready()
        autodiscover()
        self._tidy()

    def _tidy(self) -> None:
        """Take out what libraries register: rights are roles here, not groups, and the queue holds pickled values."""
        from django.contrib import admin

        ours = {"core", "agents", "orchestration", "approvals", "axes"}
        for model, page in list(admin.site._registry.items()):
            if model._meta.app_label not in ours or not type(page).__module__.startswith(tuple(ours | {"portal"})):
                admin.site.unregister(model)
