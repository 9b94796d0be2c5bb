from typing import TYPE_CHECKING

from django.apps import AppConfig

if TYPE_CHECKING:
    from portal.core.models import Organisation


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
    from agents.catalogue import functions  # noqa: F401  importing registers them
    from portal.core.services import seeding

    seeding.register("agents", _load_catalogue, order=10)


def _load_catalogue(organisation: "Organisation", demo: bool) -> None:
    """The agents are wanted with and without samples."""
    from agents import catalogue
    from portal.core.actors import Actor

    catalogue.load(organisation, Actor.command())
