"""What is on the shelves, and which orders can go out today."""

from __future__ import annotations

from typing import List


def shippable(ordered: List[str], available: List[str]) -> List[str]:
    """The ordered articles that are on the shelves, in the order they were ordered."""
    ready = []
    for sku in ordered:
        if sku in available:
            ready.append(sku)
    return ready


def unique_in_order(skus: List[str]) -> List[str]:
    """Each article once, where it was first mentioned: pickers walk the aisles in this order."""
    seen: List[str] = []
    for sku in skus:
        if sku not in seen:
            seen.append(sku)
    return seen


def missing_parts(required: List[List[object]], parts: List[List[object]]) -> List[List[object]]:
    """The required ``[name, size]`` pairs that are not among ``parts``."""
    missing = []
    for pair in required:
        if pair not in parts:
            missing.append(pair)
    return missing


def reading_spread(readings: List[int]) -> float:
    """Variance of the day's shelf sensor readings, one a second and shelf."""
    mean = sum(readings) / len(readings)
    return sum([(reading - mean) ** 2 for reading in readings]) / len(readings)
