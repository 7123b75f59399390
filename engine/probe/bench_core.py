"""What every measuring script shares: clocks bound before any code of the target, a private way out, memory figures.

Loaded first. The references below are taken before target code runs, so a target that patches ``time`` or
``resource`` afterwards changes nothing here. Standard library only, Python 3.8 and later.
"""

import json
import os
import resource
import sys
import time

CPU, WALL, THREAD = time.process_time_ns, time.perf_counter_ns, time.thread_time_ns
_usage, _CHILDREN, _SELF = resource.getrusage, resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF
_write, _exit, _dumps, _open, _listdir, _pid = os.write, os._exit, json.dumps, open, os.listdir, os.getpid
TICKS = os.sysconf("SC_CLK_TCK")
VALUE_NS = 2000000
PROCESS_NS = 50000000
MOST_VALUES = 25
LONG_CALL_NS = 1000000000


def cpu():
    """CPU ns of this process, all threads, and of the children it has waited for."""
    children = _usage(_CHILDREN)
    return CPU() + int((children.ru_utime + children.ru_stime) * 1e9)


class Channel:
    """Takes the real standard output for itself; what the target prints goes nowhere."""

    def __init__(self, nonce):
        self.nonce = nonce
        self.handle = os.dup(1)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.close(null)

    def send(self, report):
        line = (_dumps(dict(report, nonce=self.nonce)) + "\n").encode()
        while line:
            line = line[_write(self.handle, line):]


class Timer:
    """Adds up the clocked time, and apart from it the CPU that measuring itself takes in this thread."""

    def __init__(self):
        self.values_cpu, self.values_wall = [], []
        self.span_cpu = self.span_wall = self.aside = 0
        self._mark = THREAD()

    def clocked(self, cpu_ns, wall_ns):
        self.span_cpu += cpu_ns
        self.span_wall += wall_ns

    def value(self, cpu_ns, wall_ns):
        self.values_cpu.append(cpu_ns)
        self.values_wall.append(wall_ns)

    def begin_aside(self):
        self._mark = THREAD()

    def end_aside(self):
        self.aside += THREAD() - self._mark


def peak_bytes():
    """The most memory this process has held, in bytes, or None. ``VmHWM`` forgets what was there before exec."""
    try:
        with _open("/proc/self/status") as stream:
            for line in stream:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return _usage(_SELF).ru_maxrss * 1024 or None


def forget_peak():
    """Start the peak anew where the kernel allows it."""
    try:
        with _open("/proc/self/clear_refs", "w") as stream:
            stream.write("5")
    except OSError:
        pass


def switches():
    return _usage(_SELF).ru_nivcsw


def left_behind():
    """CPU ns so far of the processes below this one that are still there: a worker pool, say, never waited for."""
    try:
        found = dict(_stat(int(name)) for name in _listdir("/proc") if name.isdigit())
    except (OSError, ValueError, IndexError):
        return 0
    below, spent = {_pid()}, 0
    for _ in range(8):
        more = set(pid for pid, (parent, _) in found.items() if parent in below) - below
        if not more:
            break
        below |= more
        spent += sum(found[pid][1] for pid in more)
    return int(spent * 1e9 / TICKS)


def _stat(pid):
    """``(pid, (parent, ticks))`` with the ticks of the children it has waited for."""
    try:
        with _open("/proc/%d/stat" % pid) as stream:
            words = stream.read().rpartition(")")[2].split()
    except OSError:
        return pid, (0, 0)
    return pid, (int(words[1]), sum(int(word) for word in words[11:15]))


def how_many(pass_ns, loops=1):
    """How many values a process takes to measure about 50 ms."""
    return max(1, min(MOST_VALUES, int(round(PROCESS_NS / float(max(1, pass_ns * loops))))))


def report(timer, **more):
    """The part of a report that every kind of workload has."""
    found = {
        "cpu": timer.values_cpu, "wall": timer.values_wall, "span": [timer.span_cpu, timer.span_wall],
        "aside": timer.aside, "total": cpu(), "peak": peak_bytes(), "switches": switches(),
        "left": left_behind(), "python": "%d.%d.%d" % sys.version_info[:3],
    }
    found.update(more)
    return found


def leave(code=0):
    """End at once: threads and exit handlers of the target have no say in it."""
    _exit(code)
