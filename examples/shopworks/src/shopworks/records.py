"""Typed rows. The classes are filled from text by their own annotations."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Dict, Type, TypeVar, get_type_hints

R = TypeVar("R")


@dataclass(frozen=True)
class Payment:
    """What a customer has paid."""

    order: str
    amount: Decimal
    parts: int


def from_row(kind: Type[R], row: Dict[str, str]) -> R:
    """An object of ``kind`` from a row of text; each field is made by the type it is annotated with."""
    hints = get_type_hints(kind)
    return kind(**{name: hints[name](text) for name, text in row.items()})
