from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "portal.core"
    label = "core"
    verbose_name = "Organisation and access"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from portal.core.services import sessions

        sessions.connect()
