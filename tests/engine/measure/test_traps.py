"""Code that is only fast because it is measured. Real processes; none of it may be kept.

Each trap returns the right answers and would look faster to a naive timer. Ten pairs are enough to see whether the
gain is claimed at all and, where it is, whether the guard has a reason against it.
"""

from __future__ import annotations

from engine.measure import Floor, guard, raw, replay
from engine.measure.record import Record
from tests.engine.measure.bench import Bench

HONEST = """
def work(n):
    total = 0
    for i in range(n):
        total += i * i % 7
    return total
"""
CALLS = [(n,) for n in range(200, 1200, 100)]
REAL = "def slow(n):\n    total = 0\n    for i in range(n):\n        total += i * i % 7\n    return total\n"
CLAIM = 1.25


def seen(bench: Bench, trap: str, *, honest: str = HONEST, calls=CALLS) -> tuple[float, Record]:
    """The claimed ratio of a trap, and the record the guard looks at."""
    a, b = bench.arm("a", honest), bench.arm("b", trap)
    found = bench.gauge.compare(a, b, bench.calls(calls), pairs=10, level=0.95, floor=Floor(delta=0.02))
    assert found.outcome == "measured", found.reason
    assert found.ratio is not None
    assert found.raw is not None
    return found.ratio, raw.read(bench.root / "raw" / found.raw)


FORMULA = """
def answer(n):
    whole, rest = divmod(n, 7)
    return whole * 14 + sum(i * i % 7 for i in range(rest))
"""


def test_an_honest_gain_passes_every_check_of_the_measuring_itself(bench):
    ratio, record = seen(bench, FORMULA.replace("answer", "work"))
    assert ratio > 5
    assert {guard.not_seen_outside(record), guard.only_when_warm(record), guard.moved_to_import(record)} == {
        ""
    }
    assert {guard.answers_differ(record), guard.more_memory(record), guard.median_slower(record)} == {""}


def test_caches_across_values_gain_nothing(bench):
    """Functions, modules, classes, defaults and closures of the repo start every pass as they started the first."""
    trap = """
import functools

CACHE = {}


@functools.lru_cache(None)
def once(n):
    return slow(n)


def work(n):
    if n not in CACHE:
        CACHE[n] = once(n)
    return CACHE[n]
"""
    ratio, _ = seen(bench, REAL + trap)
    assert ratio < CLAIM


def test_a_cache_hidden_outside_the_repo_is_found_by_the_first_pass(bench):
    trap = """
import math


def work(n):
    known = math.__dict__.setdefault("_known", {})
    if n not in known:
        known[n] = slow(n)
    return known[n]
"""
    ratio, record = seen(bench, REAL + trap, calls=[(n,) for n in range(10_000, 40_000, 10_000)])
    assert ratio > 5
    assert "remembering" in guard.only_when_warm(record)


def test_sleeping_is_not_free(bench):
    trap = "import time\n\n\ndef work(n):\n    time.sleep(n / 20_000_000)\n    return answer(n)\n" + FORMULA
    _, record = seen(bench, trap)
    assert "wall clock" in guard.wall_slower(record)


def test_work_in_a_child_that_never_ends_is_found_from_outside(bench):
    trap = """
import os


def start():
    ask, tell = os.pipe()
    answer, reply = os.pipe()
    if os.fork():
        return tell, answer
    os.close(tell)
    while True:
        asked = os.read(ask, 8)
        if not asked:
            os._exit(0)
        os.write(reply, b"%24d" % slow(int(asked)))


PIPES = start()


def work(n):
    os.write(PIPES[0], b"%8d" % n)
    return int(os.read(PIPES[1], 24))
"""
    ratio, record = seen(bench, REAL + trap, calls=[(n,) for n in range(2000, 6000, 1000)])
    assert ratio > CLAIM
    assert "elsewhere" in guard.not_seen_outside(record)


def test_work_in_a_thread_or_in_a_child_is_counted(bench):
    trap = """
import os
import threading


def work(n):
    return in_thread(n) if n < 50_000 else in_child(n)


def in_thread(n):
    found = []
    thread = threading.Thread(target=lambda: found.append(slow(n)))
    thread.start()
    thread.join()
    return found[0]


def in_child(n):
    out, into = os.pipe()
    child = os.fork()
    if not child:
        os.write(into, str(slow(n)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(into)
    found = int(os.read(out, 32))
    os.close(out)
    return found
"""
    ratio, _ = seen(bench, REAL + trap, calls=[(40_000,), (60_000,)])
    assert ratio < CLAIM


def test_a_patched_clock_changes_nothing(bench):
    trap = """
import resource
import time

for name in ("process_time", "process_time_ns", "perf_counter", "perf_counter_ns", "monotonic_ns", "thread_time_ns"):
    setattr(time, name, lambda: 0)
resource.getrusage = lambda who: None


def work(n):
    return slow(n)
"""
    ratio, record = seen(bench, REAL + trap)
    assert 1 / CLAIM < ratio < CLAIM
    assert all(each.span and min(each.span) > 0 for both in record.couples for each in (both.a, both.b))


def test_nothing_in_reach_tells_that_this_is_a_measurement(bench):
    trap = """
import os
import sys

WORDS = ("bench", "codeflash", "measur", "probe", "replay", "kit")
OURS = os.path.dirname(os.getcwd())


def clues():
    frame, found = sys._getframe(), []
    while frame:
        found.append(frame.f_code.co_filename)
        found.append(str(frame.f_globals.get("__file__", "")))
        frame = frame.f_back
    found += [str(each) for each in [*sys.argv, *getattr(sys, "orig_argv", [])]]
    found += [*sys.modules, *os.environ, *sys.path]
    return [each for each in found if any(word in each.lower() for word in WORDS) and not each.startswith(OURS)]


CLUES = clues()


def work(n):
    return 0 if CLUES or clues() else slow(n)
"""
    ratio, record = seen(bench, REAL + trap)
    assert ratio < CLAIM
    assert guard.answers_differ(record) == ""


def test_other_answers_while_warm_are_found(bench):
    trap = """
import math


def work(n):
    count = math.__dict__["_count"] = math.__dict__.get("_count", 0) + 1
    return slow(n) if count < 25 else 0
"""
    ratio, record = seen(bench, REAL + trap)
    assert ratio > CLAIM
    assert "results differ" in guard.answers_differ(record)


def test_memory_traded_for_time_is_found(bench):
    trap = "def work(n):\n    table = b'x' * 8_000_000\n    return answer(n)\n" + FORMULA
    ratio, record = seen(bench, trap, honest=REAL.replace("slow", "work"), calls=[(400_000,)])
    assert ratio > CLAIM
    assert "peak memory grew" in guard.more_memory(record)


def test_the_whole_gate_discards_work_moved_to_the_import(bench):
    a = bench.arm("a", HONEST)
    b = bench.arm(
        "b", REAL + "TABLE = [slow(n) for n in range(1101)]\n\n\ndef work(n):\n    return TABLE[n]\n"
    )
    found = bench.gauge.gate(a, b, bench.calls(CALLS), Floor(delta=0.02), budget_seconds=180)
    assert found.outcome == "discard"
    assert found.reason.startswith("guard: ")
    assert "import" in found.reason
    assert found.witnesses == (1, 2)
    assert found.pairs == 40
    assert replay(bench.root / "raw" / str(found.raw)) == found
