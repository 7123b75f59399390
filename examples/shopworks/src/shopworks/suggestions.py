"""Bundles to offer, and names that are nearly right."""

from __future__ import annotations

from itertools import combinations
from typing import Iterator, List, Tuple


def bundle_preview(skus: List[str]) -> List[Tuple[str, str]]:
    """The first twenty pairs of articles, for the bundle editor."""
    ordered = sorted(skus)
    return list(combinations(ordered, 2))[:20]


def newest_alerts(feed: Iterator[str]) -> List[str]:
    """The first three alerts. The feed is read to its end: that is what marks the others as seen."""
    return list(feed)[:3]


def edit_distance(one: str, other: str) -> int:
    """How many letters have to be changed, added or left out."""
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        diagonal, row[0] = row[0], i
        for j, candidate in enumerate(other, start=1):
            above = row[j]
            if letter == candidate:
                row[j] = diagonal
            else:
                row[j] = 1 + min(diagonal, above, row[j - 1])
            diagonal = above
    return row[-1]
