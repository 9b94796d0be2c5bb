"""Errors of the store.

StoreError
├── LeaseLost        another host has the run, or it is in nobody's hands: stop, write nothing
└── StoreClosed      the writer has ended; what was handed in may or may not have been written
"""

from __future__ import annotations


class StoreError(Exception):
    pass


class LeaseLost(StoreError):
    pass


class StoreClosed(StoreError):
    pass
