"""Times a whole command, ``python *args``, as seen by the parent: user and system time of all its processes."""

import resource
import subprocess
import sys


def _run(job, core):
    start_cpu, start_wall = core.cpu(), core.WALL()
    code = subprocess.call([sys.executable] + job["args"], stdin=subprocess.DEVNULL)
    return core.cpu() - start_cpu, core.WALL() - start_wall, code


def run(job, core, parts, send):
    timer = core.Timer()
    clock = 1 if job["metric"] == "wall" else 0
    first = _run(job, core)
    if first[2]:
        send({"error": "the command ended with exit code %d" % first[2]})
    elif job["mode"] == "calibrate":
        send(_plan(job, core, first[clock]))
    elif job["mode"] == "survey":
        send({"stateful": False, "inputs": ""})
    elif job["mode"] == "peak":
        send({"peak": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024})
    else:
        send(_measure(job, core, timer, first))


def _plan(job, core, pass_ns):
    if pass_ns > job["most_ns"]:
        return {"needs": pass_ns}
    return {
        "loops": 1, "values": core.how_many(pass_ns), "pass_ns": pass_ns, "stateful": False, "recorded": 1, "used": 1,
        "per_pass": 1, "keep_first": pass_ns > core.LONG_CALL_NS, "inputs": "",
    }


def _measure(job, core, timer, first):
    timer.clocked(*first[:2])
    kept = [first] if job.get("keep_first") else []
    while len(kept) < job["values"]:
        kept.append(_run(job, core))
        timer.clocked(*kept[-1][:2])
    if any(code for _, _, code in kept):
        return {"error": "the command failed while being measured"}
    for spent, wall, _ in kept:
        timer.value(spent, wall)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return core.report(timer, first=list(first[:2]), peak=peak)
