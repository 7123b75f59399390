"""Numbers with units as people and agents write them: ``3.859ms±0.079ms``, ``12.5 MB``, ``36.7ms (median 27.9)``.

A quantity is kept in the base unit of its dimension: ``ns`` for time, ``bytes`` for memory, else the unit as written.
Two quantities compare only within one dimension; anything else is None, never 0.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

_TIME = {"ns": 1.0, "us": 1e3, "µs": 1e3, "μs": 1e3, "ms": 1e6, "s": 1e9, "sec": 1e9, "min": 60e9}
_MEMORY = {
    "b": 1.0,
    "byte": 1.0,
    "bytes": 1.0,
    "kb": 1e3,
    "mb": 1e6,
    "gb": 1e9,
    "kib": 2.0**10,
    "mib": 2.0**20,
    "gib": 2.0**30,
}
_QUANTITY = re.compile(
    r"^[~≈]?\s?([+-]?\d{1,18}(?:\.\d{0,18})?(?:[eE][+-]?\d{1,3})?)\s{0,2}([A-Za-zµμ%×]{0,8})"
)
_SCALES = (("s", 1e9), ("ms", 1e6), ("us", 1e3), ("ns", 1.0))
_SIZES = (("GiB", 2.0**30), ("MiB", 2.0**20), ("KiB", 2.0**10), ("B", 1.0))


@dataclass(frozen=True)
class Quantity:
    """``value`` in ``unit``, which is ``ns``, ``bytes`` or a word as written ("" for a bare number)."""

    value: float
    unit: str


def quantity(text: str, unit: str = "") -> Quantity | None:
    """The first number of ``text``; ``unit`` serves where the text has none. None when there is no number."""
    found = _QUANTITY.match(text.strip()[:80])
    if found is None:
        return None
    return in_base(float(found.group(1)), found.group(2) or unit)


def in_base(value: float, unit: str) -> Quantity | None:
    """``value`` of ``unit`` in the base unit of its dimension; None for what is not finite."""
    if not math.isfinite(value):
        return None
    word = unit.lower()
    if word in _TIME:
        return Quantity(value * _TIME[word], "ns")
    return Quantity(value * _MEMORY[word], "bytes") if word in _MEMORY else Quantity(value, word)


def ratio(before: Quantity | None, after: Quantity | None) -> float | None:
    """before / after, above 1 is better; None unless both are positive and of one dimension."""
    if before is None or after is None or before.unit != after.unit:
        return None
    return before.value / after.value if before.value > 0 and after.value > 0 else None


def improvement(before: Quantity | None, after: Quantity | None) -> float | None:
    """(before - after) / before as a fraction, above 0 is better; None as for :func:`ratio`."""
    if before is None or after is None or before.unit != after.unit or before.value <= 0:
        return None
    return (before.value - after.value) / before.value


def written(value: float | None, unit: str) -> str:
    """Six significant digits in a unit people read (``2.347ms``, ``8.1MiB``); "" for None."""
    known = in_base(value, unit) if value is not None else None
    if known is None:
        return ""
    scales = {"ns": _SCALES, "bytes": _SIZES}.get(known.unit, ((unit, 1.0),))
    word, size = next((each for each in scales if abs(known.value) >= each[1]), scales[-1])
    return f"{known.value / size:.6g}{word}"


def percent(share: float | None) -> str:
    """A signed percent with one decimal, ``+7.2%``; "" for None."""
    return f"{share * 100:+.1f}%" if share is not None else ""
