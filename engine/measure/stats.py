"""Exact small-sample statistics in pure Python. Ratios are handled as natural logarithms throughout.

Sources: Wilcoxon (1945) and Hodges and Lehmann (1963) for the signed-rank test and its estimate, Benjamini and Hochberg
(1995) for many claims. Nothing here reads a clock or a random source other than the seed it is given.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

STUDENT_7 = {0.95: 2.3646, 0.99: 3.4995}
"""Two-sided quantiles of Student's t with 7 degrees of freedom: eight blocks."""
BLOCKS = 8
FIELD_BITS = 96
"""Room for one coefficient of the signed-rank polynomial: at most 2**n for n <= 90 pairs, with some to spare."""
MAX_PAIRS = 90


@dataclass(frozen=True)
class Interval:
    """An estimate with its limits, all on the same scale."""

    estimate: float
    low: float
    high: float

    def exp(self) -> Interval:
        return Interval(math.exp(self.estimate), math.exp(self.low), math.exp(self.high))


def median(values: Sequence[float]) -> float:
    """The middle value; ValueError for none."""
    if not values:
        raise ValueError("the median of no values is not known")
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def quantile(values: Sequence[float], q: float) -> float:
    """The q-quantile, 0..1, by linear interpolation between order statistics; ValueError for none."""
    if not values:
        raise ValueError("a quantile of no values is not known")
    ordered = sorted(values)
    place = q * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def doubled_midranks(values: Sequence[float]) -> list[int]:
    """Twice the mean rank of each value, from 2 for the smallest; whole numbers also when values tie."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for place in range(start, end + 1):
            ranks[order[place]] = start + end + 2
        start = end + 1
    return ranks


def signed_rank_p(differences: Sequence[float]) -> tuple[float, int]:
    """Exact one-sided Wilcoxon signed-rank test that the differences lie above 0: (p, how many were not zero).

    Ties get midranks and zeros are dropped. At most 90 differences (ValueError).
    """
    kept = [d for d in differences if d != 0.0]
    if len(kept) > MAX_PAIRS:
        raise ValueError(f"the exact signed-rank test takes at most {MAX_PAIRS} pairs, not {len(kept)}")
    if not kept:
        return 1.0, 0
    ranks = doubled_midranks([abs(d) for d in kept])
    below = sum(rank for rank, d in zip(ranks, kept, strict=True) if d < 0)
    return _at_most(tuple(sorted(ranks)), below), len(kept)


def _at_most(ranks: tuple[int, ...], limit: int) -> float:
    """P(sum of a random subset of the ranks <= limit), every subset alike."""
    tail = _polynomial(ranks) & ((1 << (FIELD_BITS * (limit + 1))) - 1)
    return float(_field_sum(tail) / (1 << len(ranks)))


@lru_cache(maxsize=64)
def _polynomial(ranks: tuple[int, ...]) -> int:
    """Product of (1 + x**rank): coefficient k, in field k of one long integer, counts the subsets of sum k."""
    product = 1
    for rank in ranks:
        product += product << (FIELD_BITS * rank)
    return product


def _field_sum(packed: int) -> int:
    """Sum of the fields: modulo 2**bits - 1, every field counts once. Exact while the sum stays below that."""
    return packed % ((1 << FIELD_BITS) - 1)


@lru_cache(maxsize=256)
def signed_rank_cut(n: int, alpha: float) -> int:
    """The largest c with P(T <= c) <= alpha under the exact signed-rank law of n untied pairs; -1 for none."""
    packed = _polynomial(tuple(range(1, n + 1)))
    mask, total, reached = (1 << FIELD_BITS) - 1, 2**n, 0
    for c in range(n * (n + 1) // 2 + 1):
        reached += packed & mask
        packed >>= FIELD_BITS
        if reached > alpha * total:
            return c - 1
    return n * (n + 1) // 2


def walsh_averages(values: Sequence[float]) -> list[float]:
    """All (v_i + v_j) / 2 with i <= j, sorted."""
    n = len(values)
    return sorted((values[i] + values[j]) / 2 for i in range(n) for j in range(i, n))


def hodges_lehmann(values: Sequence[float], level: float = 0.95) -> Interval:
    """Median of the Walsh averages with its exact interval; the interval is the whole range when n is too small."""
    averages = walsh_averages(values)
    cut = max(0, signed_rank_cut(len(values), (1 - level) / 2))
    return Interval(median(averages), averages[cut], averages[-1 - cut])


def block_interval(logs: Sequence[float], level: float = 0.95) -> Interval:
    """Mean of eight block log-ratios with Student's interval; ValueError for another count or level."""
    if len(logs) != BLOCKS or level not in STUDENT_7:
        raise ValueError(f"the block interval takes {BLOCKS} blocks and a level of 0.95 or 0.99")
    mean = math.fsum(logs) / BLOCKS
    spread = math.sqrt(math.fsum((x - mean) ** 2 for x in logs) / (BLOCKS - 1))
    reach = STUDENT_7[level] * spread / math.sqrt(BLOCKS)
    return Interval(mean, mean - reach, mean + reach)


def benjamini_hochberg(ps: Sequence[float], *, level: float = 0.05, m: int | None = None) -> list[bool]:
    """Which p-values stand among ``m`` tests in all (at least ``len(ps)``) at false discovery rate ``level``."""
    total = max(len(ps), m or 0)
    order = sorted(range(len(ps)), key=ps.__getitem__)
    last = -1
    for place, index in enumerate(order):
        if ps[index] <= level * (place + 1) / total:
            last = place
    kept = set(order[: last + 1])
    return [index in kept for index in range(len(ps))]


def combined(
    benchmarks: Sequence[Sequence[float]], *, seed: int, level: float = 0.95, rounds: int = 2000
) -> Interval:
    """Geometric mean over benchmarks, each given as its block log-ratios; interval by resampling blocks inside each.

    The result is on the log scale. Show it beside the worst benchmark, never alone.
    """
    coin = random.Random(seed)  # noqa: S311 - resampling, not secrets
    centre = _mean_of_means(benchmarks)
    draws = sorted(_mean_of_means([coin.choices(b, k=len(b)) for b in benchmarks]) for _ in range(rounds))
    tail = (1 - level) / 2
    return Interval(centre, quantile(draws, tail), quantile(draws, 1 - tail))


def _mean_of_means(benchmarks: Sequence[Sequence[float]]) -> float:
    return math.fsum(math.fsum(b) / len(b) for b in benchmarks) / len(benchmarks)
