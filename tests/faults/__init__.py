"""Faults with the real processes: `python -m tests.faults` (see `__main__.py`)."""
