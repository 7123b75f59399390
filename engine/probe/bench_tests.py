"""Times the bodies of tests and benchmarks in one process; collection and fixtures stay off the clock.

A pass runs every kept test, and every benchmark that is not a test, once. Tests that fail at calibration are set
aside; later any failure makes the process useless and it says so.
"""

import importlib.util
import os
import sys
import types

QUIET = ["-q", "--tb=no", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:faulthandler"]
PLUGINS = (("xdist", ["-n0"]), ("pytest_cov", ["--no-cov"]), ("pytest_timeout", ["--timeout=0"]))
BENCHMARK = ["-o", "python_files=*.py", "-o", "python_functions=test_* bench_* benchmark_*"]
USAGE_ERROR = 4
MOST_PROCESS_NS = 200000000


class Tests:
    """Collected items and benchmark jobs, and one pass over them."""

    def __init__(self, job, core, parts):
        self.job, self.core, self.parts = job, core, parts
        self.timer = core.Timer()
        self.items, self.jobs, self.failed, self.skipped = [], [], set(), set()
        self.costs, self.wholes, self.current, self.report = {}, {}, None, None
        self.snapshot = None
        self.stateful = bool(job.get("stateful"))
        self.aside = set(job.get("aside", ()))

    def one_pass(self):
        """Run all that is kept. Returns (cpu ns, wall ns) of the bodies; failures gather in ``failed``."""
        self.sum = [0, 0]
        for item in self.items:
            if item.nodeid not in self.aside:
                self._whole(item.nodeid, item.config.hook.pytest_runtest_protocol, item=item, nextitem=None)
        for name, setup, call, teardown in self.jobs:
            if name not in self.aside:
                self._whole(name, self._job, test=name, setup=setup, call=call, teardown=teardown)
        self.timer.clocked(*self.sum)
        return tuple(self.sum)

    def _whole(self, name, run, **given):
        """Run one test or benchmark and remember how long it took with its fixtures."""
        self.current = name
        start = self.core.WALL()
        run(**given)
        self.wholes[name] = self.core.WALL() - start

    def _job(self, test, setup, call, teardown):
        try:
            setup()
            start = self.begin()
            result = call()
            if hasattr(result, "__await__"):
                import asyncio

                asyncio.run(result)
            self.end(start)
            teardown()
        except (Exception, SystemExit):
            self.failed.add(test)

    def begin(self):
        return self.core.cpu(), self.core.WALL()

    def end(self, start):
        wall = self.core.WALL() - start[1]
        spent = self.core.cpu() - start[0]
        self.sum[0] += spent
        self.sum[1] += wall
        known = self.costs.setdefault(self.current, [0, 0])
        known[0], known[1] = spent, wall

    def reset(self):
        if self.stateful:
            self.timer.begin_aside()
            self.snapshot.restore()
            self.timer.end_aside()

    def collected(self, items):
        self.items = list(items)
        for path in self.job.get("files", ()):
            module = self.parts["benchmarks"]._load(path, self.job["tree"])
            self.jobs.extend(("%s::%s" % (path, name), *rest) for name, *rest in self.parts["benchmarks"].jobs_of(module))
        self.snapshot = self.parts["state"].Snapshot(os.path.realpath(self.job["tree"]))
        if not self.items and not self.jobs:
            self.report = {"error": "no test or benchmark was collected"}
            return
        self.report = MODES[self.job["mode"]](self)


def calibrate(tests):
    """What a pass costs, which tests are kept, whether they may run again in one process."""
    clock = 1 if tests.job["metric"] == "wall" else 0
    tests.one_pass()
    tests.aside |= tests.failed | tests.skipped
    good = [name for name in tests.costs if name not in tests.aside]
    if not good:
        return {"error": "no test or benchmark that passes was collected"}
    tests.stateful = tests.snapshot.changed()
    kept = _fitting(tests, good)
    if not kept:
        return {"needs": min(tests.wholes[name] for name in good)}
    tests.aside |= set(good) - set(kept)
    whole, pass_ns, again = sum(tests.wholes[n] for n in kept), sum(tests.costs[n][clock] for n in kept), False
    if whole < tests.core.LONG_CALL_NS:
        pass_ns, again = _second(tests, clock, pass_ns)
    values = min(tests.core.how_many(pass_ns), max(1, MOST_PROCESS_NS // whole)) if again else 1
    return {
        "aside": sorted(tests.aside), "loops": 1, "values": values, "pass_ns": max(1, whole),
        "stateful": tests.stateful, "recorded": len(good), "used": len(kept), "per_pass": 1, "keep_first": not again,
        "inputs": _named(kept),
    }


def _fitting(tests, good):
    """The tests that fit the budget with their fixtures, the longest first: they are where the time goes."""
    kept, left = [], tests.job["most_ns"]
    for name in sorted(good, key=lambda name: (-tests.wholes[name], name)):
        if tests.wholes[name] <= left:
            kept.append(name)
            left -= tests.wholes[name]
    return kept


def _second(tests, clock, pass_ns):
    """A second pass says whether tests stand being run again; if not, one pass is all a process measures."""
    tests.failed.clear()
    tests.reset()
    spent = tests.one_pass()[clock]
    return (pass_ns, False) if tests.failed else (spent, True)


def _named(kept):
    import hashlib

    return hashlib.sha256("\n".join(sorted(kept)).encode("utf-8", "replace")).hexdigest()[:32]


def survey(tests):
    tests.one_pass()
    if tests.failed:
        return {"error": "tests fail while being measured: %s" % ", ".join(sorted(tests.failed)[:3])}
    kept = [name for name in tests.costs if name not in tests.aside]
    return {"stateful": tests.snapshot.changed(), "inputs": _named(kept)}


def measure(tests):
    first = tests.one_pass()
    values = tests.job["values"]
    if tests.job.get("keep_first"):
        tests.timer.value(*first)
        values -= 1
    for _ in range(values):
        tests.reset()
        tests.timer.value(*tests.one_pass())
    if tests.failed:
        return {"error": "tests fail while being measured: %s" % ", ".join(sorted(tests.failed)[:3])}
    return tests.core.report(tests.timer, first=list(first))


def peak(tests):
    if not tests.job["traced"]:
        tests.core.forget_peak()
        tests.one_pass()
        return {"peak": tests.core.peak_bytes()} if not tests.failed else {"error": "tests fail while being measured"}
    import tracemalloc

    tracemalloc.start()
    start = tracemalloc.get_traced_memory()[0]
    tests.one_pass()
    if tests.failed:
        return {"error": "tests fail while being measured"}
    return {"traced": max(1, tracemalloc.get_traced_memory()[1] - start)}


MODES = {"calibrate": calibrate, "survey": survey, "measure": measure, "peak": peak}


def plugins(tests):
    """Made when pytest is known to be there."""
    import pytest

    class Watch:
        def pytest_runtestloop(self, session):
            tests.collected(session.items)
            return True

        @pytest.hookimpl(hookwrapper=True, trylast=True)
        def pytest_runtest_call(self, item):
            start = tests.begin()
            yield
            tests.end(start)

        def pytest_runtest_logreport(self, report):
            if report.outcome == "failed":
                tests.failed.add(report.nodeid)
            elif report.outcome == "skipped":
                tests.skipped.add(report.nodeid)

    return [Watch()] + ([] if importlib.util.find_spec("pytest_benchmark") else [_stand_in(pytest)])


def _stand_in(pytest):
    """A module that holds the fixture: every pytest takes a plain function from there, on a class newer ones warn."""
    module = types.ModuleType("benchmark_stand_in")
    module.benchmark = pytest.fixture(name="benchmark")(_once)
    return module


def _once():
    """The ``benchmark`` fixture where its plugin is not installed: the function runs once and its result comes back."""

    def benchmark(function, *args, **kwargs):
        return function(*args, **kwargs)

    def pedantic(target, args=(), kwargs=None, setup=None, teardown=None, **_):
        given = setup() if setup is not None else None
        args, kwargs = given or (args, kwargs)
        result = target(*args, **(kwargs or {}))
        if teardown is not None:
            teardown(*args, **(kwargs or {}))
        return result

    benchmark.pedantic, benchmark.extra_info, benchmark.group = pedantic, {}, None
    return benchmark


def flags():
    found = [flag for module, more in PLUGINS if importlib.util.find_spec(module) for flag in more]
    return found + (["--benchmark-disable"] if importlib.util.find_spec("pytest_benchmark") else [])


def run(job, core, parts, send):
    tests = Tests(job, core, parts)
    if job["tree"] not in sys.path:
        sys.path.insert(0, job["tree"])
    if job["args"]:
        import pytest

        args = (BENCHMARK if job.get("benchmarks") else []) + list(job["args"])
        for extra in (flags(), [], ["-o", "addopts="] + flags()):
            if pytest.main(QUIET + extra + args, plugins=plugins(tests)) != USAGE_ERROR or tests.report:
                break
    else:
        tests.collected([])
    send(tests.report or {"error": "pytest collected nothing that can be measured"})
