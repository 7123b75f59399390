"""Runs the repo's benchmarks and tests in this process under one profiler.

A profiler ("tool") has ``name``, ``whole`` (also watch fixtures, not only test bodies), ``begin(id, source)``, ``end()``
and ``result() -> dict``. One that slows what it watches also has ``rest()``, called from another thread when one test
has used its share of the time: it stops watching until the next ``begin``, so that the test goes on at full speed. Options: ``tree``, ``out`` (folder for ``<name>.json``), ``seconds`` (when reached, what is
known is written and the process ends), ``phases``: a list of ``{"source": "benchmark"|"test", "args": [pytest args],
"files": [benchmark files]}``. The first phase that reaches code of the repo is enough unless ``all_phases`` is true.
"""

import importlib.util
import json
import os
import sys
import tempfile
import threading
import time
import traceback

from . import bench

DEADLINE_EXIT = 7
USAGE_ERROR = 4
SHARE, LEAST_SHARE = 15, 0.5
TICK = 0.1
QUIET = ["-q", "--tb=no", "--continue-on-collection-errors", "-o", "cache_dir=" + os.path.join(tempfile.gettempdir(), "pytest-cache")]
PLUGINS = (
    ("xdist", ["-n0"]),
    ("pytest_cov", ["--no-cov"]),
    ("pytest_timeout", ["--timeout=0"]),
    ("pytest_randomly", ["-p", "no:randomly"]),
    ("pytest_rerunfailures", ["--reruns=0"]),
)
ONCE = ["--benchmark-disable"]
TIMED = ["--benchmark-max-time=0.1", "--benchmark-min-rounds=1", "--benchmark-warmup=off", "--benchmark-disable-gc"]


class Driver:
    """One run: owns the deadline, the count of tests and what goes into the report."""

    def __init__(self, tool, options):
        self.tool, self.options = tool, options
        self.source, self.current = "", ""
        self.notes, self.tests, self.failed, self.phases = [], 0, 0, []
        self.lock, self.written = threading.Lock(), False
        self.body_seconds = 0.0
        self._started, self._running, self.rested = 0.0, False, []

    def begin(self, name):
        self.current = name
        self._started = time.perf_counter()
        self.tool.begin(name, self.source)
        self._running = True

    def end(self):
        self._running = False
        self.tool.end()
        self.body_seconds += time.perf_counter() - self._started

    def outcome(self, failed):
        self.tests += 1
        self.failed += bool(failed)

    def note(self, text):
        if text not in self.notes and len(self.notes) < 40:
            self.notes.append(text)

    def write(self, partial):
        """Write the report once, whole or not at all."""
        with self.lock:
            if self.written:
                return
            self.written = True
            if self.rested:
                self.note("%d slow tests were watched only at their start, the first was %s" % (len(self.rested), self.rested[0]))
            data = self.tool.result()
            report = {
                "data": data, "notes": self.notes, "tests": self.tests, "failed": self.failed, "partial": partial,
                "body_seconds": self.body_seconds, "phases": self.phases, "rested": len(self.rested),
                "python": list(sys.version_info[:3]),
            }
            path = os.path.join(self.options["out"], self.tool.name + ".json")
            with open(path + ".part", "w", encoding="utf-8") as stream:
                json.dump(report, stream)
            os.replace(path + ".part", path)

    def run(self):
        watch = threading.Thread(target=self._deadline, daemon=True)
        watch.start()
        for phase in self.options["phases"]:
            self.source = phase["source"]
            self._phase(phase)
            reached = bool(self.tool.reached())
            self.phases.append({"source": self.source, "reached": reached, "tests": self.tests})
            if reached and not self.options.get("all_phases"):
                break
        self.write(partial=False)

    def _phase(self, phase):
        try:
            bench.run(phase.get("files", ()), self)
            if phase.get("args"):
                run_pytest(self, list(phase["args"]))
        except (Exception, SystemExit) as error:
            traceback.print_exc()
            self.note("%s phase ended early: %s: %s" % (self.source, type(error).__name__, error))

    def _deadline(self):
        ends = time.perf_counter() + self.options["seconds"]
        while time.perf_counter() < ends:
            time.sleep(min(TICK, max(0.0, ends - time.perf_counter())))
            self._rest(ends)
        self.note("stopped at its time limit of %g s, in %s" % (self.options["seconds"], self.current or "start-up"))
        try:
            self.write(partial=True)
        finally:
            os._exit(DEADLINE_EXIT)


    def _rest(self, ends):
        """Let a test that has used its share of the time that was left when it began go on unwatched."""
        started = self._started
        late = self._running and time.perf_counter() - started > max(LEAST_SHARE, (ends - started) / SHARE)
        if late and hasattr(self.tool, "rest") and self.current not in self.rested[-1:]:
            self.rested.append(self.current)
            self.tool.rest()


def main(tool, options):
    """Run as if pytest had been started by hand, and leave without waiting for threads or exit handlers of the target."""
    sys.argv[:] = ["pytest"]
    Driver(tool, options).run()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def run_pytest(driver, args):
    """Run pytest in this process; flags that this set-up of plugins does not know are left out step by step."""
    import pytest

    if driver.source == "benchmark":
        args = ["-o", "python_files=*.py", "-o", "python_functions=test_* bench_* benchmark_*"] + args
    flags = _plugin_flags(driver)
    for extra in (flags, [], ["-o", "addopts="] + flags):
        code = pytest.main(QUIET + extra + args, plugins=_plugins(pytest, driver))
        if code != USAGE_ERROR:
            break
    if int(code) > 1:
        driver.note("pytest ended with code %d" % int(code))


def _plugin_flags(driver):
    flags = []
    for module, extra in PLUGINS:
        if importlib.util.find_spec(module):
            flags += extra
    if importlib.util.find_spec("pytest_benchmark"):
        flags += TIMED if driver.options.get("timed") and driver.source == "benchmark" else ONCE
    return flags


def Plugin(driver):
    """The pytest plugin, made when pytest is known to be there."""
    import pytest

    class Watch:
        @pytest.hookimpl(hookwrapper=True)
        def pytest_runtest_protocol(self, item):
            if driver.tool.whole:
                driver.begin(test_id(item, driver.options["tree"]))
            yield
            if driver.tool.whole:
                driver.end()

        @pytest.hookimpl(hookwrapper=True)
        def pytest_runtest_call(self, item):
            if not driver.tool.whole:
                driver.begin(test_id(item, driver.options["tree"]))
            yield
            if not driver.tool.whole:
                driver.end()

        def pytest_collectreport(self, report):
            if report.failed:
                words = str(report.longrepr).strip().splitlines() or [""]
                driver.note("%s could not be collected: %s" % (report.nodeid, words[-1][:200]))

        def pytest_runtest_logreport(self, report):
            if report.when == "call" or report.outcome == "failed":
                driver.outcome(report.outcome == "failed")

    return Watch()


def _plugins(pytest, driver):
    stand_in = [] if importlib.util.find_spec("pytest_benchmark") else [bench.fixture(pytest, driver)]
    return [Plugin(driver)] + stand_in


def test_id(item, tree):
    """``tests/test_x.py::test_y[1]`` relative to the tree, whatever root pytest chose."""
    path = os.path.realpath(str(getattr(item, "path", None) or item.fspath))
    relative = os.path.relpath(path, os.path.realpath(tree)).replace(os.sep, "/")
    _, colons, rest = item.nodeid.partition("::")
    return relative + colons + rest
