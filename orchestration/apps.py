from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class OrchestrationConfig(AppConfig):
    name = "orchestration"
    label = "orchestration"
    verbose_name = "Workflows and runs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from agents import usage
        from orchestration import agent_usage, hosting, nodes, probes  # models: not before the apps are loaded
        from orchestration.services import mails, samples  # noqa: F401  mails: hears how they end
        from portal.core import health
        from portal.core.services import seeding

        nodes.discover()
        usage.register(agent_usage.NodeRunUsage())
        hosting.prepare()
        health.register("engine", probes.engine)
        seeding.register("workflows", samples.seed, order=20)
        post_migrate.connect(_after_migrate, sender=self)


def _after_migrate(**_: Any) -> None:
    from orchestration import tasks

    tasks.ensure_schedule()
