"""Runs the repo's tests with pytest and states every outcome as it happens, one JSON line each, on standard output.

pytest's own output goes to standard error. Every line repeats a nonce read from standard input before any test code
runs; the closing line repeats the counts, so that a suite that ends early or speaks for itself does not add up.
``lines`` ({"path", "lines"}) asks which lines of one file the tests execute. Standard library only, plus pytest.
"""

import importlib.util
import json
import os
import sys
import threading

_OUTCOMES = ("passed", "failed", "skipped", "errors")
_TOOL = 4  # of sys.monitoring; the lower ones have owners
_OWN_PROCESS = (("xdist", "-n0"), ("pytest_cov", "--no-cov"))


def main(options):
    """Options: ``tree``, ``args`` (pytest's), ``lines`` or null."""
    nonce = sys.stdin.readline().strip()
    sys.stdin = open(os.devnull)
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    os.chdir(options["tree"])
    finder = LineFinder(options.get("lines"))
    reporter = Reporter(channel, nonce, finder)
    import pytest

    with finder:
        code = pytest.main(options["args"] + _extra(finder), plugins=[reporter])
    reporter.close(int(code))
    return int(code)


def _extra(finder):
    """To see lines, tests run in this process and nobody else traces it."""
    return [flag for module, flag in _OWN_PROCESS if finder.on and importlib.util.find_spec(module)]


class Reporter:
    """The pytest plugin: one line a test, then the sum."""

    def __init__(self, channel, nonce, finder):
        self._channel, self._nonce, self._finder = channel, nonce, finder
        self._counts = dict.fromkeys(_OUTCOMES, 0)
        self._collected, self._seen = None, set()
        self._closed = False

    def say(self, line):
        line["nonce"] = self._nonce
        self._channel.write(json.dumps(line) + "\n")
        self._channel.flush()

    def pytest_collection_finish(self, session):
        self._collected = len(session.items)

    def pytest_runtest_logreport(self, report):
        if report.when == "teardown":
            self._seen.add(report.nodeid)
        outcome = self._outcome(report)
        if outcome in self._counts:
            self._count(report.nodeid, outcome, report)

    def pytest_collectreport(self, report):
        if report.failed:
            self._count(report.nodeid, "errors", report)

    def _outcome(self, report):
        """A test counts once by its call; set-up and tear-down count only when they fail or skip."""
        if report.when == "call":
            return "skipped" if hasattr(report, "wasxfail") and report.skipped else report.outcome
        if report.failed:
            return "errors"
        return "skipped" if report.skipped and report.when == "setup" else ""

    def _count(self, name, outcome, report):
        self._counts[outcome] += 1
        self.say({"kind": "test", "id": name, "outcome": outcome, "why": _why(report) if outcome != "passed" else ""})

    def close(self, code):
        if not self._closed:
            self._closed = True
            missing = max(0, self._collected - len(self._seen)) if self._collected else 0
            end = {"kind": "end", "code": code, "counts": self._counts, "missing": missing}
            self.say(dict(end, lines=sorted(self._finder.seen)))


def _why(report):
    crash = getattr(getattr(report, "longrepr", None), "reprcrash", None)
    text = crash.message if crash is not None else str(getattr(report, "longrepr", "") or "")
    return " ".join(text.split())[:300]


class LineFinder:
    """Which of the wanted lines run, in any thread: by sys.monitoring where it exists, else by a trace function."""

    def __init__(self, wanted):
        self.seen = set()
        self._path = wanted["path"] if wanted else ""
        self._lines = frozenset(wanted["lines"]) if wanted else frozenset()
        self.on = bool(self._lines)

    def __enter__(self):
        if not self.on:
            return
        if hasattr(sys, "monitoring"):
            self._monitor()
        else:
            threading.settrace(self._enter)
            sys.settrace(self._enter)

    def __exit__(self, *_):
        if not self.on:
            return
        if hasattr(sys, "monitoring"):
            sys.monitoring.set_events(_TOOL, 0)
            sys.monitoring.free_tool_id(_TOOL)
        else:
            sys.settrace(None)
            threading.settrace(None)

    def _monitor(self):
        monitoring = sys.monitoring
        monitoring.use_tool_id(_TOOL, "codeflash")
        monitoring.register_callback(_TOOL, monitoring.events.LINE, self._ran)
        monitoring.set_events(_TOOL, monitoring.events.LINE)

    def _ran(self, code, line):
        if line in self._lines and code.co_filename.endswith(self._path):
            self.seen.add(line)
        return sys.monitoring.DISABLE

    def _enter(self, frame, event, arg):
        if not frame.f_code.co_filename.endswith(self._path):
            return None
        return self._line

    def _line(self, frame, event, arg):
        if frame.f_lineno in self._lines:
            self.seen.add(frame.f_lineno)
        return self._line
