"""Benchmarks that are not tests: asv classes, ``bench_*`` and ``time_*`` functions, scripts with a ``main()``.

Each callable runs between ``begin`` and ``end``: a first time always, then again while a tenth of a second has not
passed when the driver wants timed runs. A benchmark that fails is noted and skipped.
"""

import importlib.util
import inspect
import itertools
import os
import sys
import time
import types

PREFIXES = ("time_", "bench_", "benchmark_", "mem_", "peakmem_", "timeraw_")
TIMED_SECONDS = 0.1
MAX_PARAMS = 8


def run(files, driver):
    """Run what each file offers; ``driver`` is told about every failure."""
    for path in files:
        try:
            jobs = list(jobs_of(_load(path, driver.options["tree"])))
        except (Exception, SystemExit) as error:
            driver.note("%s could not be loaded: %s: %s" % (path, type(error).__name__, error))
            continue
        for name, setup, job, teardown in jobs:
            _one("%s::%s" % (path, name), setup, job, teardown, driver)


def _load(path, tree):
    full = os.path.join(tree, path)
    folder = os.path.dirname(full)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    name = os.path.splitext(os.path.basename(path))[0]
    if os.path.exists(os.path.join(folder, "__init__.py")):
        name = os.path.splitext(path)[0].replace("/", ".")
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(name, full)
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(name, module)
    spec.loader.exec_module(module)
    return module


def jobs_of(module):
    """``(name, setup, call, teardown)`` for everything in a module that looks like a benchmark."""
    found = 0
    for name, value in sorted(vars(module).items()):
        if getattr(value, "__module__", "") != module.__name__:
            continue
        if inspect.isclass(value):
            for job in _class_jobs(name, value):
                found += 1
                yield job
        elif name.startswith(PREFIXES) and callable(value):
            found += 1
            for job in _callable_jobs(name, value, value):
                yield job
    if not found and callable(getattr(module, "main", None)) and _takes_nothing(module.main):
        yield "main", _nothing, module.main, _nothing


def _class_jobs(name, cls):
    for attribute in sorted(dir(cls)):
        if attribute.startswith(PREFIXES) and callable(getattr(cls, attribute)):
            try:
                instance = cls()
            except Exception:
                return
            for job in _callable_jobs("%s.%s" % (name, attribute), getattr(instance, attribute), instance):
                yield job


def _callable_jobs(name, call, holder):
    setup, teardown = getattr(holder, "setup", None) or _nothing, getattr(holder, "teardown", None) or _nothing
    params = getattr(call, "params", None) or getattr(holder, "params", None)
    if not params:
        if _takes_nothing(call):
            yield name, setup, call, teardown
        return
    if not isinstance(params[0], (list, tuple)):
        params = [params]
    for chosen in itertools.islice(itertools.product(*params), MAX_PARAMS):
        yield name, _with(setup, chosen), _with(call, chosen), _with(teardown, chosen)


def _with(call, chosen):
    if call is _nothing:
        return call
    return lambda: call(*chosen)


def _nothing():
    return None


def _takes_nothing(call):
    try:
        inspect.signature(call).bind()
    except (TypeError, ValueError):
        return False
    return True


def _one(name, setup, job, teardown, driver):
    failed = False
    try:
        setup()
        _timed(name, job, driver)
        teardown()
    except (Exception, SystemExit) as error:
        failed = True
        driver.note("%s failed: %s: %s" % (name, type(error).__name__, str(error)[:120]))
    driver.outcome(failed)


def _timed(name, job, driver):
    driver.begin(name)
    try:
        until = time.perf_counter() + (TIMED_SECONDS if driver.options.get("timed") else 0)
        again = True
        while again:
            result = job()
            if inspect.iscoroutine(result):
                import asyncio

                asyncio.run(result)
            again = time.perf_counter() < until
    finally:
        driver.end()


def fixture(pytest, driver):
    """A ``benchmark`` fixture for repos whose plugin is not installed here; as long or as often as that would be."""

    class Benchmark:
        def __init__(self):
            self.extra_info, self.group, self.name = {}, None, ""

        def __call__(self, function, *args, **kwargs):
            until = time.perf_counter() + (TIMED_SECONDS if driver.options.get("timed") else 0)
            while True:
                result = function(*args, **kwargs)
                if time.perf_counter() >= until:
                    return result

        def pedantic(self, target, args=(), kwargs=None, setup=None, teardown=None, **_):
            if setup is not None:
                given = setup()
                args, kwargs = given if given else (args, kwargs)
            result = target(*args, **(kwargs or {}))
            if teardown is not None:
                teardown(*args, **(kwargs or {}))
            return result

    @pytest.fixture
    def benchmark():
        return Benchmark()

    return holder(benchmark)


def holder(fixture):
    """A module that holds the fixture: every pytest takes a plain function from there, on a class newer ones warn."""
    module = types.ModuleType("benchmark_stand_in")
    module.benchmark = fixture
    return module
