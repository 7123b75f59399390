"""From a record to a Measurement. The gate and a replay of its raw file both end here, so they cannot disagree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.measure import gate, guard, raw, stats
from engine.measure.record import Record
from engine.values import Measurement

NOISE = "within noise"
LEAST_SHARE, LEAST_BYTES = 0.05, 1 << 20
PEAK_ESTIMATOR = "least of 3 runs a side"


def judge(record: Record) -> Measurement:
    """What the record says, whole: outcome, reason, ratio with interval, witnesses, samples."""
    if record.failure is not None:
        arm, reason = record.failure
        which = "the version before the change" if arm == "A" else "the changed version"
        return replace(_base(record), outcome="crash", reason=f"{which} failed twice: {reason}")
    if record.needs is not None:
        return replace(_base(record), outcome="unclear", reason=f"needs {math.ceil(record.needs)} s")
    if record.metric == "peak":
        return _judge_peak(record)
    return _judge_compare(record) if record.purpose == "compare" else _judge_gate(record)


def replay(path: Path) -> Measurement:
    """Decide again from a raw file; the same Measurement as when it was made. ValueError for a damaged file."""
    return replace(judge(raw.read(path)), raw=path.name)


def walk(record: Record) -> gate.Outcome | None:
    """The last stage's outcome, stages walked in order as they were measured; None before the first is complete."""
    plan, pairs, outcome = gate.PLANS[record.metric], record.pairs(), None
    for size in plan.sizes:
        if len(pairs) < size:
            break
        outcome = gate.decide(pairs[:size], plan=plan, delta=record.delta)
        if outcome.verdict != "more":
            break
    return outcome


def _judge_gate(record: Record) -> Measurement:
    outcome = walk(record)
    if outcome is None:
        return replace(_base(record), outcome="unclear", reason="too few pairs were measured")
    shown = _numbers(replace(record, couples=record.couples[: outcome.pairs]))
    shown = replace(shown, p=outcome.p, witnesses=outcome.witnesses)
    if outcome.verdict == "keep":
        failed = guard.failures(record)
        return (
            replace(shown, outcome="discard", reason=_guarded(failed))
            if failed
            else replace(shown, outcome="keep")
        )
    if outcome.verdict == "discard":
        slower = shown.high is not None and shown.high < 1
        return replace(shown, outcome="discard", reason="slower" if slower else NOISE)
    return replace(shown, outcome="unclear", reason=NOISE)


def _judge_compare(record: Record) -> Measurement:
    """No rule is applied: the number is reported with what the rule would have seen."""
    if len(record.couples) < stats.BLOCKS:
        return replace(_base(record), outcome="unclear", reason="too few pairs were measured")
    bar, pairs, plan = math.log1p(record.delta), record.pairs(), gate.PLANS[record.metric]
    p, ranked = stats.signed_rank_p([d - bar for d in gate.differences(pairs)])
    first = plan.staged and min(gate.part_ratios(pairs, 4)) > bar
    second = ranked >= gate.FEWEST_RANKED and p < gate.WITNESS_P
    witnesses = tuple(number for number, seen in ((1, first), (2, second)) if seen)
    return replace(_numbers(record), outcome="measured", p=p, witnesses=witnesses)


def _judge_peak(record: Record) -> Measurement:
    """Keep iff real and traced peak both fall by 5% and 1 MiB, least of three runs, and time does not suffer."""
    runs = record.peaks.get("rss")
    if not runs or not all(runs):
        return replace(_base(record), outcome="unclear", reason="peak memory could not be read")
    shown = _peak_numbers(record, *runs)
    if record.purpose == "compare":
        return replace(shown, outcome="measured")
    traced = record.peaks.get("traced")
    if not all(_saves(*each) for each in (runs, traced) if each):
        return replace(shown, outcome="discard", reason=_peak_reason(shown))
    if len(record.couples) < gate.STAGE:
        return replace(shown, outcome="unclear", reason="too few pairs were measured for the time guard")
    failed = guard.time_failures(record)
    return (
        replace(shown, outcome="discard", reason=_guarded(failed))
        if failed
        else replace(shown, outcome="keep")
    )


