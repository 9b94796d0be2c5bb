from django.apps import AppConfig


class AgentsConfig(AppConfig):
    name = "agents"
    label = "agents"
    verbose_name = "Agents"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from agents.kinds import base

        base.discover()
        _register_catalogue()


def _register_catalogue() -> None:
    """The functions of the starter agents, and their place in what a new organisation begins with."""
    from agents.catalogue import functions, load  # noqa: F401  importing registers the functions
    from portal.core.actors import Actor
    from portal.core.services import seeding

    seeding.register("agents", lambda organisation, demo: load(organisation, Actor.command()) and None, order=10)
