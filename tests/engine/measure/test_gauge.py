"""The gauge with real processes: every kind of workload, and what its numbers rest on."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from engine.measure import Arm, Floor, Workload, replay
from engine.measure.runner import Draw
from tests.engine.measure.bench import CALLS, FAST, SLOW, Bench, compare, write_recordings, write_tree


def test_a_null_experiment_ends_after_twenty_pairs_and_replays_equally(bench):
    a, b = bench.arm("a", SLOW), bench.arm("b", SLOW + "\n# the same\n")
    rounds: list[tuple[int, int]] = []
    found = bench.gauge.gate(
        a,
        b,
        bench.calls(CALLS),
        Floor(delta=0.5),
        budget_seconds=180,
        on_round=lambda *each: rounds.append(each),
    )
    assert (found.outcome, found.reason, found.pairs) in (
        ("discard", "within noise", 20),
        ("unclear", "within noise", 40),
    )
    assert rounds[:10] == [(n, 10) for n in range(1, 11)]
    path = bench.root / "raw" / str(found.raw)
    assert replay(path) == found
    assert path.stat().st_size <= 64 * 1024
    assert len(found.samples_before) == len(found.samples_after) == found.pairs
    assert (found.metric, found.unit, found.estimator.split(";")[0]) in (
        ("cpu", "ns", "fastest case"),
        ("cpu", "ns", "median"),
    )
    assert found.floor == 0.5
    assert found.label == "micro on work"


def test_the_raw_file_holds_what_is_needed_to_doubt_it(bench):
    _, record = compare(bench, bench.arm("a", SLOW), bench.arm("b", FAST), bench.calls(CALLS))
    assert record.commits == ("a", "b")
    assert (record.used, record.recorded, record.per_pass) == (4, 4, 4)
    assert len(record.inputs) == 32
    assert {"cpu", "cores", "kernel", "python", "lock", "isolation", "boot"} <= set(record.fingerprint)
    quads = [couple.order for couple in record.couples]
    assert all({first, second} == {"AB", "BA"} for first, second in zip(quads[::2], quads[1::2], strict=True))
    seeds = [(c.a.hash_seed, c.a.padding) for c in record.couples]
    assert seeds == [(c.b.hash_seed, c.b.padding) for c in record.couples]
    assert len(set(seeds)) == len(seeds)
    starts = [p.at for c in record.couples for p in (c.a, c.b)]
    assert len(set(starts)) == len(starts)
    one = record.couples[0].a
    assert len(one.cpu) == len(one.wall) == record.values
    assert None not in (one.first, one.span, one.outside, one.peak, one.load, one.switches, one.imported)


def test_replay_on_the_command_line_prints_the_decision_and_refuses_a_changed_file(bench):
    found, _ = compare(bench, bench.arm("a", SLOW), bench.arm("b", FAST), bench.calls(CALLS))
    path = bench.root / "raw" / str(found.raw)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "engine.measure.replay", *words]
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    told = json.loads(run(str(path)).stdout)
    assert (told["outcome"], told["ratio"], told["raw"]) == ("measured", found.ratio, found.raw)
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    changed = run(str(path))
    assert changed.returncode == 1
    assert "no longer matches" in changed.stderr
    assert run().returncode == 2


def test_a_floor_is_forty_processes_of_the_same_code(bench):
    floor = bench.gauge.floor(bench.arm("a", SLOW), bench.calls([(400,), (800,)]))
    assert len(floor.processes) == 40
    assert floor.delta >= 0.02
    assert floor.value is not None
    assert min(floor.processes) <= floor.value <= max(floor.processes)
    assert floor.failure == ""
    assert floor.seconds
    assert floor.loop


def test_a_reading_is_a_number_to_show_and_leaves_no_floor_to_decide_by(bench):
    arm, workload = bench.arm("a", SLOW), bench.calls([(400,), (800,)])
    reading = bench.gauge.reading(arm, workload)
    assert reading.value is not None
    assert reading.failure == ""
    assert bench.gauge.newest_floor(workload) is None
    floor = bench.gauge.floor(arm, workload)
    assert bench.gauge.newest_floor(workload) == floor
    assert floor.value is not None
    assert 0.2 < reading.value / floor.value < 5
    broken = bench.gauge.reading(bench.arm("c", "def work(:"), replace(workload, id="broken"))
    assert broken.value is None
    assert broken.failure


def test_the_prescreen_sees_a_clear_gain_in_one_process_a_side(bench):
    a, b, workload = bench.arm("a", SLOW), bench.arm("b", FAST), bench.calls([(4000,), (8000,)])
    found = bench.gauge.prescreen(a, b, workload)
    assert found is not None
    assert found[1] >= found[0] > 1.3
    assert bench.gauge.prescreen(a, bench.arm("c", "def work(:"), workload) is None


METHODS = """
import functools


