"""The starter catalogue: ready agents, loaded by `manage.py load_catalogue` and into every new organisation."""

from agents.catalogue.loading import ENTRIES, Loaded, load

__all__ = ["ENTRIES", "Loaded", "load"]
