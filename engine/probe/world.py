"""The world around one observed call: its outputs caught in order, its clock standing still, its dice loaded.

``install()`` once, before the target is imported, so that ``from time import sleep`` gets the quiet one too. Waiting
costs nothing (a sleep moves the clock), which also makes the outcome of timed code repeatable. Standard library only.
"""

import asyncio
import concurrent.futures
import logging
import os
import queue
import random
import signal
import sys
import threading
import time
import warnings

from .looks import type_name

REAL_CLOCK = time.perf_counter
CPU_CLOCK = time.process_time
_REAL_SLEEP = time.sleep
_START = 1700000000.0
_EARLY = (concurrent.futures, queue, threading, asyncio)  # imported first: they keep the real clock
_PATIENCE = 1000


class TooLong(BaseException):
    """The call was stopped: it ran past its limit."""


class _Tap:
    """A text stream that writes into the list of effects."""

    encoding = "utf-8"
    errors = "strict"
    closed = False

    def __init__(self, world, name):
        self._world = world
        self.name = "<%s>" % name
        self._name = name

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError("write() argument must be str, not %s" % type(text).__name__)
        self._world.wrote(self._name, text)
        return len(text)

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def flush(self):
        pass

    def isatty(self):
        return False

    def writable(self):
        return True

    def readable(self):
        return False

    def fileno(self):
        raise OSError("this stream has no file descriptor")


class World:
    """``effects`` lists what left the call, in order: (stream, text), ("warning", ...), ("log", ...)."""

    def __init__(self):
        self.effects = []
        self._now = 0.0
        self._asked = 0
        self._dice = random.Random(0)
        self._lock = threading.Lock()

    def install(self):
        sys.stdout, sys.stderr = _Tap(self, "stdout"), _Tap(self, "stderr")
        sys.stdin = open(os.devnull)
        warnings.showwarning = self._warned
        self._hear_logs()
        self._stop_clock()
        os.urandom = self._urandom
        random._urandom = self._urandom
        signal.signal(signal.SIGALRM, self._alarm)
        signal.signal(signal.SIGPROF, signal.SIG_DFL)

    def begin(self):
        """A clean slate before each call: no effects, the same seed, the same time."""
        self.effects = []
        self._now, self._asked = 0.0, 0
        self._dice.seed(1)
        random.seed(1)
        numpy = sys.modules.get("numpy")
        if numpy is not None and hasattr(numpy, "random"):
            numpy.random.seed(1)
        warnings.simplefilter("always")

    def wrote(self, name, text):
        if self.effects and self.effects[-1][0] == name and len(self.effects[-1][1]) < 100000:
            self.effects[-1] = (name, self.effects[-1][1] + text)
        elif len(self.effects) < 10000:
            self.effects.append((name, text))

    def limited(self, call, seconds):
        """call() with a time limit; raises TooLong. A C call that never looks up ends the process by its CPU time."""
        signal.setitimer(signal.ITIMER_PROF, seconds + 2.0)
        signal.setitimer(signal.ITIMER_REAL, seconds, 0.2)
        try:
            return call()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.setitimer(signal.ITIMER_PROF, 0)

    def _alarm(self, signum, frame):
        raise TooLong()

    def _warned(self, message, category, filename, lineno, file=None, line=None):
        self.effects.append(("warning", "%s: %s" % (type_name(category), message)))

    def _hear_logs(self):
        world, handle = self, logging.Logger.handle

        def hearing(logger, record):
            try:
                text = record.getMessage()
            except Exception as error:
                text = "unformattable: " + type_name(type(error))
            world.effects.append(("log", "%s %s %s" % (record.name, record.levelname, text)))
            return handle(logger, record)

        logging.Logger.handle = hearing
        logging.lastResort = None

    def _stop_clock(self):
        for name, start in (("time", _START), ("monotonic", 1000.0), ("perf_counter", 1000.0)):
            setattr(time, name, self._clock(start, 1, float))
            setattr(time, name + "_ns", self._clock(start, 10**9, int))
        time.sleep = self._sleep

    def _clock(self, start, scale, kind):
        def now():
            self._asked += 1
            if self._asked > _PATIENCE:  # whoever waits by looking at the clock must get somewhere
                self._now += 0.01
            return kind((start + self._now) * scale)

        return now

    def _sleep(self, seconds):
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        with self._lock:
            self._now += float(seconds)
        _REAL_SLEEP(0)

    def _urandom(self, size):
        return bytes(self._dice.getrandbits(8) for _ in range(size))


class _JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer instead of waiting, while no thread is at work."""

    def __init__(self):
        super().__init__()
        self._clock, self._working = 1000.0, 0
        self._look = self._selector.select
        self._selector.select = self._jump

    def time(self):
        return getattr(self, "_clock", 1000.0)

    def _jump(self, timeout=None):
        found = self._look(0)
        if found or (timeout is not None and timeout <= 0):
            return found
        if self._working or timeout is None:
            return self._look(0.02)
        self._clock += timeout
        return found

    def run_in_executor(self, executor, func, *args):
        future = super().run_in_executor(executor, func, *args)
        self._working += 1
        future.add_done_callback(self._rested)
        return future

    def _rested(self, future):
        self._working -= 1


def run_coroutine(world, coroutine):
    """Run under a fresh loop; tasks that it leaves behind are an effect, then they are cancelled."""
    loop = _JumpingLoop()
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(coroutine)
    finally:
        try:
            left = [task for task in asyncio.all_tasks(loop) if not task.done()]
            if left:
                world.effects.append(("tasks", "%d left running" % len(left)))
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)
            loop.close()
