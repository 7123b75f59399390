"""Between a worker and an engine: holds a pipe to the worker and ends every process of the session when it closes.

Standard library only, no Django: ``python -m sessions_app.shim -- PROGRAM ARGS...``. The worker starts it in a session
(process group) of its own. On stdin, ``T`` asks the engine to stop (SIGTERM), ``K`` or the pipe's end (also by kill -9
of the worker) kills everything. The exit code is the program's, or 128 + the signal that ended it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
KILLED = 137
SWEEPS = 200


def main(argv: list[str]) -> int:
    program = argv[argv.index("--") + 1 :]
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    woken = _wake_on_child()
    # The preexec function is safe here: this process has one thread.
    child = subprocess.Popen(program, stdin=subprocess.DEVNULL, preexec_fn=_before_exec)
    os.close(1)  # the worker must see the end of output when the engine's side closes, not ours
    code = _watch(child.pid, woken)
    sweep()
    return code


def _before_exec() -> None:
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for restored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(restored, signal.SIG_DFL)


def _wake_on_child() -> int:
    """A pipe end that becomes readable when a child ends, so that one ``select`` waits for both."""
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    return reader


def _watch(pid: int, woken: int) -> int:
    """Until the program has ended or the worker wants it dead."""
    while True:
        code = _collect(pid)
        if code is not None:
            return code
        ready, _, _ = select.select([0, woken], [], [], 5.0)
        if woken in ready:
            os.read(woken, 512)
        if 0 in ready and not _obey(os.read(0, 64), pid):
            return KILLED


def _obey(words: bytes, pid: int) -> bool:
    """False when everything is to be killed: the pipe has closed or says so."""
    if not words or b"K" in words:
        return False
    if b"T" in words:
        _signal(pid, signal.SIGTERM)
    return True


def sweep() -> None:
    """Kill every process below this one until none is left. Orphans come here because we are their subreaper."""
    for _ in range(SWEEPS):
        found = _children()
        if not found:
            return
        for pid in found:
            _signal(pid, signal.SIGKILL)
        _collect(0)
        time.sleep(0.01)


def _children() -> list[int]:
    """All descendants that are not yet dead; without ``/proc`` only the process group can be reached."""
    parents = dict(_table())
    mine, found = os.getpid(), []
    for pid in parents:
        above, steps = pid, 0
        while above in parents and above != mine and steps < 1000:
            above, steps = parents[above], steps + 1
        if above == mine and pid != mine:
            found.append(pid)
    return found


def _table() -> list[tuple[int, int]]:
    rows = []
    for entry in Path("/proc").iterdir() if Path("/proc/self").exists() else []:
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] not in "ZX":
            rows.append((int(entry.name), int(fields[1])))
    return rows


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _collect(pid: int) -> int | None:
    """Collect every dead child, adopted ones too; the exit code of ``pid`` when it is among them."""
    code = None
    try:
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            if found[0] == pid:
                ended = os.waitstatus_to_exitcode(found[1])
                code = ended if ended >= 0 else 128 - ended
    except ChildProcessError:
        pass
    return code


def _prctl(option: int, value: int) -> None:
    # Elsewhere than on Linux the pipe and the process group still hold.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
