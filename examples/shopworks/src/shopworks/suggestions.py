"""Bundles to offer, and search over the product names."""

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


def closest_name(names: List[str], typed: str) -> str:
    """The product name that is nearest to what was typed; the first of equals."""
    best, best_distance = "", len(typed) + 100
    for name in names:
        distance = edit_distance(typed, name)
        if distance < best_distance:
            best, best_distance = name, distance
    return best


def rank_products(products: List[Tuple[str, int]], query: str) -> List[str]:
    """Names that hold every word of the query, best sellers first."""
    words = query.lower().split()
    hits = []
    for name, sold in products:
        lowered = name.lower()
        if all(word in lowered for word in words):
            hits.append((-sold, name))
    hits.sort()
    return [name for _, name in hits]
