import importlib
from typing import TYPE_CHECKING

from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

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
        _import_own_functions()


def _register_catalogue() -> None:
    """The functions of the starter agents, and their place in what a new organisation begins with."""
    from agents.catalogue import functions  # noqa: F401  importing registers them
    from portal.core.services import seeding

    seeding.register("agents", _load_catalogue, order=10)


def _import_own_functions() -> None:
    """The installation's functions for agents: modules named by AGENT_MODULES, which register them when imported."""
    for name in settings.AGENT_MODULES:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            raise ImproperlyConfigured(
                f"AGENT_MODULES names {name!r}, but {error}. Is it installed, or in a folder of PYTHONPATH?"
            ) from error


def _load_catalogue(organisation: "Organisation", demo: bool) -> None:
    """The agents are wanted with and without samples."""
    from agents import catalogue
    from portal.core.actors import Actor

    catalogue.load(organisation, Actor.command())
