from django.apps import AppConfig


class OrchestrationConfig(AppConfig):
    name = "orchestration"
    label = "orchestration"
    verbose_name = "Workflows and runs"
    default_auto_field = "django.db.models.BigAutoField"
