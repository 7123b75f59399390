"""Asynchronous code: what each coroutine function waits for, how long it blocks the loop, how it waits in a row.

Every task of a loop made while watching runs inside a wrapper that times each step (wall and CPU of its thread). When
a step suspends, the chain of awaiting coroutines is read off; the innermost function of the repo owns the wait, it
is within reach of all of them. Idle time of the loop is shared evenly by the tasks that wait at that moment for something else than other tasks, so
concurrent waits are not counted twice. A wall-clock timer finds the line that blocks inside a step.
"""

import asyncio
import collections
import collections.abc
import signal
import threading
import time
import weakref

from . import workload
from .names import MODULE, Names

PERIOD = 0.002
CHAIN = 60


class Row:
    """One coroutine function of the repo."""

    def __init__(self, owner):
        self.owner = owner
        self.waits, self.wait, self.share, self.reach, self.steps = 0, 0, 0.0, 0.0, 0
        self.step_wall, self.step_cpu, self.blocked, self.lag = 0, 0, 0, 0
        self.sites = {}

    def data(self):
        sites = sorted(self.sites.items(), key=lambda each: (-each[1]["wait_ns"], each[0]))[:20]
        return {
            "line": self.owner.line, "waits": self.waits, "wait_ns": self.wait, "share_ns": int(self.share), "reach_ns": int(self.reach),
            "steps": self.steps, "step_wall_ns": self.step_wall, "step_cpu_ns": self.step_cpu,
            "blocked_ns": self.blocked, "worst_lag_ns": self.lag,
            "sites": [dict(site, line=line) for line, site in sites],
        }


class Wait:
    """Where a task stands: the chain of (Owner, line, coroutine), when it stopped, and the clock of shared idle time."""

    __slots__ = ("chain", "counts", "mark", "since")

    def __init__(self, chain, since, mark, counts):
        self.chain, self.since, self.mark, self.counts = chain, since, mark, counts


