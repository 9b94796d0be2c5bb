import pytest


@pytest.fixture(autouse=True)
def scripted(scripted_nodes: None) -> None:
    """Every test here has it."""