class Shelf:
    factor = 3

    def __init__(self, items):
        self.items, self.log = items, []

    def total(self, n):
        self.log.append(n)
        return sum(i * n for i in self.items)

    @classmethod
    def scaled(cls, n):
        return sum(range(n)) * cls.factor

    @staticmethod
    def plain(n):
        return sum(range(n))

    @property
    def size(self):
        return sum(1 for _ in self.items)


def decorate(function):
    @functools.wraps(function)
    def inner(*args):
        return function(*args)

    return inner


@decorate
def decorated(n):
    return sum(range(n))


def lazily(n):
    for i in range(n):
        yield i * i


def sorts(values):
    values.sort()
    return values[0]


def raises(n):
    raise ValueError(n)


async def slowly(n):
    return sum(range(n))


async def streamed(n):
    for i in range(n):
        yield i
"""


@pytest.mark.parametrize(
    "qualname",
    [
        "Shelf.total",
        "Shelf.scaled",
        "Shelf.plain",
        "Shelf.size",
        "decorated",
        "lazily",
        "sorts",
        "raises",
        "slowly",
        "streamed",
    ],
)
def test_every_kind_of_callable_is_replayed(bench, qualname, monkeypatch):
    a = bench.arm("a", METHODS)
    monkeypatch.syspath_prepend(str(a.tree))
    for name in ("shop", "shop.work"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    from shop import work

    shelf = work.Shelf(list(range(500)))
    arguments = {"Shelf.total": (shelf, 2), "Shelf.size": (shelf,), "Shelf.scaled": (work.Shelf, 500)}
    arguments["sorts"] = ([3, 1, 2] * 100,)
    workload = bench.calls([arguments.get(qualname, (500,))], qualname=qualname)
    for name in ("shop", "shop.work"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    tuning = bench.gauge._desk.ready(a, workload)
    assert tuning.used == 1
    told = dict(tuning.more)
    assert told["fresh"] == ([0] if qualname in ("Shelf.total", "sorts") else [])
    assert told["lazy"] is (qualname in ("lazily", "streamed"))
    assert tuning.stateful is False
    runner = bench.gauge._desk.runner
    assert runner.survey(replace(a, commit="b"), workload, tuning).told() == tuning.told()
    one = runner.process(a, "A", workload, tuning, Draw(1, 2))
    assert one.digests is not None
    assert one.digests[0] == one.digests[1]


def test_frequent_calls_count_more(bench):
    target = bench.calls([(100,), (200,)])
    write_recordings(bench.root / "recordings", [(100,), (200,)], counts=[30, 1])
    tuning = bench.gauge._desk.ready(bench.arm("a", SLOW), target)
    assert tuning.more["plan"] == [[0, 30], [1, 1]]
    assert tuning.per_pass == 31


WAITING = """
import asyncio


async def work(n):
    for _ in range(n):
        await asyncio.sleep(0.002)
"""
TOGETHER = """
import asyncio


async def work(n):
    await asyncio.gather(*[asyncio.sleep(0.002) for _ in range(n)])
