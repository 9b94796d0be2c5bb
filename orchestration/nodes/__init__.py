"""Node types. Each app may bring its own in a `nodes` module or package; `discover` finds them all."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil

from django.apps import apps


def discover() -> None:
    """Import every installed app's `nodes`, a package with all its modules, so that the types in them register."""
    for config in apps.get_app_configs():
        name = f"{config.name}.nodes"
        if importlib.util.find_spec(name) is None:
            continue
        package = importlib.import_module(name)
        for module in pkgutil.iter_modules(getattr(package, "__path__", ())):
            importlib.import_module(f"{name}.{module.name}")
