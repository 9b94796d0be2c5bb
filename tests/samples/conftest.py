"""An organisation with the starter agents and the ready workflows, answered by the offline model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from agents.llm import router

    monkeypatch.setenv("MODEL_PROVIDERS", "offline")
    router.forget()
    yield
    router.forget()


@pytest.fixture
def cast(transactional_db: None) -> Any:
    """The people, in an organisation that has the catalogue and the samples."""
    from agents import catalogue
    from orchestration.services import samples
    from portal.core.actors import Actor
    from tests.cast import make_cast

    people = make_cast()
    catalogue.load(people.organisation, Actor.command())
    samples.load(people.organisation, Actor.command())
    return people
