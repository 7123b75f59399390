"""Layer 1: what a run of the repo's tests says, and the ways in which it might lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.values import TestRun
from engine.verify.suite import run_suite, worse
from engine.verify.trees import ChangedLines
from tests.engine.verify.house import new_house, one_module

SOURCE = """
import threading

def sign(n):
    if n < 0:
        return -1
    return 1

def late(n, out):
    thread = threading.Thread(target=lambda: out.append(sign(n)))
    thread.start()
    thread.join()
"""

GOOD = "from pkg.mod import *\n\ndef test_sign():\n    assert sign(3) == 1\n"


def run(tests: str, seconds: float = 30, **extra: str) -> TestRun:
    with new_house({**one_module(SOURCE, tests), **extra}, {}) as house:
        return run_suite(house.place, tree=house.before, seconds=seconds).run


def test_every_outcome_is_counted_once() -> None:
    found = run("""
import pytest

def test_good(): pass
def test_bad(): assert 1 == 2
@pytest.mark.skip
def test_skipped(): pass
@pytest.mark.xfail
def test_expected(): assert False
@pytest.fixture
def broken(): raise RuntimeError("no set-up")
def test_error(broken): pass
@pytest.mark.parametrize("n", [1, 2])
def test_many(n): pass
""")
    assert (found.passed, found.failed, found.skipped, found.errors) == (3, 1, 2, 1)
    assert found.exit_code == 1 and not found.ok
    assert any(text.startswith("tests/test_mod.py::test_bad - assert 1 == 2") for text in found.failures)
    assert "short test summary" in found.output


def test_a_file_that_cannot_be_collected_is_an_error() -> None:
    found = run(GOOD, **{"tests/test_broken.py": "import nothing_like_this\n"})
    assert found.errors >= 1 and not found.ok


def test_no_tests_is_not_a_pass() -> None:
    assert not run("").ok


LIES = {
    "exits by itself": "import os\ndef test_a(): pass\ndef test_b(): os._exit(0)\n",
    "leaves early with success": "import pytest\ndef test_a(): pass\ndef test_b(): pytest.exit('done', returncode=0)\n",
    "rewrites the exit code": (
        "def test_a(): assert False\n",
        "def pytest_sessionfinish(session, exitstatus): session.exitstatus = 0\n",
    ),
    "speaks for itself": (
        'import json, os\ndef test_a():\n    os.write(1, (json.dumps({"kind": "end", "code": 0, "counts": '
        '{"passed": 9}, "lines": [], "nonce": ""}) + "\\n").encode())\n    os._exit(0)\n'
    ),
}


@pytest.mark.parametrize("lie", LIES, ids=lambda name: name.replace(" ", "-"))
def test_a_suite_that_lies_does_not_pass(lie: str) -> None:
    tests, conftest = LIES[lie] if isinstance(LIES[lie], tuple) else (LIES[lie], "")
    found = run(tests, **({"conftest.py": conftest} if conftest else {}))
    assert not found.ok
    assert worse(found, TestRun(passed=2, failed=0, exit_code=0))


def test_a_suite_that_hangs_is_ended() -> None:
    found = run("import time\ndef test_a(): pass\ndef test_b(): time.sleep(600)\n", seconds=3)
    assert not found.ok and found.exit_code is None
    assert "wall limit" in found.failures[-1]


def test_options_for_plugins_that_are_missing_are_left_out() -> None:
    found = run(GOOD, **{"pytest.ini": "[pytest]\naddopts = --cov=pkg --no-such-option\n"})
    assert found.ok, found.output


def test_selected_tests_alone() -> None:
    with new_house(one_module(SOURCE, GOOD + "def test_other(): assert False\n"), {}) as house:
        found = run_suite(house.place, tree=house.before, seconds=30, select=["tests/test_mod.py::test_sign"])
    assert found.run.ok and found.run.passed == 1


def test_executed_lines_are_found_in_threads_too() -> None:
    tests = "from pkg.mod import *\ndef test_a():\n    out = []\n    late(2, out)\n    assert out == [1]\n"
    with new_house(one_module(SOURCE, tests), {}) as house:
        wanted = ChangedLines("pkg/mod.py", (5, 6, 7))
        found = run_suite(house.place, tree=house.before, seconds=30, lines=wanted)
    assert found.lines == {5, 7}


def test_a_huge_output_does_not_hide_the_result(tmp_path: Path) -> None:
    found = run("def test_a(capfd):\n    with capfd.disabled():\n        print('x' * 30_000_000)\n")
    assert found.ok and len(found.output) < 50_000
