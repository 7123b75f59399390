"""Replays recorded calls of one target under the clock.

A pass is every kept call once, or as often as its frequency says, in an order that changes from value to value but is
the same for both versions. Arguments that a call changes are fresh copies each time; what the modules keep between
calls is put back before each pass. Both happen off the clock.
"""

import collections
import gc
import itertools
import os
import sys

TOGETHER = 4
RAISED = (Exception, SystemExit)
COROUTINE = 0x80 | 0x200
asyncio = None


class Calls:
    """The target, its recorded calls, and how one pass over them is run."""

    def __init__(self, job, core, parts):
        self.job, self.core, self.parts = job, core, parts
        self.timer = core.Timer()
        self.imported = self._import()
        self.snapshot = parts["state"].Snapshot(os.path.realpath(job["tree"]))
        self.items = self._load()
        self.lazy = bool(job.get("lazy"))
        self.stateful = bool(job.get("stateful"))
        self.fresh = set(job.get("fresh", ()))
        self.plan = [tuple(each) for each in job.get("plan", ())]
        self.kept = {}
        self.waits = job["metric"] == "wall" and self.coroutine
        self.loop = _new_loop() if self.coroutine else None
        self.latencies = []

    def _import(self):
        start = self.core.cpu()
        __import__(self.job["module"])
        spent = self.core.cpu() - start
        self.function, self.drop_first = find(self.parts["calls"], self.job["module"], self.job["qualname"])
        flags = getattr(getattr(self.function, "__code__", None), "co_flags", 0)
        self.coroutine = bool(flags & COROUTINE) or self.job.get("call_kind") == "coroutine"
        return spent

    def _load(self):
        calls = self.parts["calls"]
        calls.prepare(os.path.dirname(self.job["file"]), self.job["tree"])
        return calls.raw_calls(self.job["file"])

    def arguments(self, index):
        """The arguments of one call: fresh when the call changes them, else the same objects each time."""
        if index in self.fresh or index not in self.kept:
            args, kwargs = self.parts["calls"].thaw(self.items[index]["blob"])
            args = tuple(args[1:]) if self.drop_first else tuple(args)
            if index in self.fresh:
                return args, kwargs
            self.kept[index] = (args, kwargs)
        return self.kept[index]

    def usable(self):
        """Indices of the calls that load here, smallest first; what is loaded is kept."""
        found = []
        for index in sorted(range(len(self.items)), key=lambda i: (self.items[i].get("size") or 0, i)):
            try:
                self.arguments(index)
            except Exception:
                continue
            found.append(index)
        return found

    def order(self, number):
        """The calls of one pass, each as often as the plan says, mixed by a small generator of our own."""
        order = [index for index, repeats in self.plan for _ in range(repeats)]
        state = (self.job["order"] * 2654435761 + number * 40503 + 1) & 0xFFFFFFFFFFFF
        for place in range(len(order) - 1, 0, -1):
            state = (state * 25214903917 + 11) & 0xFFFFFFFFFFFF
            other = (state >> 16) % (place + 1)
            order[place], order[other] = order[other], order[place]
        return order

    def sequence(self, number, loops):
        """The prepared calls of value ``number``: ``loops`` passes, each a list of (function, args, kwargs)."""
        order = self.order(number)
        call = self.drained if self.lazy else self.function
        together = TOGETHER if self.waits else 1
        return [
            [[(call,) + self.arguments(index) for _ in range(together)] if self.waits else (call,) + self.arguments(index)
             for index in order]
            for _ in range(loops)
        ]

    def drained(self, *args, **kwargs):
        result = self.function(*args, **kwargs)
        if hasattr(result, "__anext__"):
            return _drain_async(result)
        if hasattr(result, "__next__"):
            collections.deque(result, maxlen=0)
        return result

    def run(self, passes):
        """Run prepared passes. Returns (cpu ns, wall ns) of all; wall is the mean latency where the target waits."""
        if self.stateful:
            totals = [0, 0]
            for each in passes:
                self.restore()
                spent = self._clocked([each])
                totals[0] += spent[0]
                totals[1] += spent[1]
            return tuple(totals)
        return self._clocked(passes)

    def _clocked(self, passes):
        core, latencies = self.core, []
        start_cpu, start_wall = core.cpu(), core.WALL()
        if self.loop is None:
            _run(passes)
        elif self.waits:
            self.loop.run_until_complete(_run_together(passes, latencies, core.WALL))
        else:
            self.loop.run_until_complete(_run_async(passes))
        wall = core.WALL() - start_wall
        spent = core.cpu() - start_cpu
        self.timer.clocked(spent, wall)
        self.latencies.extend(latencies)
        return spent, (sum(latencies) // len(latencies) if latencies else wall)

    def restore(self):
        self.timer.begin_aside()
        self.snapshot.restore()
        self.timer.end_aside()

    def value(self, number, loops):
        self.timer.begin_aside()
        passes = self.sequence(number, loops)
        gc.collect()
        self.timer.end_aside()
        return self.run(passes)

    @property
    def clock(self):
        """Which of the two clocks decides: 0 for CPU, 1 for wall."""
        return 1 if self.job["metric"] == "wall" else 0

    def timed(self, number, loops):
        """Like ``value``, but always the whole time it took: (cpu ns, wall ns)."""
        before = self.timer.span_cpu, self.timer.span_wall
        self.value(number, loops)
        return self.timer.span_cpu - before[0], self.timer.span_wall - before[1]

    def results(self, number):
        """One pass whose results are kept: (cpu ns, wall ns, digest of the results in the order of the plan)."""
        kept = {}
        self.timer.begin_aside()
        order = self.order(number)
        if self.waits:
            calls = [
                [(self._keeping(kept, (index, (place, turn))),) + self.arguments(index) for turn in range(TOGETHER)]
                for place, index in enumerate(order)
            ]
        else:
            calls = [
                (self._keeping(kept, (index, (place, 0))),) + self.arguments(index) for place, index in enumerate(order)
            ]
        passes = [calls]
        gc.collect()
        self.timer.end_aside()
        spent = self.run(passes)
        self.timer.begin_aside()
        text = self.parts["digest"].digest([kept.get(key) for key in sorted(kept)])
        self.timer.end_aside()
        return spent + (text,)

    def _keeping(self, kept, key):
        """The target as one call of it: what comes back, or which error, is put into ``kept``."""
        function = self.function

        def call(*args, **kwargs):
            try:
                result = function(*args, **kwargs)
                if self.lazy and hasattr(result, "__next__"):
                    result = list(itertools.islice(result, 100000))
            except RAISED as error:
                result = ("raised", type(error).__name__)
            kept[key] = result
            return result

        async def waiting(*args, **kwargs):
            try:
                result = function(*args, **kwargs)
                result = [each async for each in result] if hasattr(result, "__anext__") else await result
            except RAISED as error:
                result = ("raised", type(error).__name__)
            kept[key] = result

        return waiting if self.coroutine else call


def _new_loop():
    """One loop for the whole process; loaded only for coroutines, since every process pays for it."""
    global asyncio
    import asyncio

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop


def find(calls, module, qualname):
    """The target as its callers reach it, and whether the first recorded argument (the class) is already bound."""
    owner, name, function = calls.resolve(module, qualname)
    raw = vars(owner)[name]
    if isinstance(raw, property):
        return raw.fget, False
    if isinstance(raw, classmethod):
        return getattr(owner, name), True
    public = getattr(owner, name)
    return (public if callable(public) else function), False


def _run(passes):
    for each in passes:
        for call, args, kwargs in each:
            try:
                call(*args, **kwargs)
            except RAISED:
                pass


async def _run_async(passes):
    for each in passes:
        for call, args, kwargs in each:
            try:
                result = call(*args, **kwargs)
                if hasattr(result, "__await__"):
                    await result
            except RAISED:
                pass
    await _leftovers()


async def _run_together(passes, latencies, clock):
    """Each call is started several times at once; its latency runs from that moment to its end."""
    for each in passes:
        for group in each:
            start = clock()
            await asyncio.gather(*[_timed(call, start, latencies, clock) for call in group])
    start = clock()
    await _leftovers()
    if latencies:
        extra = (clock() - start) // len(latencies)
        latencies[:] = [each + extra for each in latencies]


async def _timed(call, start, latencies, clock):
    function, args, kwargs = call
    try:
        result = function(*args, **kwargs)
        if hasattr(result, "__await__"):
            await result
    except RAISED:
        pass
    latencies.append(clock() - start)


async def _leftovers():
    """Tasks that a call has left behind are part of its cost."""
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    if rest:
        await asyncio.wait(rest, timeout=30)


async def _drain_async(generator):
    async for _ in generator:
        pass


def quantile(values, q):
    ordered = sorted(values)
    return ordered[int(q * (len(ordered) - 1))]


def measure(calls):
    """The values of one process, and everything the guards look at."""
    job = calls.job
    if "random" in sys.modules:
        sys.modules["random"].seed(job["order"])
    first = calls.results(0)
    _first_values(calls, first)
    for number in range(1, job["values"] + 1):
        calls.timer.value(*calls.value(number, job["loops"]))
    last = calls.results(job["values"] + 1)
    more = {"first": list(first[:2]), "imported": calls.imported, "digests": [first[2], last[2]]}
    if calls.waits:
        more["p95"] = quantile(calls.latencies, 0.95)
    return calls.core.report(calls.timer, **more)


def _first_values(calls, first):
    """A pass of more than a second is too dear to drop."""
    if calls.job.get("keep_first"):
        calls.timer.value(*first[:2])
        calls.job["values"] = max(0, calls.job["values"] - 1)
    gc.collect()
    if hasattr(gc, "freeze"):
        gc.freeze()


def peak(calls):
    """One pass over the distinct calls: how much memory it takes at its highest, really or as traced."""
    calls.plan = [(index, 1) for index, _ in calls.plan]
    passes = calls.sequence(0, 1)
    gc.collect()
    if not calls.job["traced"]:
        calls.core.forget_peak()
        calls.run(passes)
        return {"peak": calls.core.peak_bytes()}
    import tracemalloc

    tracemalloc.start()
    start = tracemalloc.get_traced_memory()[0]
    calls.run(passes)
    return {"traced": max(1, tracemalloc.get_traced_memory()[1] - start)}


def serve(calls):
    """One value for each line on standard input, for the pre-screen."""
    calls.results(0)
    for number, _ in enumerate(sys.stdin, 1):
        calls.job["send"]({"value": calls.value(number, calls.job["loops"])[calls.clock]})


MODES = {"measure": measure, "peak": peak}


def run(job, core, parts, send):
    calls = Calls(job, core, parts)
    if job["mode"] == "serve":
        job["send"] = send
        serve(calls)
    else:
        modes = MODES if job["mode"] in MODES else parts["plan"].MODES
        send(modes[job["mode"]](calls))
