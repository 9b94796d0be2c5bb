from typing import Any

import pytest


@pytest.fixture
def organisation(transactional_db: None) -> Any:
    from tests.factories import make_organisation

    return make_organisation()
