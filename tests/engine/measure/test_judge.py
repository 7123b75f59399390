"""From stored pairs to a Measurement: every path of the decision, on records written by hand."""

from __future__ import annotations

import gzip
import json
import math
import random
from dataclasses import replace
from pathlib import Path

import pytest

from engine.measure import raw, replay
from engine.measure.judge import judge, walk
from engine.measure.model import Process
from engine.measure.record import Couple, Record, thinned


def process(arm: str, cost: float, coin: random.Random, **more) -> Process:
    values = [int(cost * math.exp(abs(coin.gauss(0, 0.01)))) for _ in range(15)]
    told = {"cpu": tuple(values), "wall": tuple(values), "peak": 30 << 20, "load": 0.5, **more}
    return Process(arm=arm, at=1.0, **told)


def couples(n: int, gain: float, seed: int = 1, spread: float = 0.01, **of_b) -> tuple[Couple, ...]:
    coin = random.Random(seed)
    made = []
    for _ in range(n):
        level = 1e6 * math.exp(abs(coin.gauss(0, spread)))
        a = process("A", level * gain, coin)
        made.append(Couple("AB", a, process("B", level, coin, **of_b)))
    return tuple(made)


def record(pairs: tuple[Couple, ...], metric: str = "cpu", **more) -> Record:
    told = {
        "purpose": "gate",
        "kind": "calls",
        "workload": "calls:x",
        "label": "micro on x",
        "delta": 0.02,
        **more,
    }
    return Record(metric=metric, couples=pairs, **told)


def test_a_keep_has_everything_a_page_draws():
    found = judge(record(couples(40, 1.2)))
    assert (found.outcome, found.reason, found.witnesses, found.pairs) == ("keep", "", (1, 2), 40)
    assert found.ratio == pytest.approx(1.2, rel=0.02)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.ratio < found.high
    assert len(found.samples_before) == len(found.samples_after) == 40
    assert (found.floor, found.load, found.level, found.unit) == (0.02, 0.5, 0.95, "ns")
    assert found.peak_before == found.peak_after == 30 << 20


def test_slower_code_is_named_slower_and_equal_code_noise():
    assert (judge(record(couples(20, 0.8))).outcome, judge(record(couples(20, 0.8))).reason) == (
        "discard",
        "slower",
    )
    assert judge(record(couples(20, 1.0))).reason == "within noise"


@pytest.mark.parametrize(
    ("of_b", "words"),
    [
        ({"wall": (2_000_000,) * 15}, "wall clock"),
        ({"peak": 40 << 20}, "peak memory grew from 30.0 to 40.0 MiB"),
    ],
)
def test_a_faster_version_that_costs_something_else_is_a_discard(of_b, words):
    found = judge(record(couples(40, 1.2, **of_b)))
    assert found.outcome == "discard"
    assert found.reason.startswith("guard: ")
    assert words in found.reason
    assert found.witnesses == (1, 2)


def test_a_slower_related_benchmark_is_a_discard():
    kept = record(couples(40, 1.2), related=couples(30, 0.8), related_label="the repo's benchmarks")
    assert judge(kept).reason.startswith("guard: the repo's benchmarks got slower")
    assert judge(replace(kept, related=couples(10, 1.0))).outcome == "keep"


def test_stages_are_walked_as_they_were_measured():
    """A discard after twenty pairs stays one, whatever follows it in the file."""
    pairs = (*couples(20, 1.0), *couples(20, 3.0))
    assert judge(record(pairs)).outcome == "discard"
    assert judge(record(pairs)).pairs == 20


def test_a_stage_that_was_not_measured_is_no_decision():
    found = walk(record(couples(20, 1.2)))
    assert found is not None
    assert found.verdict == "more"
    assert judge(record(couples(20, 1.2))).outcome == "unclear"
    assert judge(record(couples(10, 1.2))).reason == "too few pairs were measured"


def test_waiting_code_needs_eighty_pairs_and_guards_its_slowest_calls():
    slow_tail = tuple(
        replace(c, a=replace(c.a, p95=2_000_000), b=replace(c.b, p95=2_400_000)) for c in couples(80, 1.2)
    )
    assert judge(record(couples(80, 1.2), "wall")).witnesses == (2,)
    assert "slowest twentieth" in judge(record(slow_tail, "wall")).reason
    assert judge(record(couples(40, 1.2), "wall")).outcome == "unclear"


MIB = 1 << 20