"""


def test_waiting_code_is_measured_on_the_wall_in_one_loop(bench):
    workload = bench.calls([(3,), (5,)], metric="wall", kind="coroutine")
    found, record = compare(bench, bench.arm("a", WAITING), bench.arm("b", TOGETHER), workload)
    assert found.metric == "wall"
    assert found.ratio is not None
    assert found.ratio > 2
    assert "median" in found.estimator, "the fastest leads only where the two disagree, and names the median"
    assert record.couples[0].a.p95 is not None


def test_waiting_code_that_blocks_the_loop_is_slow_for_the_others(bench):
    """Four calls at once: what blocks makes the others wait, what awaits does not."""
    blocking = "import time\n\n\nasync def work(n):\n    time.sleep(0.002)\n"
    awaiting = "import asyncio\n\n\nasync def work(n):\n    await asyncio.sleep(0.002)\n"
    workload = bench.calls([(1,)], metric="wall", kind="coroutine")
    found, _ = compare(bench, bench.arm("a", blocking), bench.arm("b", awaiting), workload)
    assert found.ratio is not None
    assert found.ratio > 1.5


def test_import_time_is_measured_in_fresh_processes(bench):
    heavy = "import decimal, email.message, http.client, xml.dom.minidom\n"
    workload = Workload(
        kind="import", id="import:shop.work", target="", recordings=None, module="shop.work", metric="import"
    )
    found, record = compare(bench, bench.arm("a", heavy), bench.arm("b", "import decimal\n"), workload)
    assert found.ratio is not None
    assert found.ratio > 1.5
    assert record.values == 1
    assert found.before is not None
    assert found.before > 1e6


TESTS = """
import time
import pytest
from shop.work import work


@pytest.fixture
def costly():
    end = time.process_time() + 0.01
    while time.process_time() < end:
        pass


@pytest.mark.parametrize("n", [20_000, 30_000])
def test_one(n, costly):
    assert work(n) > 0


def test_skipped():
    pytest.skip("not today")


def test_already_broken():
    assert not work(10_000)
"""


def write_tests(arm: Arm, text: str = TESTS, name: str = "tests/test_work.py") -> None:
    write_tree(arm.tree, {name: text})


def test_tests_are_timed_in_their_bodies_only(bench):
    a, b = bench.arm("a", SLOW), bench.arm("b", FAST)
    for arm in (a, b):
        write_tests(arm)
    workload = Workload(
        kind="tests",
        id="tests",
        target="",
        recordings=None,
        args=("tests/test_work.py",),
        metric="cpu",
        label="the tests",
    )
    found, record = compare(bench, a, b, workload)
    assert (record.used, record.recorded) == (2, 2)
    assert found.ratio is not None
    assert found.ratio > 1.5
    assert found.before is not None
    assert found.before < 10e6


def test_a_test_that_breaks_on_the_changed_code_is_a_crash_of_the_measurement(bench):
    a, b = bench.arm("a", SLOW), bench.arm("b", "def work(n):\n    return 0\n")
    for arm in (a, b):
        write_tests(arm)
    workload = Workload(
        kind="tests",
        id="tests",
        target="",
        recordings=None,
        args=("tests/test_work.py::test_one",),
        metric="cpu",
    )
    found, _ = compare(bench, a, b, workload)
    assert found.outcome == "crash"
    assert "tests fail" in found.reason
    assert found.ratio is None


def test_benchmarks_that_are_no_tests_run_too(bench, prepared):
    a, b = bench.arm("a", SLOW), bench.arm("b", FAST)
    plain = "from shop.work import work\n\n\ndef bench_plain():\n    work(20_000)\n"
    suite = "from shop.work import work\n\n\ndef test_suite(benchmark):\n    assert benchmark(work, 20_000)\n"
    for arm in (a, b):
        write_tree(arm.tree, {"benchmarks/plain.py": plain, "benchmarks/bench_suite.py": suite})
    other = Bench(bench.root / "own", bench.sandbox, replace(prepared, benchmarks=("benchmarks",)))
    workload = Workload(
        kind="tests", id="benchmarks", target="", recordings=None, args=("benchmarks",), metric="cpu"
    )
    found, record = compare(other, a, b, workload)
    assert (found.reason, record.recorded) == ("", 2)
    assert found.ratio is not None
    assert found.ratio > 1.5


def test_a_command_is_timed_as_a_whole(bench):
    a, b = bench.arm("a", SLOW), bench.arm("b", FAST)
    workload = Workload(
        kind="command",
        id="command",
        target="",
        recordings=None,
        args=("-c", "from shop.work import work; work(400_000)"),
        metric="cpu",
    )
    found, _ = compare(bench, a, b, workload)
    assert found.ratio is not None
    assert found.ratio > 1.2
    wrong = replace(workload, id="wrong", args=("-c", "raise SystemExit(3)"))
    failed, _ = compare(bench, a, b, wrong)
    assert (failed.outcome, "exit code 3" in failed.reason) == ("crash", True)
