"""Errors of the store.

StoreError
├── LeaseLost        another host has the run, or it is in nobody's hands: stop, write nothing
├── TooNew           the run holds something that only a newer version of this code knows
└── StoreClosed      the writer has ended; what was handed in may or may not have been written
"""

from __future__ import annotations


class StoreError(Exception):
    pass


class LeaseLost(StoreError):
    pass


class TooNew(StoreError):
    """`what` it is, in words that complete "the run holds …"."""

    def __init__(self, what: str) -> None:
        super().__init__(f"The run holds {what}, which this version does not know.")
        self.what = what


class StoreClosed(StoreError):
    pass
