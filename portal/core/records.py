"""Values that are made by the thousand a second."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def record(kind: type[T]) -> type[T]:
    """Class decorator: a dataclass with slots, made by naming its fields, that nobody changes.

    The type checker sees to that and the interpreter does not: a dataclass that is `frozen` takes three times as long
    to make, which counts where every step of every run makes several.
    """
    return dataclass(slots=True, kw_only=True)(kind)