def peaks_promise(record: Record) -> bool:
    """Whether the memory part alone would be kept, so that the time guard is worth measuring."""
    runs, traced = record.peaks.get("rss"), record.peaks.get("traced")
    return bool(runs) and all(_saves(*each) for each in (runs, traced) if each)


def _saves(before: Sequence[int], after: Sequence[int]) -> bool:
    saved = min(before) - min(after)
    return saved >= LEAST_BYTES and saved >= LEAST_SHARE * min(before)


def _peak_reason(shown: Measurement) -> str:
    more = shown.ratio is not None and shown.ratio < 1 / (1 + LEAST_SHARE)
    return "peak memory grew" if more else f"{NOISE}: less than 5% or 1 MiB saved"


def _peak_numbers(record: Record, before: Sequence[int], after: Sequence[int]) -> Measurement:
    return replace(
        _base(record),
        before=float(min(before)),
        after=float(min(after)),
        ratio=_round(min(before) / min(after)),
        low=_round(min(before) / max(after)),
        high=_round(max(before) / min(after)),
        pairs=len(before),
        floor=LEAST_SHARE,
        estimator=PEAK_ESTIMATOR,
        peak_before=float(min(before)),
        peak_after=float(min(after)),
        samples_before=tuple(map(float, before)),
        samples_after=tuple(map(float, after)),
    )


def _base(record: Record) -> Measurement:
    """What is known without a single value: names, floor, load."""
    return Measurement(
        metric=record.metric,
        unit="bytes" if record.metric == "peak" else "ns",
        outcome="unclear",
        level=record.level,
        floor=_round(record.delta),
        pairs=len(record.couples),
        label=_label(record),
        workload=record.workload,
        load=_load(record),
    )


def _label(record: Record) -> str:
    words = [record.label or record.workload]
    if record.used < record.recorded:
        words.append(f"{record.used} of {record.recorded} inputs fit the budget")
    if record.noisy:
        words.append("noisy machine")
    return ", ".join(words)


def _load(record: Record) -> float | None:
    loads = [p.load for couple in record.couples for p in (couple.a, couple.b) if p.load is not None]
    return round(stats.median(loads), 2) if loads else None


def _numbers(record: Record) -> Measurement:
    """Headline ratio, interval, samples of each process; on the whole record."""
    plan, clock = gate.PLANS[record.metric], record.clock
    head = gate.headline(record.pairs(), plan=plan, delta=record.delta, level=record.level)
    before = tuple(_digits(couple.a.per_unit(clock)) for couple in record.couples)
    after = tuple(_digits(couple.b.per_unit(clock)) for couple in record.couples)
    return replace(
        _base(record),
        before=_digits(stats.median(before)),
        after=_digits(stats.median(after)),
        ratio=_round(head.interval.estimate),
        low=_round(head.interval.low),
        high=_round(head.interval.high),
        estimator=_estimator(head),
        peak_before=_peak(record, 0),
        peak_after=_peak(record, 1),
        samples_before=before,
        samples_after=after,
    )


def _estimator(head: gate.Headline) -> str:
    """The smaller of two that disagree leads, and names the other."""
    if not head.apart:
        return head.estimator
    other = "median" if head.estimator == "fastest case" else "fastest case"
    return f"{head.estimator}; {other} {head.other.estimate:.3f}×"


def _peak(record: Record, side: int) -> float | None:
    values = [(couple.a, couple.b)[side].peak for couple in record.couples]
    known = [float(value) for value in values if value is not None]
    return stats.median(known) if known else None


def _guarded(failed: Sequence[str]) -> str:
    return "guard: " + "; ".join(failed)


def _round(value: float) -> float:
    return round(value, 5)


def _digits(value: float) -> float:
    """Six significant digits: more is not measured."""
    return float(f"{value:.6g}")
