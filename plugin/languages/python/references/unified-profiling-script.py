"""CPU, memory and garbage collection of one program run, in one report.

    python unified-profiling-script.py [--root DIR]... [--json FILE] [--top N] [--no-memory] -- SCRIPT [ARG ...]
    python unified-profiling-script.py [options] -- -m MODULE [ARG ...]

Run it with the interpreter of the project. Standard library only, Python 3.8 or newer.

CPU is sampled (SIGPROF, 200 times a second of CPU time), so that shares are not distorted by the cost of observing. From
the program's first thread on, a thread of ours samples instead and charges each by its own CPU clock. Child processes are
not sampled; how much they took is noted. Memory is tracemalloc's: the snapshot with most bytes alive is kept. That makes
the program several times slower, so it is a second run of the same program, in a second process, unless --no-memory is
given. Garbage collection is timed by gc.callbacks in the first run. Exit status is the program's own.

Report, as JSON: {"program", "python", "wall_seconds", "cpu_seconds", "waiting_share", "peak_rss_bytes", "exit_status",
"cpu": [{"function", "path", "line", "own_share", "total_share", "samples"}],
"memory": {"peak_bytes", "sites": [{"path", "line", "bytes", "share", "blocks"}]} or null,
"gc": {"collections", "seconds", "share_of_cpu", "longest_seconds"}, "notes": [...]}
Shares are parts of all samples, 0 to 1. A value that could not be read is null, never 0.
"""

import argparse
import collections
import gc
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time

try:
    import resource
except ImportError:  # Windows
    resource = None

INTERVAL = 0.005
SNAPSHOT_SECONDS = 0.25
BY_SIGNAL = hasattr(signal, "setitimer")
HERE, FOLDER = os.path.abspath(__file__), os.getcwd()


class Sampler:
    """Counts which functions are on the stack. Own: innermost; total: anywhere on it, once a sample."""

    def __init__(self, roots):
        self.roots, self.samples = roots, 0
        self.own, self.total = collections.Counter(), collections.Counter()
        self.paths, self.stopped = {}, threading.Event()
        self.guard, self.watcher, self.clocks, self.spent = threading.Lock(), None, {}, {}

    def start(self):
        self.enter()
        threading.setprofile(self.new_thread)
        if not BY_SIGNAL:
            return self.watch()
        signal.signal(signal.SIGPROF, lambda _number, frame: self.take(frame))
        signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)

    def stop(self):
        self.stopped.set()
        threading.setprofile(None)
        if BY_SIGNAL:
            signal.setitimer(signal.ITIMER_PROF, 0)
        if self.watcher:
            self.watcher.join()

    def enter(self):
        """Note the clock of the calling thread; each must do it itself, that of an ended one must not be asked for."""
        ident = threading.get_ident()
        self.clocks[ident] = time.pthread_getcpuclockid(ident) if hasattr(time, "pthread_getcpuclockid") else None
        self.spent[ident] = time.thread_time()

    def new_thread(self, _frame, _event, _argument):
        """Called once in each thread of the program. The signal reaches the main thread only, so the method changes."""
        sys.setprofile(None)
        if threading.current_thread() is self.watcher:
            return
        self.enter()
        with self.guard:
            if self.watcher is None:
                signal.setitimer(signal.ITIMER_PROF, 0)
                for ident, clock in self.clocks.items():  # the signal has charged the time until now
                    self.spent[ident] = time.clock_gettime(clock) if clock is not None else 0.0
                self.watch()

    def watch(self):
        self.watcher = threading.Thread(target=self._watch, daemon=True)
        self.watcher.start()

    def _watch(self):
        while not self.stopped.wait(INTERVAL):
            for ident, frame in sys._current_frames().items():
                if ident in self.clocks:
                    self.take(frame, self.due(ident, self.clocks[ident]))

    def due(self, ident, clock):
        """How many intervals of CPU a thread has used since it was last charged; 1 where threads have no clock."""
        if clock is None:
            return 1
        try:
            count = int((time.clock_gettime(clock) - self.spent[ident]) / INTERVAL)
        except OSError:  # it ended just now
            return 0
        self.spent[ident] += count * INTERVAL
        return count

    def take(self, frame, count=1):
        """``count`` samples. The innermost frame of the roots is charged as own, library frames above it are its work."""
        seen, innermost = set(), None
        while frame is not None:
            code = frame.f_code
            path = self.absolute(code.co_filename)
            if path != HERE and self.inside(path):
                key = (path, getattr(code, "co_qualname", code.co_name), code.co_firstlineno)
                innermost = innermost or key
                seen.add(key)
            frame = frame.f_back
        self.samples += count
        if innermost and count:
            self.own[innermost] += count
            self.total.update(dict.fromkeys(seen, count))

    def absolute(self, path):
        """Code of a program named relatively has a relative path; the program may change its folder later."""
        if path not in self.paths:
            self.paths[path] = path if path.startswith("<") else os.path.join(FOLDER, path)
        return self.paths[path]

    def inside(self, path):
        below = not self.roots or any(path.startswith(root + os.sep) or path == root for root in self.roots)
        return below and not path.startswith("<")

    def rows(self, top):
        every = self.samples or None
        ranked = sorted(self.total, key=lambda key: (-self.own[key], -self.total[key], key))
        return [
            {
                "function": key[1],
                "path": shown(key[0]),
                "line": key[2],
                "own_share": round(self.own[key] / every, 4) if every else None,
                "total_share": round(self.total[key] / every, 4) if every else None,
                "samples": self.own[key],
            }
            for key in ranked[:top]
        ]


