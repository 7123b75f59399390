"""CPU share: a sampler inside the process, on the profiling timer (250 Hz of CPU time, all threads).

The timer runs through; only ticks inside a body count. A tick weighs the CPU time since the last one, so a long call
into C is one heavy tick. With several threads the weight goes to each by its own CPU clock. Stacks are cut at the
innermost 2,000 frames and come out in the collapsed form, plus own and inclusive weight per target.
"""

import os
import resource
import signal
import sys
import threading
import time

from . import workload
from .names import MODULE, Names

PERIOD = 0.004
DEPTH = 2000
STACKS = 5000


class Sampler:
    name = "sample"
    whole = False

    def __init__(self, options):
        self.options = options
        self.names = Names(options["tree"], options["roots"], options["skip"])
        self.active, self.ticks, self.started = False, 0, False
        self.last, self.body, self.problem = 0.0, 0.0, ""
        self.stacks, self.hits, self.codes, self.clocks = {}, {}, {}, {}
        self.main = threading.main_thread().ident
        keep_ticks_for_main()

    def begin(self, test, source):
        now = time.process_time()
        if not self.started or signal.getsignal(signal.SIGPROF) != self._tick:
            self._arm()
        if threading.active_count() > 1:
            self._by_thread(sys._current_frames())
        self.body, self.active = now, True

    def end(self):
        self.active = False

    def _arm(self):
        self.started, self.last = True, time.process_time()
        signal.signal(signal.SIGPROF, self._tick)
        signal.setitimer(signal.ITIMER_PROF, PERIOD, PERIOD)

    def reached(self):
        return any(self.names.of(code) for code in self.codes.values())

    def _tick(self, number, frame):
        try:
            self._take(frame)
        except Exception as error:  # nothing of ours may surface in the program under test
            self.problem = repr(error)

    def _take(self, frame):
        now = time.process_time()
        since, self.last = now - self.last, now
        if not self.active:
            return
        weight = max(PERIOD, min(since, now - self.body))
        self.ticks += 1
        if threading.active_count() == 1:
            self._add(frame, weight)
            return
        frames = sys._current_frames()
        spent = self._by_thread(frames)
        total = sum(spent.values())
        for ident, used in spent.items():
            if used > 0 and total > 0:
                self._add(frame if ident == self.main else frames[ident], weight * used / total)

    def _by_thread(self, frames):
        """CPU seconds of each living thread since the last look."""
        spent = {}
        for ident in frames:
            now = time.clock_gettime(time.pthread_getcpuclockid(ident))
            spent[ident] = now - self.clocks.get(ident, now if ident == self.main else 0.0)
            self.clocks[ident] = now
        return spent

    def _add(self, frame, weight):
        stack = []
        while frame is not None and len(stack) < DEPTH:
            code = frame.f_code
            self.codes[id(code)] = code
            stack.append(id(code))
            frame = frame.f_back
        key = tuple(stack)
        if len(self.stacks) >= STACKS and key not in self.stacks:
            key = key[:40]
        self.stacks[key] = self.stacks.get(key, 0.0) + weight
        self.hits[key] = self.hits.get(key, 0) + 1

    def result(self):
        self.active = False
        if self.started:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, signal.SIG_IGN)
        if self.problem:
            raise RuntimeError("the sampler failed: %s" % self.problem)
        return summary(self)


def keep_ticks_for_main():
    """Other threads never take the timer's signal: the main thread, waiting for them, must be woken by it."""
    original = threading.Thread._bootstrap_inner

    def _bootstrap_inner(thread):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPROF})
        original(thread)

    threading.Thread._bootstrap_inner = _bootstrap_inner


def summary(sampler):
    """Own and inclusive CPU nanoseconds per target, the total inside the repo and the total of all bodies."""
    own, reach, lines, collapsed = {}, {}, {}, {}
    total, inside, ticks_inside = 0.0, 0.0, 0
    for stack, weight in sampler.stacks.items():
        owners = [o for o in (sampler.names.of(sampler.codes[c]) for c in stack) if o and o.qualname != MODULE]
        total += weight
        if not owners:
            continue
        inside += weight
        ticks_inside += sampler.hits[stack]
        own[owners[0].id] = own.get(owners[0].id, 0.0) + weight
        for key, line in {o.id: o.line for o in owners}.items():
            reach[key], lines[key] = reach.get(key, 0.0) + weight, line
        line = ";".join(_collapse([o.id for o in reversed(owners)]))
        collapsed[line] = collapsed.get(line, 0.0) + weight
    with open(os.path.join(sampler.options["out"], "cpu.collapsed"), "w", encoding="utf-8") as stream:
        for line in sorted(collapsed):
            stream.write("%s %d\n" % (line, collapsed[line] * 1e9))
    rows = {
        key: {"own_ns": int(own.get(key, 0) * 1e9), "reach_ns": int(reach[key] * 1e9), "line": lines[key]}
        for key in sorted(reach)
    }
    return {
        "targets": rows, "ticks": sampler.ticks, "ticks_inside": ticks_inside,
        "total_ns": int(total * 1e9), "inside_ns": int(inside * 1e9),
        "peak_rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    }


def _collapse(stack):
    """Direct recursion as one frame."""
    return [each for at, each in enumerate(stack) if not at or stack[at - 1] != each]


def main(options):
    workload.main(Sampler(options), options)
