"""The machine as something that is measured on: held by one at a time, let go while it is noisy. Standard library only."""

import contextlib
import os
import sys
import tempfile
import time

try:
    import fcntl
except ImportError:  # no such lock on Windows
    fcntl = None

LEAST_LOAD, MOVED = 1.0, 1.5


def lock_path():
    name = "codeflash-measuring-%s.lock" % (os.getuid() if hasattr(os, "getuid") else "user")
    return os.environ.get("CODEFLASH_MEASURE_LOCK") or os.path.join(tempfile.gettempdir(), name)


@contextlib.contextmanager
def hold(shared):
    """Hold the machine: alone to measure, shared for everything else that is heavy. The kernel frees it when we die."""
    if fcntl is None:
        yield None
        return
    handle = os.open(lock_path(), os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except OSError:
            sys.stderr.write("ab: waiting for the machine: somebody measures or works on it\n")
            fcntl.flock(handle, kind)
        yield handle
    finally:
        os.close(handle)


def wait_for_quiet(handle, patience):
    """Up to ``patience`` seconds, the machine let go, until its load has fallen by a third."""
    sys.stderr.write("ab: the machine is noisy; waiting up to %g s for it to become quieter\n" % patience)
    if handle is not None:
        fcntl.flock(handle, fcntl.LOCK_UN)
    start, until = load_now(), time.monotonic() + patience
    while time.monotonic() < until and not quieter(start, load_now()):
        time.sleep(1.0)
    if handle is not None:
        fcntl.flock(handle, fcntl.LOCK_EX)


def quieter(start, now):
    return start is None or now is None or now < max(LEAST_LOAD, start / MOVED)


def load_now():
    """The one-minute load, None where there is none."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None
