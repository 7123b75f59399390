"""Where each experiment stands on a chart: heights are what was measured, and nothing else moves a line."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

FAILED = ("tests", "differs", "static")
"""Discards that were never measured: they stand on the rail."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """One experiment. ``own`` is its ratio against the best before it, ``total`` the whole against the baseline.

    ``low``..``high`` is the interval of ``total`` when known, else of ``own``. ``elsewhere``: its own ratio is of
    another metric than the session's (memory in a session of time), so it says nothing about this chart's axis.
    """

    number: int
    status: str
    title: str
    url: str = ""
    own: float | None = None
    total: float | None = None
    low: float | None = None
    high: float | None = None
    reason_class: str = ""
    reverted: bool = False
    elsewhere: bool = False
    own_low: float | None = None
    own_high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A point with its place on the chart; ``low`` and ``high`` are on the same scale as ``y``."""

    point: Point
    y: float
    low: float | None
    high: float | None
    gain: float


def place(points: Iterable[Point]) -> tuple[list[Placed], list[tuple[int, float]]]:
    """Where each measured experiment stands, and the running best as (number, ratio) steps from (0, 1).

    A keep stands at its measured whole and moves the best only by that. A discard is never measured as a whole, so it
    stands at the best before it times its own ratio. A keep whose whole is unknown, and a discard of another metric,
    stand on the line without an interval: they claim nothing. What was not measured at all is not placed.
    """
    best, steps, placed = 1.0, [(0, 1.0)], []
    for point in points:
        spot = _spot(point, best)
        if spot is not None:
            placed.append(spot)
        if point.status == "keep" and not point.reverted and spot is not None and point.total is not None:
            best = spot.y
            steps.append((point.number, best))
    return placed, steps


def _spot(point: Point, best: float) -> Placed | None:
    if point.status not in ("keep", "discard") or point.reason_class in FAILED:
        return None
    if point.total is not None and point.total > 0:
        return Placed(point=point, y=point.total, low=point.low, high=point.high, gain=point.total / best)
    if point.own is None or point.own <= 0:
        return None
    if point.status == "keep" or point.elsewhere:
        return Placed(point=point, y=best, low=None, high=None, gain=1.0)
    low, high = (v * best if v is not None else None for v in (point.low, point.high))
    return Placed(point=point, y=point.own * best, low=low, high=high, gain=point.own)


def log2(value: float) -> float:
    return math.log2(max(value, 2**-6))


def ticks(low: float, high: float) -> list[float]:
    """Round ratios to label between two log2 heights, 1 among them: the narrower the finer, about nine at most."""
    span = high - low
    if span > 4:
        step = math.ceil(span / 8)
        chosen = [2.0**n for n in range(-10, 16) if n % step == 0]
    else:
        chosen = list(_FINE if span <= 0.6 else _QUARTERS if span <= 1.6 else _HALVES)
    return [t for t in chosen if low <= log2(t) <= high] or [1.0]


_FINE = (0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4, 1.5)
_QUARTERS = (0.5, 0.6, 0.7, 0.8, 1, 1.25, 1.5, 1.75, 2, 2.5, 3)
_HALVES = (0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12, 16)
