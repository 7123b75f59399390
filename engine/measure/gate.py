"""The keep rule: pure functions from what processes measured to an outcome. No clock, no chance, no files.

A pair is one process of A (best so far) and its neighbour of B (candidate), each as a :class:`Score`. ``decide`` is
asked after each stage and answers what it has seen so far: ``more`` pairs, ``keep`` (if the guard holds too),
``discard`` or ``unclear``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from engine.measure import stats

STAGE = 20
GO_ON_P = 0.10
WITNESS_P = 0.005
EXTENDED_P = 0.0025
FEWEST_RANKED = 20
WALL_SLACK = 0.10
LEAST_FLOOR = 0.02
NOISY_FLOOR = 0.10
FLOOR_PROCESSES = 40
WINDOW = 20


@dataclass(frozen=True)
class Score:
    """What one process says: the least and the middle of its values. Both above 0."""

    least: float
    middle: float


Pair = tuple[Score, Score]


@dataclass(frozen=True)
class Plan:
    """How one metric is decided. ``staged``: 20, 40, at most 80 pairs; else 80 pairs at once, second witness only."""

    clock: str
    staged: bool

    @property
    def sizes(self) -> tuple[int, ...]:
        return (STAGE, 2 * STAGE, 4 * STAGE) if self.staged else (4 * STAGE,)

    @property
    def floor_by_least(self) -> bool:
        return self.clock == "cpu"


PLANS = {
    "cpu": Plan("cpu", staged=True),
    "import": Plan("cpu", staged=True),
    "wall": Plan("wall", staged=False),
}


@dataclass(frozen=True)
class Outcome:
    """The answer after one stage. ``more`` is how many further pairs are wanted (0 unless verdict is ``more``)."""

    verdict: str
    pairs: int
    p: float
    ranked: int
    ratios: tuple[float, ...]
    witnesses: tuple[int, ...] = ()
    more: int = 0


def differences(pairs: Sequence[Pair]) -> list[float]:
    """Per pair the log-ratio of medians, above 0 when B is faster."""
    return [math.log(a.middle / b.middle) for a, b in pairs]


def part_ratios(pairs: Sequence[Pair], parts: int) -> tuple[float, ...]:
    """Log-ratio of the least values in each of ``parts`` consecutive parts (as equal as can be)."""
    n = len(pairs)
    cuts = [n * i // parts for i in range(parts + 1)]
    return tuple(_least_ratio(pairs[a:b]) for a, b in pairwise(cuts))


def _least_ratio(pairs: Sequence[Pair]) -> float:
    return math.log(min(a.least for a, _ in pairs) / min(b.least for _, b in pairs))


def decide(pairs: Sequence[Pair], *, plan: Plan, delta: float) -> Outcome:
    """The outcome after exactly as many pairs as one of the plan's stages has (ValueError for another number)."""
    n = len(pairs)
    if n not in plan.sizes:
        raise ValueError(f"the gate decides after {plan.sizes} pairs, not after {n}")
    if plan.staged and n == STAGE:
        return _first_stage(pairs, delta)
    return _later_stage(pairs, plan, delta)


def _first_stage(pairs: Sequence[Pair], delta: float) -> Outcome:
    bar = math.log1p(delta)
    halves = part_ratios(pairs, 2)
    p, ranked = stats.signed_rank_p(differences(pairs))
    if min(halves) > bar or p < GO_ON_P:
        return Outcome("more", len(pairs), p, ranked, halves, more=STAGE)
    return Outcome("discard", len(pairs), p, ranked, halves)


def _later_stage(pairs: Sequence[Pair], plan: Plan, delta: float) -> Outcome:
    n, bar = len(pairs), math.log1p(delta)
    quarters = part_ratios(pairs, 4)
    p, ranked = stats.signed_rank_p([d - bar for d in differences(pairs)])
    limit = EXTENDED_P if plan.staged and n > 2 * STAGE else WITNESS_P
    first = plan.staged and min(quarters) > bar
    second = ranked >= FEWEST_RANKED and p < limit
    witnesses = tuple(number for number, seen in ((1, first), (2, second)) if seen)
    if witnesses:
        return Outcome("keep", n, p, ranked, quarters, witnesses)
    if (
        plan.staged
        and n == 2 * STAGE
        and headline(pairs, plan=plan, delta=delta).interval.estimate > 1 + delta
    ):
        return Outcome("more", n, p, ranked, quarters, more=2 * STAGE)
    return Outcome("unclear", n, p, ranked, quarters)


@dataclass(frozen=True)
class Headline:
    """The ratio shown, with its interval, which estimator made it, and the other one beside it."""

    interval: stats.Interval
    estimator: str
    other: stats.Interval
    apart: bool


def headline(pairs: Sequence[Pair], *, plan: Plan, delta: float, level: float = 0.95) -> Headline:
    """On the CPU clock the fastest-case ratio, on wall the median ratio; if they disagree, the smaller leads."""
    fastest = stats.block_interval(part_ratios(pairs, stats.BLOCKS), level).exp()
    middle = stats.hodges_lehmann(differences(pairs), level).exp()
    first, second = ((fastest, "fastest case"), (middle, "median"))
    if plan.clock == "wall":
        first, second = second, first
    apart = abs(math.log(fastest.estimate / middle.estimate)) > math.log1p(delta)
    if apart and second[0].estimate < first[0].estimate:
        first, second = second, first
    return Headline(first[0], first[1], second[0], apart)


def not_slower(pairs: Sequence[Pair], slack: float) -> bool:
    """The guard's rule: the Hodges-Lehmann estimate of B is not slower than A by more than ``slack``."""
    return stats.hodges_lehmann(differences(pairs)).estimate > -math.log1p(slack)


def related(pairs: Sequence[Pair], delta: float) -> str:
    """A related benchmark, after 10 and maybe 30 pairs: ``pass``, ``more`` (20 further pairs) or ``fail``."""
    slower = stats.hodges_lehmann(differences(pairs)).estimate < -math.log1p(delta)
    p, _ = stats.signed_rank_p([-d for d in differences(pairs)])
    if not (slower and p < 0.05):
        return "pass"
    return "more" if len(pairs) < 30 else "fail"


def floor_of(scores: Sequence[Score], *, by_least: bool) -> float:
    """The noise floor delta of A against itself: 75% quantile over windows of 20 neighbours labelled ABBA."""
    if len(scores) < WINDOW:
        raise ValueError(f"a floor takes at least {WINDOW} processes, not {len(scores)}")
    windows = [_window(scores[i : i + WINDOW], by_least) for i in range(len(scores) - WINDOW + 1)]
    return max(LEAST_FLOOR, math.exp(stats.quantile(windows, 0.75)) - 1)


def _window(scores: Sequence[Score], by_least: bool) -> float:
    sides = [[s for i, s in enumerate(scores) if (i % 4 in (0, 3)) == first] for first in (True, False)]
    if by_least:
        a, b = (min(s.least for s in side) for side in sides)
    else:
        a, b = (stats.median([s.middle for s in side]) for side in sides)
    return abs(math.log(a / b))