class Collections:
    """Times each garbage collection."""

    def __init__(self):
        self.count, self.spent, self.longest, self.since = 0, 0.0, 0.0, None

    def __call__(self, phase, _info):
        if phase == "start":
            self.since = time.process_time()
        elif self.since is not None:
            took = time.process_time() - self.since
            self.count, self.spent, self.longest = self.count + 1, self.spent + took, max(self.longest, took)


class Peak:
    """Keeps the snapshot with most bytes alive, looked at every quarter of a second and at the end."""

    def __init__(self, roots):
        import tracemalloc

        self.tracing, self.roots = tracemalloc, roots
        self.most, self.snapshot, self.stopped = 0, None, threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def start(self):
        self.tracing.start()
        self.thread.start()

    def _watch(self):
        while not self.stopped.wait(SNAPSHOT_SECONDS):
            self.look()

    def look(self):
        alive, _ = self.tracing.get_traced_memory()
        if alive > self.most * 1.05:
            self.most, self.snapshot = alive, self.tracing.take_snapshot()

    def stop(self):
        self.stopped.set()
        self.thread.join()
        self.look()
        _, self.peak = self.tracing.get_traced_memory()
        self.tracing.stop()

    def hidden(self, path):
        """The tracer's own blocks and loaded code, which nobody can make smaller."""
        return path in (HERE, self.tracing.__file__) or path.startswith("<frozen importlib")

    def report(self, top):
        sites = self.snapshot.statistics("lineno") if self.snapshot else []
        kept = [each for each in sites if not self.hidden(each.traceback[0].filename)]
        alive = sum(each.size for each in sites) or None
        return {
            "peak_bytes": self.peak,
            "sites": [
                {
                    "path": shown(each.traceback[0].filename),
                    "line": each.traceback[0].lineno,
                    "bytes": each.size,
                    "share": round(each.size / alive, 4) if alive else None,
                    "blocks": each.count,
                }
                for each in kept[:top]
            ],
        }


def shown(path):
    """The path relative to the folder this was started in when it lies below it."""
    here = FOLDER + os.sep
    return path[len(here) :] if path.startswith(here) else path


def run_program(words):
    """Run the program as python itself would; its exit status, and a note when it raised."""
    sys.argv = words[1:] if words[0] == "-m" else words
    try:
        if words[0] == "-m":
            sys.path[0] = os.getcwd()
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            sys.path[0] = os.path.dirname(os.path.abspath(words[0]))
            runpy.run_path(words[0], run_name="__main__")
    except SystemExit as leaving:
        if isinstance(leaving.code, str):
            sys.stderr.write(leaving.code + "\n")
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None), ""
    except BaseException as error:  # the report must come out whatever the program does
        return 1, "the program raised %s: %s" % (type(error).__name__, error)
    return 0, ""


def profile_cpu(options):
    """Run the program under the sampler and the collection timer."""
    sampler, pauses, others = Sampler(options.root), Collections(), children_cpu()
    gc.callbacks.append(pauses)
    wall, cpu = time.perf_counter(), time.process_time()
    sampler.start()
    status, note = run_program(options.program)
    sampler.stop()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    gc.callbacks.remove(pauses)
    return {
        "program": options.program,
        "python": sys.version.split()[0],
        "wall_seconds": round(wall, 4),
        "cpu_seconds": round(cpu, 4),
        "waiting_share": round(max(0.0, 1 - cpu / wall), 4) if wall else None,
        "peak_rss_bytes": peak_rss(),
        "exit_status": status,
        "cpu": sampler.rows(options.top),
        "memory": None,
        "gc": {
            "collections": pauses.count,
            "seconds": round(pauses.spent, 6),
            "share_of_cpu": round(pauses.spent / cpu, 4) if cpu else None,
            "longest_seconds": round(pauses.longest, 6),
        },
        "notes": notes(note, sampler, cpu, children_cpu() - others),
    }


