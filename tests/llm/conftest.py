"""No key and no local model from the developer's own environment, and one fake provider for the whole folder.

Models are imported within the fixtures: this file is read before Django is set up.
"""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.provider import Provider

if TYPE_CHECKING:
    from portal.core.models import Organisation

_VARIABLES = ("MODEL_API_BASE", "MODEL_API_KEY", "MODEL_NAME", "MODEL_PROVIDERS")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from agents.llm import requests, router
    from agents.llm.providers import PROVIDERS

    for provider in PROVIDERS:
        for name in (*provider.key_names, *provider.base_names):
            monkeypatch.delenv(name, raising=False)
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:1")  # nothing listens there
    router.forget()
    requests.no_format.clear()
    yield
    router.forget()


@pytest.fixture(scope="session", autouse=True)
def loaded() -> None:
    """The import takes seconds; no test should time it."""
    from agents.llm import library

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library.load()


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as running:
        yield running


@pytest.fixture
async def connections() -> AsyncIterator[None]:
    """Closes what the test's event loop has opened."""
    from agents.llm import library

    yield
    await library.close()


@pytest.fixture
def organisation(transactional_db: None) -> Organisation:
    from portal.core.models import Organisation

    return Organisation.objects.create(slug="llm", name="LLM")
