"""Processes of the companion: who a pid is, and how to end it with everything it started. Standard library only."""

import contextlib
import os
import pathlib
import signal
import subprocess
import time

PROC = pathlib.Path("/proc")


def started(pid):
    """A text that tells this process from a later one with the same number; "" when it is gone."""
    if (PROC / "self" / "stat").exists():
        fields = stat_of(pid)
        return "" if not fields or fields[0] == "Z" else fields[19]
    return ps(["-o", "lstart=", "-p", str(pid)]).strip()


def alive(pid, since):
    """Whether the process that was noted is still there. Without a note, the number alone must do."""
    found = started(pid) if pid else ""
    return bool(found) and (not since or found == since)


def stat_of(pid):
    """Fields of /proc/<pid>/stat from the state on; [] when it is gone."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except (OSError, ValueError):
        return []
    return text.rpartition(")")[2].split()


def ps(words):
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(["ps", *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=2).stdout.decode()
    return ""


def table():
    """(pid, parent, group or session) of every process."""
    if (PROC / "self" / "stat").exists():
        rows = []
        for name in os.listdir(str(PROC)):
            fields = stat_of(name) if name.isdigit() else []
            if fields and fields[0] != "Z":
                rows.append((int(name), int(fields[1]), int(fields[3])))
        return rows
    rows = [line.split() for line in ps(["-A", "-o", "pid=,ppid=,pgid="]).splitlines()]
    return [(int(row[0]), int(row[1]), int(row[2])) for row in rows if len(row) == 3]


def tree(pid):
    """``pid``, its descendants, and whoever is in a session it leads."""
    rows, found = table(), {pid}
    found |= {row[0] for row in rows if row[2] == pid}
    while True:
        more = {row[0] for row in rows if row[1] in found} - found
        if not more:
            return found & {row[0] for row in rows}
        found |= more


def end(pid, since, patience=0.3):
    """End the process and all it started: asked first, then killed. True when none is left."""
    if not alive(pid, since):
        return True
    known = tree(pid) - {os.getpid()}
    send(known, signal.SIGTERM)
    until = time.monotonic() + patience
    while time.monotonic() < until and any(alive(each, "") for each in known):
        time.sleep(0.01)
    for _ in range(5):
        known |= {each for root in list(known) for each in tree(root)} - {os.getpid()}
        left = {each for each in known if alive(each, "")}
        if not left:
            return True
        send(left, signal.SIGKILL)
        time.sleep(0.02)
    return not any(alive(each, "") for each in known)


def on_end(act):
    """Have ``act`` called for each signal that asks this process to end."""
    for name in ("SIGTERM", "SIGHUP", "SIGINT"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), act)


def send(pids, number):
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, number)