def children_cpu():
    """CPU seconds of child processes that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN) if resource else None
    return ended.ru_utime + ended.ru_stime if ended else 0.0


def notes(note, sampler, cpu, others):
    words = [note] if note else []
    if sampler.samples < 100:
        words.append("only %d samples: run a longer workload before you believe a share" % sampler.samples)
    if others > max(0.05, 0.05 * cpu):
        words.append("child processes took %.2f s of CPU that is not in these shares; profile what they run" % others)
    if sampler.watcher and sampler.samples * INTERVAL < 0.7 * cpu:
        words.append("%.2f s of CPU were not seen: threads that live for milliseconds" % (cpu - sampler.samples * INTERVAL))
    if sampler.watcher and None in sampler.clocks.values():
        words.append("threads have no CPU clock here: waiting threads were charged like working ones")
    if sampler.samples and not sampler.own and cpu:
        words.append("no sample was inside the roots: is --root right?")
    return words


def peak_rss():
    """Bytes; null where the system does not tell."""
    if resource is None:
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def profile_memory(options):
    """Run the program under tracemalloc."""
    peak = Peak(options.root)
    peak.start()
    _status, note = run_program(options.program)
    peak.stop()
    return {"memory": peak.report(options.top), "notes": [note] if note else []}


def second_run(options):
    """The same program in a fresh process with memory tracing; its report, or a note."""
    roots = [word for root in options.root for word in ("--root", root)]
    with tempfile.TemporaryDirectory() as folder:
        name = os.path.join(folder, "memory.json")
        command = [sys.executable, HERE, "--only-memory", "--json", name, "--top", str(options.top), *roots, "--"]
        try:
            subprocess.run([*command, *options.program], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            with open(name, encoding="utf-8") as file:
                return json.load(file)
        except (OSError, ValueError) as error:
            return {"memory": None, "notes": ["memory was not traced: %s" % error]}


def text(report):
    """The report for people."""
    run = (" ".join(report["program"]), report["python"], report["wall_seconds"], report["cpu_seconds"])
    lines = [
        "%s, Python %s: wall %.2f s, CPU %.2f s, waiting %s, peak %s"
        % (*run, percent(report["waiting_share"]), size(report["peak_rss_bytes"])),
        "",
        "CPU  own  total  function",
    ]
    lines += [
        "  %6s %6s  %s (%s:%d)"
        % (percent(row["own_share"]), percent(row["total_share"]), row["function"], row["path"], row["line"])
        for row in report["cpu"]
    ]
    pauses = report["gc"]
    lines += ["", "Garbage collection: %d times, %.3f s, %s of CPU, longest %.1f ms" % (
        pauses["collections"], pauses["seconds"], percent(pauses["share_of_cpu"]), pauses["longest_seconds"] * 1000)]
    if report["memory"]:
        lines += ["", "Memory alive at the traced peak of %s" % size(report["memory"]["peak_bytes"])]
        lines += [
            "  %6s %10s  %s:%d" % (percent(row["share"]), size(row["bytes"]), row["path"], row["line"])
            for row in report["memory"]["sites"]
        ]
    return "\n".join(lines + ["", *("note: " + note for note in report["notes"])]) + "\n"


def percent(share):
    return "-" if share is None else "%.1f%%" % (share * 100)


def size(count):
    return "-" if count is None else "%.1f MiB" % (count / 2**20) if count >= 2**20 else "%.1f KiB" % (count / 1024)


def parse(words):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", action="append", default=[], help="only functions below this folder; may be repeated")
    parser.add_argument("--json", help="write the report here as JSON")
    parser.add_argument("--top", type=int, default=25)
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--only-memory", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("program", nargs=argparse.REMAINDER)
    options = parser.parse_args(words)
    options.program = options.program[1:] if options.program[:1] == ["--"] else options.program
    options.root = [os.path.abspath(root) for root in options.root]
    if not options.program or options.program == ["-m"]:
        parser.error("name the program after --, for example: -- -m pytest benchmarks")
    if options.program[0] != "-m" and not os.path.isfile(options.program[0]):
        parser.error("%s is no file; a module is run with -m" % options.program[0])
    return options


def main(words):
    options = parse(words)
    if options.only_memory:
        report = profile_memory(options)
    else:
        environment = dict(os.environ)
        report = profile_cpu(options)
        os.environ.clear()
        os.environ.update(environment)
        if not options.no_memory:
            second = second_run(options)
            report["memory"] = second["memory"]
            report["notes"] += [note for note in second["notes"] if note not in report["notes"]]
        sys.stderr.write(text(report))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            file.write(json.dumps(report, indent=1) + "\n")
    return report.get("exit_status", 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
