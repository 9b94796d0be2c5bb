from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def scripted() -> Iterator[None]:
    from tests.driver.scripted import registered

    with registered():
        yield


@pytest.fixture
def organisation(transactional_db: None) -> Any:
    from tests.factories import make_organisation

    return make_organisation()
