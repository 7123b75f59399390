"""One measured process of ab.py: runs a workload and prints what it took as one JSON line. Python 3.8 or newer.

    python ab_child.py script FILE LOOPS VALUES KEEP_FIRST | calibrate FILE CLOCK FRESH | import MODULE - | peak FILE TRACED

The clocks are bound before any code of the target is imported, so that nothing it does to ``time`` matters.
"""

import sys
from time import perf_counter_ns as wall
from time import process_time_ns as cpu_of_process

try:
    import resource
except ImportError:
    resource = None


def cpu():
    """CPU ns of this process, its threads, and the children that have ended."""
    if resource is None:
        return cpu_of_process()
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return cpu_of_process() + int((ended.ru_utime + ended.ru_stime) * 1e9)


def main(words):
    import json

    del sys.path[0]  # this folder: no script of ours may hide a module of the target
    out = sys.stdout
    sys.stdout = sys.stderr  # the workload may print; only our line goes to the parent
    found = {"script": script, "calibrate": calibrate, "import": imports, "peak": peak}[words[0]](*words[1:])
    found["peak"] = rss()
    out.write("\nAB " + json.dumps(found) + "\n")
    out.flush()


def load(path):
    """(setup, run) of a workload file."""
    import runpy

    names = runpy.run_path(path, run_name="workload")
    if not callable(names.get("run")):
        raise SystemExit("%s defines no function run(state)" % path)
    return names.get("setup") or (lambda: None), names["run"]


def once(setup, run, loops):
    state = setup()
    start_cpu, start_wall = cpu(), wall()
    for _ in range(loops):
        run(state)
    end_wall, end_cpu = wall(), cpu()
    return max(end_cpu - start_cpu, 1), max(end_wall - start_wall, 1)


def script(path, loops, values, keep_first):
    setup, run = load(path)
    if keep_first == "0":
        once(setup, run, 1)
    taken = [once(setup, run, int(loops)) for _ in range(int(values))]
    walls = sorted(each[1] for each in taken)
    p95 = walls[int(0.95 * (len(walls) - 1))] if len(walls) >= 20 else None
    return {"cpu": [each[0] for each in taken], "wall": [each[1] for each in taken], "p95": p95}


def calibrate(path, clock, fresh):
    """How many calls a value, how many values a process, and whether the first call counts."""
    setup, run = load(path)
    first = once(setup, run, 1)[1]
    side, loops = (1 if clock == "wall" else 0), 1
    taken = once(setup, run, loops)[side]
    while fresh == "0" and taken < 1_000_000 and loops < 1_000_000:
        loops *= 2
        taken = once(setup, run, loops)[side]
    return {"loops": loops, "values": max(1, int(50_000_000 / taken)), "keep_first": int(first > 1_000_000_000)}


def imports(module, _):
    import importlib

    start_cpu, start_wall = cpu(), wall()
    importlib.import_module(module)
    end_wall, end_cpu = wall(), cpu()
    return {"cpu": [max(end_cpu - start_cpu, 1)], "wall": [max(end_wall - start_wall, 1)]}


def peak(path, traced):
    setup, run = load(path)
    state = setup()
    if traced == "0":
        run(state)
        return {}
    import tracemalloc

    tracemalloc.start()
    run(state)
    return {"traced": tracemalloc.get_traced_memory()[1]}


def rss():
    """Most resident bytes; None where the system does not tell."""
    if resource is None:
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


if __name__ == "__main__":
    main(sys.argv[1:])
