"""Every way a measurement can end: crashes, repeats, budgets, waiting, cancelling and refusals."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.measure import Cancelled, MeasureError, Workload, measuring, replay
from engine.sandbox import Completed, Sandbox, probe_isolation
from tests.engine.measure.bench import CALLS, FAST, QUIET, SLOW, Bench, compare


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("raise RuntimeError('boom')\n", "RuntimeError: boom"),
        ("import os\n\n\ndef work(n):\n    os._exit(3)\n", "exit code 3"),
        ("import os\n\n\ndef work(n):\n    os.kill(os.getpid(), 9)\n", "signal 9"),
        ("work = 5\n", "not a Python function"),
    ],
)
def test_a_changed_version_that_crashes_twice_is_a_crash_and_has_no_number(bench, broken, words):
    found, record = compare(bench, bench.arm("a", SLOW), bench.arm("b", broken), bench.calls(CALLS))
    assert found.outcome == "crash"
    assert found.reason.startswith("the changed version failed twice: ")
    assert words in found.reason
    assert (found.ratio, found.before, found.low) == (None, None, None)
    assert record.failure is not None
    assert replay(bench.root / "raw" / str(found.raw)) == found


class Mending(Sandbox):
    """A real sandbox that puts a mark down before its tenth run and takes it away after the first run that met it."""

    mark: Path
    runs = 0

    def run(self, *args: Any, **kwargs: Any) -> Completed:
        self.runs += 1
        if self.runs == 10:
            self.mark.touch()
        done = super().run(*args, **kwargs)
        if done.exit_code == 9:
            self.mark.unlink()
            self.met = True
        return done


def test_a_process_that_fails_once_has_its_pair_repeated(tmp_path, prepared):
    sandbox = Mending(probe_isolation(), scratch=tmp_path / "sandbox")
    bench = Bench(tmp_path, sandbox, prepared)
    broken = (
        "\nimport os\nif os.path.exists(os.path.join(os.path.dirname(__file__), 'mark')):\n    os._exit(9)\n"
    )
    a, b = bench.arm("a", SLOW), bench.arm("b", SLOW + broken)
    sandbox.mark = b.tree / "shop" / "mark"
    found, record = compare(bench, a, b, bench.calls(CALLS))
    assert sandbox.met
    assert found.outcome == "measured"
    assert len(record.couples) == 8


def test_what_does_not_fit_the_budget_says_what_it_needs(bench):
    a, workload = bench.arm("a", SLOW), bench.calls(CALLS)
    found = bench.gauge.gate(a, replace(a, commit="b"), workload, QUIET, budget_seconds=0.5)
    assert found.outcome == "unclear"
    assert found.reason.startswith("needs ")
    assert found.ratio is None


def test_a_small_budget_takes_the_smaller_inputs(bench, prepared):
    small = Bench(bench.root / "small", bench.sandbox, prepared, budget_seconds=14.4)
    workload = small.calls([(1000,), (2000,), (2_000_000,)])
    tuning = small.gauge._desk.ready(small.arm("a", SLOW), workload)
    assert (tuning.used, tuning.recorded) == (2, 3)
    huge = small.calls([(2_000_000,)])
    floor = small.gauge.floor(small.arm("b", SLOW), replace(huge, id="huge"))
    assert floor.failure.startswith("needs ")
    found = small.gauge.gate(
        small.arm("a", SLOW), small.arm("b", SLOW), replace(huge, id="huge"), floor, budget_seconds=16
    )
    assert (found.outcome, found.reason[:6]) == ("unclear", "needs ")


CHANGES = "def work(items):\n    items.append(len(items))\n    return len(items)\n"


def test_arguments_that_are_dear_to_load_are_part_of_what_must_fit(bench, prepared):
    """A quick call changes a large list: the thousands of copies that its values would take do not fit."""
    small = Bench(bench.root / "small", bench.sandbox, prepared, budget_seconds=24)
    workload = small.calls([([(n, str(n)) for n in range(4000)],)])
    a = small.arm("a", CHANGES)
    floor = small.gauge.floor(a, workload)
    assert floor.failure == ""
    found = small.gauge.gate(a, small.arm("b", CHANGES), workload, floor, budget_seconds=24)
    assert "needs" not in found.reason
    assert found.pairs >= 20


def test_cancelling_stops_a_measurement_at_once(bench):
    a, workload = bench.arm("a", SLOW), bench.calls(CALLS)

    def stop(done: int, planned: int) -> None:
        bench.sandbox.cancel()

    with pytest.raises(Cancelled):
        bench.gauge.gate(a, replace(a, commit="b"), workload, QUIET, budget_seconds=180, on_round=stop)


def test_a_session_that_waits_for_another_says_so_and_can_be_cancelled(bench, prepared):
    heard: list[str] = []
    stop = threading.Event()
    waiting = Bench(
        bench.root / "waiting",
        bench.sandbox,
        prepared,
        on_wait=lambda behind, seconds: (heard.append(behind), stop.set()),
        cancelled=stop.is_set,
    )
    workload = waiting.calls(CALLS)
    with measuring(waiting.root / "lock", holder="session 41"), pytest.raises(Cancelled):
        waiting.gauge.floor(waiting.arm("a", SLOW), workload)
    assert heard == ["session 41"]


def test_a_target_that_was_not_recorded_is_no_floor_but_a_reason(bench):
    workload = replace(bench.calls(CALLS), target="shop/work.py::other", id="other")
    floor = bench.gauge.floor(bench.arm("a", SLOW), workload)
    assert "no calls of shop/work.py::other were recorded" in floor.failure
    bench.calls(CALLS, unreplayable="its state cannot be copied")
    floor = bench.gauge.floor(
        bench.arm("a", SLOW), bench.calls(CALLS, unreplayable="its state cannot be copied")
    )
    assert "its state cannot be copied" in floor.failure


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [("kind", "guess", "kind"), ("metric", "luck", "metric"), ("recordings", None, "folder")],
)
def test_a_workload_that_makes_no_sense_is_refused(tmp_path: Path, field, value, words):
    good = {"kind": "calls", "id": "x", "target": "a.py::f", "recordings": tmp_path, "metric": "cpu"}
    with pytest.raises(MeasureError, match=words):
        Workload(**{**good, field: value})


def test_only_changed_files_are_compiled_again(bench):
    a, workload = bench.arm("a", SLOW, helper="X = 1\n"), bench.calls(CALLS)
    bench.gauge._desk.ready(a, workload)
    cache = a.tree / "shop" / "__pycache__"
    names = {path.name.split(".")[0] for path in cache.iterdir()}
    assert names == {"__init__", "work", "helper"}
    before = {path.name: path.stat().st_mtime_ns for path in cache.iterdir()}
    (a.tree / "shop" / "work.py").write_text(FAST)
    bench.gauge._desk.runner.kit.warm(a.tree)
    after = {path.name: path.stat().st_mtime_ns for path in cache.iterdir()}
    assert {name for name in after if after[name] != before[name]} == {
        n for n in after if n.startswith("work.")
    }
