"""A whole verification, from two checkouts and real recordings to the evidence."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.values import Check, Target
from engine.verify import Cancelled, Evidence
from tests.engine.verify.house import House, new_house, one_module

COMMON = """
def common(xs, ys):
    out = []
    for x in xs:
        if x in ys:
            out.append(x)
    return out
"""
FASTER = "def common(xs, ys):\n    members = set(ys)\n    return [x for x in xs if x in members]\n"
TESTS = """
from pkg.mod import *

def test_common():
    assert common([1, 2, 3], [2, 3]) == [2, 3]
    assert common(["a"], []) == []
"""


def target(name: str = "common", domain: str = "cpu") -> Target:
    return Target(path="pkg/mod.py", qualname=name, line=1, domain=domain)


def check(
    before: str,
    after: str,
    tests: str = TESTS,
    *,
    name: str = "common",
    tier: str = "guarded",
    domain: str = "cpu",
    record: bool = True,
    prepare: Callable[[House], None] | None = None,
    **more: object,
) -> Evidence:
    with new_house(one_module(before, tests), one_module(after, tests)) as house:
        if record:
            house.record()
        if prepare:
            prepare(house)
        return house.verify(target(name, domain), tier=tier, **more)


def named(evidence: Evidence, name: str) -> Check:
    return next(each for each in evidence.checks if each.name == name)


def test_a_right_change_is_kept_with_its_evidence() -> None:
    found = check(COMMON, FASTER)
    assert found.passed and found.level == "E3", found
    assert named(found, "Tests").agreed == 1
    recorded = named(found, "Recorded inputs replayed")
    assert (recorded.state, recorded.tried, recorded.agreed) == ("pass", 2, 2)
    assert named(found, "Perturbed inputs").tried == 400
    assert named(found, "Generated inputs").tried == 300
    assert named(found, "Changed lines executed").state == "pass"
    assert named(found, "Callers on several threads").state == "not_checked"
    assert any("unhashable" in text for text in found.disclosed), "outside the contract, and said so"


def test_the_same_change_claimed_exact_is_discarded_with_a_counterexample() -> None:
    found = check(COMMON, FASTER, tier="exact")
    assert not found.passed and found.reason_class == "differs"
    assert found.counterexample.startswith("common(")
    assert named(found, "Perturbed inputs").state == "fail"


def test_the_same_seed_gives_the_same_counterexample() -> None:
    wrong = "def common(xs, ys):\n    return sorted(set(xs) & set(ys))\n"
    first, second = check(COMMON, wrong), check(COMMON, wrong)
    assert first.counterexample == second.counterexample != ""
    assert not first.passed and "common(" in first.counterexample


def test_a_change_that_breaks_the_tests_goes_no_further() -> None:
    found = check(COMMON, "def common(xs, ys):\n    return []\n")
    assert not found.passed and found.reason_class == "tests"
    assert "test_common" in found.reason and len(found.checks) == 2
    assert found.tests is not None and found.tests.failed == 1


def test_a_test_that_also_fails_before_is_no_witness() -> None:
    """It fails every second time, on either version, by a counter that both share."""
    tests = (
        TESTS
        + """
import pathlib
def test_flaky():
    mark = pathlib.Path(__file__).parent / "mark"
    seen = mark.exists()
    mark.write_text("x")
    assert not seen
"""
    )
    found = check(
        COMMON, FASTER, tests, prepare=lambda house: (house.after / "tests" / "mark").write_text("x") and None
    )
    assert found.passed, found.reason


def test_touching_a_test_discards() -> None:
    with new_house(one_module(COMMON, TESTS), one_module(FASTER, TESTS + "\n# easier\n")) as house:
        found = house.verify(target())
    assert (found.passed, found.reason_class) == (False, "tests")
    assert "tests/test_mod.py" in found.reason


def test_tests_that_rewrite_the_source_discard() -> None:
    tests = (
        TESTS
        + """
import pathlib, pkg.mod
def test_sneaky():
    path = pathlib.Path(pkg.mod.__file__)
    path.write_text(path.read_text() + "\\n")
