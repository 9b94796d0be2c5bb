"""The people around an approval. Imports of the project wait until Django is set up."""

from typing import Any

import pytest


@pytest.fixture
def cast(transactional_db: None) -> Any:
    from tests.cast import make_cast

    return make_cast()
