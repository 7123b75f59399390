"""Peak memory: traced allocations above the level at which a function was entered, per target and per line.

For each running target the peak while it was innermost ("own": its own lines and what they call outside the repo) is
kept apart from the peak of the whole call ("reach"). Lines come from a few snapshots that a timer takes when traced
memory stands well above the last one, one frame deep. Both miss what foreign allocators take; the peak resident size is reported by the CPU run beside it.
"""

import signal
import sys
import tracemalloc

from . import watch, workload
from .names import Names

SNAPSHOT_BYTES = 1 << 20
SNAPSHOTS = 12
SITES = 40
PERIOD = 0.02
_RESET = hasattr(tracemalloc, "reset_peak")


class Frame:
    __slots__ = ("own", "owner", "start", "top")

    def __init__(self, owner, start):
        self.owner, self.start, self.top, self.own = owner, start, start, start


class Peaks:
    """Follows the innermost target of the main thread; other threads' allocations count for it."""

    name = "peak"
    whole = False

    def __init__(self, options):
        self.names = Names(options["tree"], options["roots"], options["skip"])
        self.watch = Spans(watch.Targets(self.names), self)
        self.stack, self.rows = [], {}
        self.highest, self.base, self.snapshots, self.sites, self.shown = 0, 0, 0, {}, 0
        if _RESET:
            signal.signal(signal.SIGPROF, self._tick)
            signal.siginterrupt(signal.SIGPROF, False)

    def begin(self, test, source):
        tracemalloc.start(1)
        self.base, self.stack = tracemalloc.get_traced_memory()[0], []
        self.watch.start()
        self._timer(PERIOD)

    def end(self):
        self._timer(0)
        self.watch.stop()
        if not tracemalloc.is_tracing():
            return
        peak = self._settle()
        self.highest = max(self.highest, peak - self.base)
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
        self.highest = max(self.highest, peak - self.base)
        return peak

    def entered(self, owner):
        self._settle()
        self.stack.append(Frame(owner, tracemalloc.get_traced_memory()[0]))

    def left(self):
        if not self.stack:
            return
        self._settle()
        frame = self.stack.pop()
        if self.stack:
            self.stack[-1].top = max(self.stack[-1].top, frame.top)
        row = self.rows.setdefault(
            frame.owner.id, {"own_bytes": 0, "reach_bytes": 0, "calls": 0, "line": frame.owner.line}
        )
        own, reach = frame.own - frame.start, frame.top - frame.start
        row["own_bytes"] = max(row["own_bytes"], own)
        row["reach_bytes"] = max(row["reach_bytes"], reach)
        row["calls"] += 1

    @staticmethod
    def _timer(seconds):
        if _RESET:
            signal.setitimer(signal.ITIMER_PROF, seconds, seconds)

    def _tick(self, number, frame):
        if not tracemalloc.is_tracing() or self.snapshots >= SNAPSHOTS:
            return
        level = tracemalloc.get_traced_memory()[0] - self.base
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
        return {"targets": self.rows, "highest": self.highest, "sites": sites, "exact": _RESET}


class Spans:
    """Entering and leaving target bodies on the main thread, by profile hook on every version.

    A hook sees every exit, by value or by exception, in one place, which a stack needs.
    """

    def __init__(self, targets, peaks):
        self.targets, self.peaks = targets, peaks
        self.ours = {}

    def start(self):
        self.ours = {}
        sys.setprofile(self._event)

    def stop(self):
        sys.setprofile(None)

    def _event(self, frame, event, value):
        if event == "call":
            owner = self.targets.get(frame.f_code)
            if owner is not None:
                self.ours[id(frame)] = True
                self.peaks.entered(owner)
        elif event == "return" and self.ours.pop(id(frame), False):
            self.peaks.left()


def main(options):
    workload.main(Peaks(options), options)