"""
    )
    found = check(COMMON, FASTER, tests, record=False)
    assert not found.passed and "rewrote pkg/mod.py" in found.reason


def test_identical_versions_are_no_change() -> None:
    assert check(COMMON, COMMON, record=False).reason_class == "static"


def test_a_version_that_cannot_be_imported_is_a_difference() -> None:
    tests = "def test_nothing(): pass\n"
    with new_house(
        one_module(COMMON, TESTS), one_module("import nothing_like_this\n" + FASTER, TESTS)
    ) as house:
        house.record()
        for tree in (house.before, house.after):
            (tree / "tests" / "test_mod.py").write_text(tests)
        found = house.verify(target())
    assert found.reason_class == "differs" and "nothing_like_this" in found.counterexample


def test_what_is_not_deterministic_is_set_aside_and_said() -> None:
    before = """
import datetime

def common(xs, ys):
    if ys:
        return datetime.datetime.now()
    return [x for x in xs]
"""
    after = before.replace("[x for x in xs]", "list(xs)")
    tests = """
from pkg.mod import *
def test_a():
    assert common([1], [1])
    assert common([1, 2], []) == [1, 2]
"""
    found = check(before, after, tests)
    assert found.passed, found.reason
    assert "not deterministic" in named(found, "Recorded inputs replayed").detail
    assert named(found, "Recorded inputs replayed").tried == 1


def test_clock_dice_and_sleep_stand_still() -> None:
    before = """
import random, time, uuid

def common(xs, ys):
    time.sleep(3)
    out = [time.time(), random.random(), str(uuid.uuid4())]
    for x in xs:
        out.append(x)
    return out
"""
    after = before.replace("    for x in xs:\n        out.append(x)\n", "    out.extend(xs)\n")
    tests = """
