from django.apps import AppConfig
from django.contrib.admin.apps import SimpleAdminConfig


class CoreConfig(AppConfig):
    default = True
    name = "portal.core"
    label = "core"
    verbose_name = "Organisation and access"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from portal.core.services import sessions

        sessions.connect()


class AdminConfig(SimpleAdminConfig):
    """Django's admin app on our own site, opened by the gate."""

    default_site = "portal.core.admin_site.PortalAdminSite"

    def ready(self) -> None:
        super().ready()
        self.module.autodiscover()