class Tasks:
    name = "aio"
    whole = False

    def __init__(self, options):
        self.names = Names(options["tree"], options["roots"], options["skip"])
        self.rows, self.active, self.problem = {}, False, ""
        self.waiting, self.clock, self.idle_from = 0, 0.0, None
        self.total, self.began, self.tasks = 0, 0, 0
        self.step_thread, self.step_from, self.step_cpu, self.last_tick = None, 0, 0, 0
        self.passed = weakref.WeakKeyDictionary()
        self._patch()

    def _patch(self):
        base, tool = asyncio.base_events.BaseEventLoop, self
        original = base.__init__

        def __init__(loop, *args, **kwargs):
            original(loop, *args, **kwargs)
            loop.set_task_factory(tool.factory)

        base.__init__ = __init__

    def factory(self, loop, coro, **kwargs):
        """The task factory: a plain task around the timed coroutine."""
        if self.active and asyncio.iscoroutine(coro) and hasattr(coro, "cr_frame"):
            coro = Timed(coro, self)
            self.tasks += 1
        return asyncio.Task(coro, loop=loop, **kwargs)

    def begin(self, test, source):
        self.active, self.waiting, self.idle_from = True, 0, None
        self.began = time.perf_counter_ns()
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGALRM, self._tick)
            signal.setitimer(signal.ITIMER_REAL, PERIOD, PERIOD)

    def end(self):
        if self.active:
            signal.setitimer(signal.ITIMER_REAL, 0)
            self.active = False
            self.total += time.perf_counter_ns() - self.began if self.tasks else 0
            self.step_thread = None

    def reached(self):
        return bool(self.rows)

    def row(self, owner):
        if owner.id not in self.rows:
            self.rows[owner.id] = Row(owner)
        return self.rows[owner.id]

    def step_started(self, wait):
        """Book the idle time of the loop, then what this task has waited."""
        now = time.perf_counter_ns()
        if self.idle_from is not None and self.waiting:
            self.clock += (now - self.idle_from) / self.waiting
        self.idle_from = None
        if wait is not None:
            self.waiting -= wait.counts
            self._waited(wait, now)
        self.step_thread, self.step_from, self.last_tick = threading.get_ident(), now, now
        self.step_cpu = time.thread_time_ns()

    def _waited(self, wait, now):
        for depth, (owner, line, coro) in enumerate(wait.chain):
            row = self.row(owner)
            row.wait += now - wait.since
            row.waits += 1
            if wait.counts:
                row.reach += self.clock - wait.mark
                row.share += 0.0 if depth else self.clock - wait.mark
            site = row.sites.setdefault(line, {"waits": 0, "wait_ns": 0, "in_row": 0})
            site["waits"] += 1
            site["wait_ns"] += now - wait.since
            passed = self.passed.setdefault(coro, collections.Counter())
            passed[line] += 1
            site["in_row"] = max(site["in_row"], passed[line])

    def step_ended(self, coro, token, before):
        """Time of the step goes to the functions it began or ended in; returns where the task waits now."""
        now, cpu = time.perf_counter_ns(), time.thread_time_ns() - self.step_cpu
        wall, self.step_thread = now - self.step_from, None
        chain = self.chain(coro)
        for owner in {owner.id: owner for owner, _, _ in chain + before}.values():
            row = self.row(owner)
            row.steps += 1
            row.step_wall += wall
            row.step_cpu += cpu
            row.lag = max(row.lag, wall)
        self.idle_from = now
        if coro.cr_frame is None:
            return None
        counts = 0 if isinstance(token, (asyncio.Task, _GATHERING)) else 1
        self.waiting += counts
        return Wait(chain, now, self.clock, counts)

    def chain(self, coro):
        """The repo's coroutines from the innermost to the task's own."""
        found, depth = [], 0
        while coro is not None and depth < CHAIN:
            frame, code = getattr(coro, "cr_frame", None), getattr(coro, "cr_code", None)
            owner = self.names.of(code) if code is not None else None
            if owner is not None and owner.qualname != MODULE and frame is not None:
                found.append((owner, frame.f_lineno, coro))
            coro, depth = getattr(coro, "cr_await", None), depth + 1
        return found[::-1]

    def safely(self, call, *args):
        """Nothing of ours may surface in the program under test: an error of ours ends the watching."""
        try:
            return call(*args)
        except Exception as error:
            self.active, self.problem = False, repr(error)
            return None

    def _tick(self, number, frame):
        self.safely(self._look, frame)

    def _look(self, frame):
        """On the wall clock: a step that goes on without using its CPU is blocked at this line."""
        now = time.perf_counter_ns()
        if self.step_thread != threading.get_ident():
            return
        since, self.last_tick = now - self.last_tick, now
        wall = now - self.step_from
        cpu = time.thread_time_ns() - self.step_cpu
        if wall < 1000000 or cpu > 0.5 * wall:
            return
        owners = []
        while frame is not None:
            owner = self.names.of(frame.f_code)
            if owner is not None and owner.qualname != MODULE and owner not in owners:
                owners.append(owner)
            frame = frame.f_back
        for depth, owner in enumerate(owners):
            self.row(owner).reach += min(since, wall)
            self.row(owner).blocked += 0 if depth else min(since, wall)

    def result(self):
        self.end()
        if self.problem:
            raise RuntimeError("the task profiler failed: %s" % self.problem)
        return {
            "targets": {key: row.data() for key, row in sorted(self.rows.items())},
            "wall_ns": self.total, "tasks": self.tasks,
        }


_GATHERING = type("Never", (), {})
if hasattr(asyncio.tasks, "_GatheringFuture"):
    _GATHERING = asyncio.tasks._GatheringFuture


class Timed(collections.abc.Coroutine):
    """A coroutine that behaves as the one inside and tells when its steps start and end."""

    def __init__(self, inner, tool):
        self._inner, self._tool, self._wait, self._before = inner, tool, None, []

    def send(self, value):
        return self._step(self._inner.send, value)

    def throw(self, *error):
        return self._step(self._inner.throw, *error)

    def close(self):
        return self._inner.close()

    def __await__(self):
        return self._inner.__await__()

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def _step(self, call, *args):
        tool, token = self._tool, None
        if not tool.active:
            return call(*args)
        before = tool.safely(self._began)
        try:
            token = call(*args)
            return token
        finally:
            self._wait = tool.safely(tool.step_ended, self._inner, token, before or [])

    def _began(self):
        before = self._wait.chain if self._wait else self._tool.chain(self._inner)
        self._tool.step_started(self._wait)
        return before


def main(options):
    workload.main(Tasks(options), options)
