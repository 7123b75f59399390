"""Times the fresh import of one module. Loads nothing itself beforehand that the module might want to load.

Standard input is one line of four words: nonce, module, and two unused ones. Answers with one JSON line.
"""

import os
import sys
import time

CPU, WALL = time.process_time_ns, time.perf_counter_ns
WRITE, EXIT, OPEN = os.write, os._exit, open


def _peak():
    with OPEN("/proc/self/status") as stream:
        for line in stream:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def main():
    nonce, name = sys.stdin.readline().split()[:2]
    here = os.path.dirname(os.path.abspath(sys.argv[0]))
    sys.path[:] = [p for p in sys.path if os.path.abspath(p or ".") != here]
    sys.argv[:] = [""]
    getattr(sys, "orig_argv", [])[1:] = []
    sys.modules["__main__"].__dict__.pop("__file__", None)
    answer = os.dup(1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    start_wall, start = WALL(), CPU()
    __import__(name)
    spent, wall = CPU() - start, WALL() - start_wall
    text = '{"nonce": "%s", "cpu": [%d], "wall": [%d], "span": [%d, %d], "aside": 0, "total": %d, "peak": %d}\n' % (
        nonce, spent, wall, spent, wall, CPU(), _peak(),
    )
    WRITE(answer, text.encode())
    EXIT(0)


main()
