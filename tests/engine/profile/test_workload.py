"""How the probe runs benchmarks and tests: deadlines, plugins it does not know, odd repos. Real processes."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest

from engine.profile.scope import find_scope
from engine.profile.tools import Bench, Report
from engine.sandbox import Sandbox
from tests.engine.profile.conftest import surroundings

CODE = """
def one(x):
    return x + 1


def slow(n):
    return sum(i * i for i in range(n))
"""


@pytest.fixture
def bench(sandbox: Sandbox, tmp_path: Path):
    """Write files and get a place to run one profiler in."""

    def make(files: dict[str, str], **changes: object) -> Bench:
        for name, text in {"src/shop/__init__.py": CODE, **files}.items():
            path = tmp_path / "tree" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        (tmp_path / "out").mkdir(exist_ok=True)
        environment = surroundings(**changes)
        scope = find_scope(tmp_path / "tree", environment)
        return Bench(scope=scope, environment=environment, sandbox=sandbox, out=tmp_path / "out")

    return make


def record(bench: Bench, seconds: float = 60.0) -> Report:
    return bench.run("record", seconds=seconds, all_phases=True)


HANGS = """
    import threading
    from shop import one

    def test_first():
        assert one(1) == 2

    def test_hangs():
        one(2)
        threading.Event().wait()

    def test_never():
        one(3)
    """


def test_a_hanging_test_ends_at_the_deadline_and_what_is_known_is_kept(bench) -> None:
    place = bench({"tests/test_it.py": HANGS})
    report = record(place, seconds=3.0)
    assert report.partial
    assert report.data["targets"] == 1
    assert any("time limit of 3 s, in tests/test_it.py::test_hangs" in note for note in report.notes)
    assert (place.out / "index.json").exists()


def test_a_test_that_ends_the_process_is_a_note(bench) -> None:
    place = bench({"tests/test_it.py": "import os\n\ndef test_exit():\n    os._exit(3)\n"})
    report = record(place)
    assert report.data == {}
    assert any("gave no report" in note and "3" in note for note in report.notes)


def test_a_crash_in_one_test_is_a_note(bench) -> None:
    place = bench(
        {
            "tests/test_it.py": "import os, signal\n\ndef test_die():\n    os.kill(os.getpid(), signal.SIGKILL)\n"
        }
    )
    assert any("signal 9" in note for note in record(place).notes)


def test_unknown_flags_of_the_project_do_not_stop_the_profilers(bench) -> None:
    place = bench(
        {
            "tests/test_it.py": "from shop import one\n\ndef test_it():\n    assert one(1) == 2\n",
            "pytest.ini": "[pytest]\naddopts = --no-such-flag --strict-config\ncache_dir = .cache\n",
        }
    )
    report = record(place)
    assert (report.tests, report.failed, report.source) == (1, 0, "test")


def test_fixtures_count_for_recordings_and_bodies_for_time(bench) -> None:
    place = bench(
        {
            "tests/test_it.py": """
                import pytest
                from shop import one, slow

                @pytest.fixture
                def dear():
                    return slow(300000)

                def test_it(dear):
                    assert one(dear) > 0
                """
        }
    )
    assert record(place).data["targets"] == 2
    counts = place.run("counts", seconds=60.0)
    assert list(counts.targets) == ["src/shop/__init__.py::one"]


def test_asv_classes_params_and_plain_scripts_run(bench) -> None:
    place = bench(
        {
            "bench/suite.py": """
                from shop import one

                class Suite:
                    params = ([1, 2], ["a"])

                    def setup(self, n, word):
                        self.n = n

                    def time_one(self, n, word):
                        one(self.n)

                def time_broken():
                    raise ValueError("no")
                """,
            "bench/script.py": """
                from shop import slow

                def main():
                    slow(10)

                if __name__ == "__main__":
                    main()
                """,
            "bench/needs.py": "import not_installed_here\n\ndef bench_it():\n    pass\n",
        },
        benchmarks=("bench",),
    )
    report = place.run("record", seconds=60.0)
    assert report.source == "benchmark"
    assert report.data["targets"] == 2
    assert any("time_broken failed: ValueError: no" in note for note in report.notes)
    assert any("bench/needs.py could not be loaded" in note for note in report.notes)


def test_benchmarks_that_reach_nothing_fall_back_to_tests(bench) -> None:
    place = bench(
        {
            "bench/bench_nothing.py": "def bench_nothing():\n    return sum(range(10))\n",
            "tests/test_it.py": "from shop import one\n\ndef test_it():\n    assert one(1) == 2\n",
        },
        benchmarks=("bench",),
    )
    report = place.run("counts", seconds=60.0)
    assert report.source == "test"
    assert report.targets["src/shop/__init__.py::one"]["calls"] == 1


def test_the_benchmark_fixture_is_there_without_its_plugin(bench) -> None:
    place = bench(
        {
            "bench/test_speed.py": """
                from shop import one

                def test_one(benchmark):
                    assert benchmark(one, 1) == 2

                def test_pedantic(benchmark):
                    assert benchmark.pedantic(one, args=(2,), rounds=5) == 3
                """
        },
        benchmarks=("bench",),
    )
    report = record(place)
    assert (report.tests, report.failed) == (2, 0)


def test_no_module_of_the_repo_is_shadowed_by_a_file_of_the_probe(bench) -> None:
    place = bench(
        {
            "src/shop/names.py": "def mine():\n    return 'mine'\n",
            "src/calls.py": "VALUE = 7\n",
            "tests/test_it.py": """
                import calls
                import sys
                from shop.names import mine

                def test_it():
                    assert (calls.VALUE, mine()) == (7, "mine")
                    assert sys.argv == ["pytest"]
                """,
        }
    )
    report = record(place)
    assert (report.tests, report.failed) == (1, 0)


def test_threads_are_sampled_by_their_own_clock(bench) -> None:
    place = bench(
        {
            "tests/test_it.py": """
                import threading
                from shop import slow

                def test_it():
                    worker = threading.Thread(target=slow, args=(6000000,))
                    worker.start()
                    worker.join()
                """
        }
    )
    report = place.run("sample", seconds=60.0)
    row = report.targets["src/shop/__init__.py::slow"]
    assert row["own_ns"] > 0.8 * report.data["total_ns"]


def test_a_program_that_uses_the_profiling_hooks_itself_still_runs(bench) -> None:
    place = bench(
        {
            "tests/test_it.py": """
                import cProfile, sys
                from shop import one

                def test_profile():
                    cProfile.Profile().runcall(one, 1)

                def test_trace():
                    sys.setprofile(None)
                    assert one(1) == 2
                """
        }
    )
    for tool in ("record", "counts", "peak", "sample", "aio"):
        report = place.run(tool, seconds=60.0)
        assert report.tests == 2, (tool, report)


SLOW_TEST = """
    import time
    from shop import one, slow

    def test_endless_calls():
        ends = time.monotonic() + 4
        while time.monotonic() < ends:
            one(1)
        slow(10)

    def test_after():
        assert one("x" and 5) == 6
        assert slow(3) == 5
    """


@pytest.mark.parametrize("tool", ["record", "peak"])
def test_a_slow_test_is_watched_at_its_start_and_the_next_one_whole(bench, tool: str) -> None:
    place = bench({"tests/test_it.py": SLOW_TEST})
    report = place.run(tool, seconds=15.0, all_phases=True)
    assert not report.partial
    assert (report.tests, report.failed) == (2, 0)
    assert any("1 slow tests were watched only at their start" in note for note in report.notes), report.notes
    if tool == "peak":
        assert report.targets["src/shop/__init__.py::slow"]["calls"] == 1
    else:
        entry = json.loads((place.out / "index.json").read_text())["targets"]["src/shop/__init__.py::slow"]
        assert (entry["calls"], entry["tests"]) == (1, ["tests/test_it.py::test_after"])


STUBBORN = """
    import time
    from shop import one

    class Stubborn:
        def __init__(self, n):
            self.n = n

        def __getstate__(self):
            time.sleep(0.03)
            return {"n": self.n}

        def __add__(self, other):
            return self.n + other

    def test_many():
        for n in range(60):
            assert one(Stubborn(n)) == n + 1
    """


def test_which_calls_are_kept_hangs_on_what_they_hold_and_not_on_the_clock(bench) -> None:
    """On a busy machine everything is slow to copy; the same calls are kept all the same."""
    place = bench({"tests/test_it.py": STUBBORN})
    record(place)
    (entry,) = json.loads((place.out / "index.json").read_text())["targets"].values()
    assert (entry["calls"], entry["distinct"]) == (60, 60)
