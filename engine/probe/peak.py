"""Peak memory: traced allocations above the level at which a function was entered, per target and per line.

Tracing is dear, so it is on only inside the first calls of each target and inside calls with larger arguments than
before. For each running target the peak while it was innermost ("own": its own lines and what they call outside the
repo) is kept apart from the peak of the whole call ("reach"). Lines come from a few snapshots that a timer takes when
traced memory stands well above the last one, one frame deep. Both miss what foreign allocators take; the peak resident
size is reported by the CPU run beside it.
"""

import signal
import sys
import tracemalloc

from . import record, shapes, watch, workload
from .names import Names

SNAPSHOT_BYTES = 1 << 20
SNAPSHOTS = 12
SITES = 40
PERIOD = 0.02
TRACED_CALLS = 3
WEIGHED_CALLS = 2000
_RESET = hasattr(tracemalloc, "reset_peak")


class Frame:
    __slots__ = ("own", "row", "start", "top")

    def __init__(self, row, start):
        self.row, self.start, self.top, self.own = row, start, start, start


class Row:
    """One target: its highest peaks, and which of its calls were worth tracing."""

    def __init__(self, owner):
        self.owner, self.own, self.reach = owner, 0, 0
        self.calls, self.traced, self.largest = 0, 0, None

    def due(self, code, frame):
        """Whether this call is to be traced: one of the first, or larger than any traced before."""
        self.calls += 1
        if self.calls > WEIGHED_CALLS:
            return False
        weight = shapes.weight_of(record.arguments(code, frame)[2].values())
        if self.traced >= TRACED_CALLS and self.largest is not None and weight <= self.largest:
            return False
        self.largest = weight if self.largest is None else max(self.largest, weight)
        return True


class Peaks:
    """Follows the innermost target of the main thread; other threads' allocations count for it."""

    name = "peak"
    whole = False

    def __init__(self, options):
        self.names = Names(options["tree"], options["roots"], options["skip"])
        self.watch = Spans(watch.Targets(self.names), self)
        self.stack, self.rows, self.problem = [], {}, ""
        self.highest, self.snapshots, self.sites, self.shown = 0, 0, {}, 0
        if _RESET:
            signal.signal(signal.SIGPROF, self._tick)
            signal.siginterrupt(signal.SIGPROF, False)

    def begin(self, test, source):
        self.stack = []
        self.watch.start()

    def end(self):
        self.watch.stop()
        self._off()

    def rest(self):
        self.watch.tired = True

    def _on(self):
        if not tracemalloc.is_tracing():
            tracemalloc.start(1)
            self._timer(PERIOD)

    def _off(self):
        self._timer(0)
        self.stack = []
        tracemalloc.stop()

    def reached(self):
        return bool(self.rows)

    def _settle(self):
        """Book the peak since the last look on the innermost target, then start a new stretch."""
        now, peak = tracemalloc.get_traced_memory()
        if _RESET:
            tracemalloc.reset_peak()
        if self.stack:
            frame = self.stack[-1]
            frame.own = max(frame.own, peak)
            frame.top = max(frame.top, peak)

    def entered(self, owner, frame):
        """True when the call is followed: it is traced itself, or runs inside one that is."""
        row = self.rows.get(owner.id)
        if row is None:
            row = self.rows[owner.id] = Row(owner)
        if self.stack:
            row.calls += 1
            self._settle()
        elif row.due(frame.f_code, frame):
            self._on()
        else:
            return False
        row.traced += 1
        self.stack.append(Frame(row, tracemalloc.get_traced_memory()[0]))
        return True

    def left(self):
        if not self.stack:
            return
        self._settle()
        frame = self.stack.pop()
        row, own, reach = frame.row, frame.own - frame.start, frame.top - frame.start
        row.own, row.reach = max(row.own, own), max(row.reach, reach)
        if self.stack:
            self.stack[-1].top = max(self.stack[-1].top, frame.top)
        else:
            self.highest = max(self.highest, reach)
            self._off()

    @staticmethod
    def _timer(seconds):
        if _RESET:
            signal.setitimer(signal.ITIMER_PROF, seconds, seconds)

    def _tick(self, number, frame):
        try:
            self._look()
        except Exception as error:
            self.problem = repr(error)

    def _look(self):
        if not tracemalloc.is_tracing() or self.snapshots >= SNAPSHOTS:
            return
        level = tracemalloc.get_traced_memory()[0]
        if level > max(SNAPSHOT_BYTES, 1.2 * self.shown):
            self.shown = level
            self._settle()
            self._snapshot()
            tracemalloc.reset_peak()

    def _snapshot(self):
        """What is alive now, by line of the repo. Its own memory is kept out of every peak by the caller."""
        self.snapshots += 1
        for trace in tracemalloc.take_snapshot().statistics("lineno"):
            path = self.names.relative(trace.traceback[0].filename)
            if path and self.names.wanted(path):
                place = "%s:%d" % (path, trace.traceback[0].lineno)
                self.sites[place] = max(self.sites.get(place, 0), trace.size)

    def result(self):
        self.end()
        sites = sorted(self.sites.items(), key=lambda each: (-each[1], each[0]))[:SITES]
        rows = {
            key: {"own_bytes": row.own, "reach_bytes": row.reach, "calls": row.calls, "line": row.owner.line}
            for key, row in sorted(self.rows.items())
        }
        if self.problem:
            raise RuntimeError("the memory profiler failed: %s" % self.problem)
        return {"targets": rows, "highest": self.highest, "sites": sites, "exact": _RESET}


class Spans:
    """Entering and leaving target bodies on the main thread, by profile hook on every version.

    A hook sees every exit, by value or by exception, in one place, which a stack needs.
    """

    def __init__(self, targets, peaks):
        self.targets, self.peaks = targets, peaks
        self.ours, self.tired = {}, False

    def start(self):
        self.ours, self.tired = {}, False
        sys.setprofile(self._event)

    def stop(self):
        sys.setprofile(None)

    def _event(self, frame, event, value):
        try:
            if self.tired:
                self.peaks.end()
            else:
                self._span(frame, event)
        except Exception as error:  # nothing of ours may surface in the program under test
            self.stop()
            self.peaks.problem = repr(error)

    def _span(self, frame, event):
        if event == "call":
            owner = self.targets.get(frame.f_code)
            if owner is not None and self.peaks.entered(owner, frame):
                self.ours[id(frame)] = True
        elif event == "return" and self.ours.pop(id(frame), False):
            self.peaks.left()


def main(options):
    workload.main(Peaks(options), options)
