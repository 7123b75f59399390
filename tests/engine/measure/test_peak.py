"""Peak memory: a few runs a side, real and traced."""

from __future__ import annotations

from engine.measure import Floor, raw, replay
from tests.engine.measure.bench import QUIET

LISTED = "def work(n):\n    return sum([i % 7 for i in range(n)])\n"
STREAMED = "def work(n):\n    return sum(i % 7 for i in range(n))\n"


def test_peak_memory_is_decided_by_three_runs_a_side_real_and_traced(bench):
    a, b = bench.arm("a", LISTED), bench.arm("b", STREAMED)
    workload = bench.calls([(600_000,)], metric="peak")
    found = bench.gauge.gate(a, b, workload, Floor(delta=0.9), budget_seconds=180)
    assert found.outcome == "keep", found.reason
    assert (found.unit, found.pairs, len(found.samples_before)) == ("bytes", 3, 3)
    assert found.ratio is not None
    assert found.ratio > 1.05
    record = raw.read(bench.root / "raw" / str(found.raw))
    assert set(record.peaks) == {"rss", "traced"}
    assert len(record.couples) == 20
    assert replay(bench.root / "raw" / str(found.raw)) == found


def test_no_memory_saved_is_a_discard_without_a_time_guard(bench):
    a, b = bench.arm("a", STREAMED), bench.arm("b", STREAMED + "\n# the same\n")
    found = bench.gauge.gate(a, b, bench.calls([(1000,)], metric="peak"), QUIET, budget_seconds=180)
    assert (found.outcome, found.reason) == ("discard", "within noise: less than 5% or 1 MiB saved")
    assert not raw.read(bench.root / "raw" / str(found.raw)).couples