from pkg.mod import *
def test_a(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    assert common([1], [])
"""
    found = check(before, after, tests)
    assert found.passed and named(found, "Recorded inputs replayed").tried == 1, found


CALLER = """
def pick(items):
    def key(item):
        return item[1], item[0]

    return [item for item, _ in sorted(((item, _rank(item)) for item in items), key=key)]


def _rank(item, _lock=__import__("threading").Lock()):
    total = 0
    for letter in item:
        total = total + ord(letter)
    return total
"""
CALLER_TESTS = """
from pkg.mod import pick
def test_a():
    assert pick(['b', 'a']) == ['a', 'b']
    assert pick([]) == []
"""


def _hide(house: House) -> None:
    """As the recorder says it of a function whose arguments it could not keep."""
    path = house.recordings / "index.json"
    index = json.loads(path.read_text())
    entry = index["targets"]["pkg/mod.py::_rank"]
    entry["unreplayable"] = "an argument cannot be copied: cannot pickle a lock"
    entry["args"] = {"item": {"types": {"pkg.mod.Thing": 1}}}
    path.write_text(json.dumps(index))


def test_what_cannot_be_replayed_is_replayed_through_its_caller() -> None:
    after = CALLER.replace("        total = total + ord(letter)\n", "        total += ord(letter)\n")
    found = check(CALLER, after, CALLER_TESTS, name="_rank", prepare=_hide)
    assert found.passed and found.level == "E3", found
    assert "through pkg/mod.py::pick" in named(found, "Recorded inputs replayed").detail


def test_a_difference_seen_through_the_caller_discards() -> None:
    after = CALLER.replace("total + ord(letter)", "max(total, ord(letter))")
    found = check(CALLER, after, CALLER_TESTS, name="_rank", prepare=_hide)
    assert not found.passed and found.reason_class == "differs"


OPEN = """
def common(handle):
    lines = []
    for line in handle:
        lines.append(line)
    return len(lines)
"""
OPEN_AFTER = "def common(handle):\n    return sum(1 for _ in handle)\n"
OPEN_TESTS = "from pkg.mod import *\ndef test_a():\n    assert common(open(__file__)) == 3\n"


def test_tests_alone_are_enough_for_an_exact_change_and_not_for_a_guarded_one() -> None:
    exact = check(OPEN, OPEN_AFTER, OPEN_TESTS, tier="exact")
    assert exact.passed and exact.level == "E1", exact
    assert named(exact, "Recorded inputs replayed").state == "not_checked"
    guarded = check(OPEN, OPEN_AFTER, OPEN_TESTS, tier="guarded")
    assert (guarded.passed, guarded.reason_class, guarded.level) == (False, "no evidence", "E1")


def test_a_change_that_nothing_executes_has_no_evidence() -> None:
    before = (
        "def common(xs):\n    return len(xs)\n\n\ndef unused(handle):\n    return [line for line in handle]\n"
    )
    after = before.replace("[line for line in handle]", "list(handle)")
    tests = "from pkg.mod import *\ndef test_a():\n    assert common([1]) == 1\n"
    found = check(before, after, tests, name="unused", tier="exact")
    assert (found.passed, found.reason_class, found.level) == (False, "no evidence", "E0")
    assert named(found, "Changed lines executed").state == "fail"


def test_without_recordings_invented_inputs_give_their_own_level() -> None:
    before = """
def common(xs: list[int], limit: int) -> list[int]:
    out = []
    for x in xs:
        if x < limit:
            out.append(x)
    return out
"""
    after = "def common(xs: list[int], limit: int) -> list[int]:\n    return [x for x in xs if x < limit]\n"
    tests = "def test_nothing(): pass\n"
    found = check(before, after, tests, record=False)
    assert found.passed and found.level == "E2", found
    assert named(found, "Perturbed inputs").state == "not_checked"


def test_another_function_that_changed_on_the_way_is_compared_too() -> None:
    other = "\n\ndef double(xs):\n    return [x * 2 for x in xs]\n"
    tests = TESTS + "def test_double():\n    assert double([2]) == [4]\n"
    wrong = other.replace("x * 2", "x ** 2")
    found = check(COMMON + other, FASTER + wrong, tests)
    assert not found.passed and "double(" in found.counterexample
    assert check(COMMON + other, FASTER + wrong, tests, others=False).passed


def test_suggested_inputs_join_the_invented_ones(tmp_path: Path) -> None:
    before = "def common(n):\n    return n % 7919 == 13 and n > 10**9\n"
    after = "def common(n):\n    return False\n"
    tests = "from pkg.mod import *\ndef test_a():\n    assert not common(1)\n    assert not common(2)\n"
    inputs = tmp_path / "inputs.txt"
    inputs.write_text(f"({7919 * 10**6 + 13},)\n")
    assert check(before, after, tests).passed
    found = check(before, after, tests, extra_inputs=inputs)
    assert not found.passed and "7919000013" in found.counterexample


EXITS = """
import os

def common(xs, ys):
    if not xs:
        os._exit(0)
    return [x for x in xs if x in ys]
"""


def test_a_crash_of_the_interpreter_is_a_difference() -> None:
    found = check(COMMON, EXITS)
    assert not found.passed and "process ends or hangs" in found.reason


def test_a_call_that_kills_the_version_before_is_left_out() -> None:
    found = check(EXITS, EXITS.replace("[x for x in xs if x in ys]", "list(filter(ys.__contains__, xs))"))
    assert named(found, "Recorded inputs replayed").detail.endswith("too long or too large to compare")
    assert found.passed, found.reason


def test_module_state_left_behind_counts() -> None:
    before = "seen = []\n\n\ndef common(xs, ys):\n    seen.append(len(xs))\n    return [x for x in xs if x in ys]\n"
    found = check(before, before.replace("    seen.append(len(xs))\n", ""))
    assert not found.passed and "pkg.mod.seen" in found.counterexample


def test_a_stop_request_ends_it() -> None:
    with new_house(one_module(COMMON, TESTS), one_module(FASTER, TESTS)) as house:
        house.record()
        assert house.baseline.ok
        timer = threading.Timer(0.3, house.sandbox.cancel)
        timer.start()
        with pytest.raises(Cancelled):
            house.verify(target())
        timer.join()
