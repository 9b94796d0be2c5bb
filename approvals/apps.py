from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    name = "approvals"
    label = "approvals"
    verbose_name = "Approvals"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from approvals import queries
        from approvals.services import clearing
        from orchestration.retention import batches
        from portal.core import shell

        shell.register_count("inbox", queries.count_waiting_for)
        batches.when_deleting(clearing.forget)
