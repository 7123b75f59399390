"""What a speedup must not cost, and how a false one is told from a true one. Each check answers a reason or nothing.

The last four look at the measuring itself: code that is only fast because it is measured shows in what the sandbox saw
from outside, in the first pass, in the import, or in its answers.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from engine.measure import gate, stats
from engine.measure.model import Process
from engine.measure.record import Couple, Record, pairs_of

PEAK_FACTOR, PEAK_SLACK = 1.05, 1 << 20
OUTSIDE_SHARE, FIRST_SHARE, IMPORT_SHARE = 0.5, 0.25, 0.5
IMPORT_SLACK_NS = 1_000_000
FEWEST = 10


def failures(record: Record) -> list[str]:
    """Every reason why this must not be kept, in words; empty when the guard holds."""
    checks: tuple[Callable[[Record], str], ...] = (
        median_slower,
        wall_slower,
        tail_slower,
        more_memory,
        related_slower,
        not_seen_outside,
        only_when_warm,
        moved_to_import,
        answers_differ,
    )
    return [reason for reason in (check(record) for check in checks) if reason]


def time_failures(record: Record) -> list[str]:
    """The time guard of a memory measurement: CPU and wall of the same calls, and the related benchmark."""
    return [
        reason
        for reason in (check(record) for check in (median_slower, wall_slower, related_slower))
        if reason
    ]


def median_slower(record: Record) -> str:
    if gate.not_slower(record.pairs(), record.delta):
        return ""
    return f"the median is slower by more than the noise floor ({_ratio(record.pairs())})"


def wall_slower(record: Record) -> str:
    """Sleeping is not free: also on the CPU clock, wall time must not suffer."""
    pairs = record.pairs("wall")
    if record.clock == "wall" or gate.not_slower(pairs, max(record.delta, gate.WALL_SLACK)):
        return ""
    return f"it takes longer on the wall clock ({_ratio(pairs)})"


def tail_slower(record: Record) -> str:
    logs = [math.log(a.p95 / b.p95) for a, b in _both(record) if a.p95 and b.p95]
    if len(logs) < FEWEST or stats.hodges_lehmann(logs).estimate > -math.log1p(record.delta):
        return ""
    return "the slowest twentieth of the calls got slower"


def more_memory(record: Record) -> str:
    before, after = (_medians(record, side, "peak") for side in (0, 1))
    if before is None or after is None or after <= before * PEAK_FACTOR + PEAK_SLACK:
        return ""
    return f"peak memory grew from {before / 2**20:.1f} to {after / 2**20:.1f} MiB"


def related_slower(record: Record) -> str:
    if not record.related:
        return ""
    pairs = pairs_of(record.related, record.clock)
    if gate.related(pairs, record.delta) == "pass":
        return ""
    return f"{record.related_label or 'a related benchmark'} got slower ({_ratio(pairs)})"


def not_seen_outside(record: Record) -> str:
    """At least half of what the process says it saved must be missing from its whole time as the sandbox saw it.

    Work moved to a thread, a child, an exit handler or between the values, and a patched clock, all fail here.
    """
    side = 1 if record.clock == "wall" else 0
    seen = []
    for a, b in _both(record):
        if a.span and b.span and a.outside and b.outside:
            claimed, found = a.span[side] - b.span[side], a.outside[side] - b.outside[side]
            seen.append(found - OUTSIDE_SHARE * claimed)
    if len(seen) < FEWEST or stats.hodges_lehmann(seen).high >= 0:
        return ""
    return "most of the time it claims to save is spent elsewhere in the process"


def only_when_warm(record: Record) -> str:
    """The very first pass of a fresh process must gain too: else the gain is a cache of earlier passes."""
    side = 1 if record.clock == "wall" else 0
    seen = []
    for a, b in _both(record) if not record.keep_first else ():
        if a.first and b.first:
            warm = (a.score(record.clock).middle - b.score(record.clock).middle) / record.loops
            seen.append(a.first[side] - b.first[side] - FIRST_SHARE * warm)
    if len(seen) < FEWEST or stats.hodges_lehmann(seen).high >= 0:
        return ""
    return "the first pass gains nothing: what is saved comes from remembering earlier passes"


def moved_to_import(record: Record) -> str:
    """Importing the module must not cost more than a millisecond and half of what one pass saves."""
    both = [(a, b) for a, b in _both(record) if a.imported and b.imported]
    if len(both) < FEWEST:
        return ""
    growth = stats.hodges_lehmann([float((b.imported or 0) - (a.imported or 0)) for a, b in both])
    clock = record.clock
    saved = stats.median([(a.score(clock).middle - b.score(clock).middle) / record.loops for a, b in both])
    if growth.low <= 0 or growth.estimate <= max(IMPORT_SLACK_NS, IMPORT_SHARE * saved):
        return ""
    return f"the work moved to the import, which takes {growth.estimate / 1e6:.1f} ms longer"


def answers_differ(record: Record) -> str:
    """Where A answers alike in its first and last pass, B must give the same answers while it is measured."""
    told: Counter[bool] = Counter()
    for a, b in _both(record):
        if a.digests and b.digests and a.digests[0] == a.digests[1]:
            told[a.digests == b.digests] += 1
    if told[False] <= told[True]:
        return ""
    return "its results differ while it is being measured"


def _both(record: Record) -> Iterator[tuple[Process, Process]]:
    for couple in record.couples:
        yield couple.a, couple.b


def _medians(record: Record, side: int, name: str) -> float | None:
    found = [getattr(both[side], name) for both in _both(record)]
    known = [value for value in found if value is not None]
    return stats.median(known) if known else None


def _ratio(pairs: Sequence[gate.Pair]) -> str:
    return f"{math.exp(stats.hodges_lehmann(gate.differences(pairs)).estimate):.3f}×"


def related_answer(couples: tuple[Couple, ...], clock: str, delta: float) -> str:
    """``pass``, ``more`` or ``fail`` for the pairs of a related benchmark so far."""
    return gate.related(pairs_of(couples, clock), delta)
