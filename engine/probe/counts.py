"""Exact call counts in a run of their own: the deterministic profiler of the standard library, bodies only.

Its times are kept for functions too quick to be sampled; its shares are not used (the hook makes small calls look
dear). Resuming a generator or coroutine counts as a call here, so those counts are marked as not exact.
"""

import cProfile

from . import watch, workload
from .names import Names


class Counter:
    name = "counts"
    whole = False

    def __init__(self, options):
        self.names = Names(options["tree"], options["roots"], options["skip"])
        self.targets = watch.Targets(self.names)
        self.profile = cProfile.Profile(builtins=False)

    def begin(self, test, source):
        self.profile.enable()

    def end(self):
        self.profile.disable()

    def reached(self):
        return bool(self.result()["targets"])

    def result(self):
        self.profile.disable()
        rows = {}
        for entry in self.profile.getstats():
            owner = None if isinstance(entry.code, str) else self.targets.get(entry.code)
            if owner is not None:
                row = rows.setdefault(owner.id, {"calls": 0, "own_ns": 0, "total_ns": 0, "exact": True, "line": owner.line})
                row["calls"] += entry.callcount
                row["own_ns"] += int((entry.totaltime - self._below(entry)) * 1e9)
                row["total_ns"] += int(entry.totaltime * 1e9)
                row["exact"] = not (owner.lazy or owner.kind == "coroutine")
        return {"targets": rows}

    def _below(self, entry):
        """Seconds in other targets that were called directly; a recursive call is the function's own."""
        seconds = 0.0
        for sub in entry.calls or ():
            if not isinstance(sub.code, str) and sub.code is not entry.code and self.targets.get(sub.code):
                seconds += sub.totaltime
        return min(seconds, entry.totaltime)


def main(options):
    workload.main(Counter(options), options)
