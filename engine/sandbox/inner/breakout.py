"""Tries to get out of the sandbox and prints what happened as one JSON object.

Run as ``breakout.py PORT CANARY VICTIM CHILDREN`` with no module beyond the built-in ones needed.
"""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def main(port: int, canary: str, victim: int, children: int) -> None:
    attempts = {
        "network": lambda: reach(port),
        "home": lambda: read(canary),
        "write": lambda: write(canary),
        "signal": lambda: shoot(victim),
        "powers": powers,
        "started": lambda: str(multiply(children)),
    }
    found = {name: attempt_safely(attempt) for name, attempt in attempts.items()}
    import json

    print(json.dumps(found))


def attempt_safely(attempt: Callable[[], str]) -> str:
    try:
        return str(attempt())
    except Exception as error:
        return getattr(error, "strerror", None) or type(error).__name__


def reach(port: int) -> str:
    import socket

    with socket.create_connection(("127.0.0.1", port), 3):
        return "reached"


def read(path: str) -> str:
    with open(path) as file:  # noqa: PTH123
        return file.read()


def write(path: str) -> str:
    with open(path, "a") as file:  # noqa: PTH123
        file.write("changed")
    with open(path + ".new", "w") as file:  # noqa: PTH123
        file.write("made")
    return "written"


def shoot(pid: int) -> str:
    if pid in (os.getpid(), os.getppid()):
        return "not here"
    os.kill(pid, signal.SIGKILL)
    return "sent"


def powers() -> str:
    """``none``, or what the kernel still grants."""
    with open("/proc/self/status") as file:  # noqa: PTH123
        lines = dict(line.split(":", 1) for line in file if ":" in line)
    if int(lines["CapEff"], 16) or int(lines["CapPrm"], 16):
        return "capabilities " + lines["CapEff"].strip()
    if lines["NoNewPrivs"].strip() != "1":
        return "may gain powers from setuid programs"
    return "root's uid" if os.getuid() == 0 else "none"


def multiply(wanted: int) -> int:
    """How many children could be alive at once."""
    started = []
    try:
        for _ in range(wanted):
            child = os.fork()
            if child == 0:
                signal.pause()
            started.append(child)
    except OSError:
        pass
    for child in started:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return len(started)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
