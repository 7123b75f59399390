"""The pre-screen: two measuring processes, one of each version, started once and asked for values in turn."""

import json
import os
import subprocess
import sys


def _start(arm, main):
    process = subprocess.Popen(
        [sys.executable, main], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=arm["job"]["tree"],
        env=dict(os.environ, **arm["env"]),
    )
    process.stdin.write((json.dumps(arm["job"]) + "\n").encode())
    process.stdin.flush()
    return process


def _ask(process):
    process.stdin.write(b"\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline().decode() or "{}").get("value")


def main():
    job = json.loads(sys.stdin.buffer.readline())
    main_file = os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), "main.pyc")
    first, second = (_start(arm, main_file) for arm in job["arms"])
    pairs = []
    for number in range(job["rounds"] + 1):
        if number % 2:
            after = _ask(second)
            before = _ask(first)
        else:
            before = _ask(first)
            after = _ask(second)
        pairs.append([before, after])
    print(json.dumps({"nonce": job["nonce"], "pairs": pairs[1:]}))
    sys.stdout.flush()
    for process in (first, second):
        process.kill()
        process.wait()


main()