@pytest.mark.parametrize(
    ("rss", "traced", "outcome"),
    [
        (((60 * MIB,) * 3, (50 * MIB,) * 3), ((30 * MIB,) * 3, (20 * MIB,) * 3), "keep"),
        (((60 * MIB,) * 3, (58 * MIB,) * 3), ((30 * MIB,) * 3, (20 * MIB,) * 3), "discard"),
        (((60 * MIB,) * 3, (50 * MIB,) * 3), ((30 * MIB,) * 3, (30 * MIB,) * 3), "discard"),
        (((6 * MIB,) * 3, (5 * MIB + 1,) * 3), ((3 * MIB,) * 3, (1 * MIB,) * 3), "discard"),
        (((60 * MIB, 50 * MIB, 60 * MIB), (49 * MIB,) * 3), ((30 * MIB,) * 3, (20 * MIB,) * 3), "discard"),
    ],
    ids=["both fall", "too little real", "not traced", "less than 1 MiB", "the least run counts"],
)
def test_peak_memory(rss, traced, outcome):
    found = judge(record(couples(20, 1.0), "peak", peaks={"rss": rss, "traced": traced}))
    assert found.outcome == outcome
    assert (found.unit, found.pairs) == ("bytes", 3)


def test_memory_saved_with_time_is_a_discard():
    peaks = {"rss": ((60 * MIB,) * 3, (50 * MIB,) * 3)}
    found = judge(record(couples(20, 0.5), "peak", peaks=peaks))
    assert (found.outcome, found.reason.startswith("guard: the median is slower")) == ("discard", True)
    assert judge(record((), "peak", peaks={})).ratio is None


def test_a_comparison_reports_and_decides_nothing():
    found = judge(record(couples(40, 1.0), purpose="compare", level=0.99))
    assert (found.outcome, found.level, found.witnesses) == ("measured", 0.99, ())
    assert found.low is not None
    assert found.low < 1.01


def test_what_could_not_be_measured_has_no_number():
    crash = judge(record(couples(20, 1.2), failure=("B", "it ended with exit code 1")))
    needs = judge(record((), needs=411.2))
    assert (crash.outcome, needs.outcome, needs.reason) == ("crash", "unclear", "needs 412 s")
    for found in (crash, needs):
        assert (found.ratio, found.before, found.after, found.p) == (None, None, None, None)


def test_the_label_is_honest_about_inputs_and_the_machine():
    found = judge(record(couples(20, 1.0), used=3, recorded=9, noisy=True))
    assert found.label == "micro on x, 3 of 9 inputs fit the budget, noisy machine"


def test_a_raw_file_gives_the_same_measurement(tmp_path: Path):
    for each in (record(couples(40, 1.2)), record(couples(20, 1.0)), record((), needs=3.0)):
        path = tmp_path / raw.write(each, tmp_path)
        assert replay(path) == replace(judge(each), raw=path.name)


def test_a_large_record_is_thinned_and_decides_alike(tmp_path: Path):
    coin = random.Random(5)

    def wide(each: Process) -> Process:
        cpu, wall = ([coin.randrange(10**9, 10**10) for _ in range(60)] for _ in range(2))
        return replace(each, cpu=tuple(cpu), wall=tuple(wall))

    many = tuple(Couple(c.order, wide(c.a), wide(c.b)) for c in couples(80, 1.0))
    large = record(many, purpose="compare", related=many)
    path = tmp_path / raw.write(large, tmp_path)
    assert path.stat().st_size <= raw.MOST_BYTES
    stored = raw.read(path)
    assert len(stored.couples[0].a.cpu) == 3
    assert judge(stored) == judge(large)
    assert thinned(stored) == stored


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"not gzip", "not a raw file"),
        (gzip.compress(b"[1, 2]"), "not one JSON object"),
        (gzip.compress(b"{"), "not a raw file"),
        (gzip.compress(json.dumps({"schema": 99}).encode()), "schema 99"),
        (gzip.compress(json.dumps({"schema": 1, "couples": [["AB", {}]]}).encode()), "cannot be read"),
        (gzip.compress(b" " * (20 << 20)), "not a raw file"),
    ],
)
def test_a_damaged_raw_file_ends_in_a_sentence(tmp_path: Path, content, words):
    path = tmp_path / "odd.json.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words):
        replay(path)
    with pytest.raises(ValueError, match="cannot be read"):
        replay(tmp_path / "missing.json.gz")
