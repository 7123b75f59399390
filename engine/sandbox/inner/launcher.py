"""The first program inside the sandbox: sets limits, gives up powers, starts the target, waits, reports, ends the rest.

Run as ``python -I -S -B launcher.py key=value ... -- program arguments``. Keys: ``status`` and ``leash`` (file
descriptors), ``uid`` (to become; 0 means keep), ``home``, ``chdir``, ``limit`` (``NAME:value``, of
``resource.RLIMIT_NAME``), ``guard`` (1: nothing ends what is left over for us, so do it here),
``read`` and ``write`` (paths that landlock shall allow; with these come seccomp and no_new_privs).

One line goes to ``status``: ``exit|signal <value> <wall s> <cpu s> <peak KiB>``, before it ``setup <reason>`` when the
target could not be started. When the other end of ``leash``
is closed, which happens at the latest when the worker dies, everything is ended.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import sys
import time
import types
import warnings  # noqa: F401  (execvp imports it late, when this interpreter may be out of reach)


def main(words: list[str]) -> int:
    cut = words.index("--")
    options = _options(words[:cut])
    status, leash = int(options["status"][0]), int(options["leash"][0])
    os.set_inheritable(status, False)
    os.set_inheritable(leash, False)
    guard = _guard(options)
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        _become_target(options, words[cut + 1 :], status, guard)
    _release_output()
    line = _supervise(child, leash, started, guard)
    os.write(status, line.encode())
    return 0


def _options(words: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for word in words:
        key, _, value = word.partition("=")
        found.setdefault(key, []).append(value)
    return found


def _guard(options: dict[str, list[str]]) -> types.ModuleType | None:
    """The guard module where no namespaces are around us: it must adopt the orphans before there are any."""
    if "guard" not in options:
        return None
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    guard = __import__("guard")
    guard.adopt_orphans()
    return guard if isinstance(guard, types.ModuleType) else None


def _become_target(
    options: dict[str, list[str]], command: list[str], status: int, guard: types.ModuleType | None
) -> None:
    """In the forked child: never returns."""
    try:
        _set_up(options, guard)
    except Exception as error:
        os.write(status, f"setup {error}\n".encode())
        os.write(2, f"the sandbox could not be set up: {error}\n".encode())
        os._exit(126)
    try:
        os.execvp(command[0], command)  # noqa: S606
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
        os._exit(127 if isinstance(error, FileNotFoundError) else 126)


def _set_up(options: dict[str, list[str]], guard: types.ModuleType | None) -> None:
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    os.umask(0o022)
    _volunteer_for_oom()
    for limit in options.get("limit", ()):
        name, _, value = limit.partition(":")
        _lower(getattr(resource, f"RLIMIT_{name}"), int(value))
    if guard:
        guard.die_with(os.getppid())
    _drop(int(options["uid"][0]))
    if guard and "read" in options:
        guard.wall_in(options["read"], options["write"])
    os.makedirs(options["home"][0], mode=0o700, exist_ok=True)  # noqa: PTH103
    os.chdir(options["chdir"][0])
    os.environ["PWD"] = options["chdir"][0]


def _lower(kind: int, value: int) -> None:
    """Soft and hard, not above the hard limit already in force."""
    hard = resource.getrlimit(kind)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    # The kernel warns with SIGXCPU at the soft limit and kills at the hard one: keep them apart to see the warning.
    above = value + 1 if kind == resource.RLIMIT_CPU and hard == resource.RLIM_INFINITY else value
    resource.setrlimit(kind, (value, above))


def _volunteer_for_oom() -> None:
    """When the machine runs out of memory, the kernel shall take the target before the worker or the site."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123
            file.write("1000")
    except OSError:
        return


def _drop(uid: int) -> None:
    if uid and os.getuid() == 0:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)


def _release_output() -> None:
    """Only the target holds stdin, stdout and stderr, so that their ends are seen when it ends."""
    null = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    os.close(null)


def _supervise(child: int, leash: int, started: float, guard: types.ModuleType | None) -> str:
    wake = _child_alarm()
    poll = select.poll()
    poll.register(leash, select.POLLIN)
    poll.register(wake, select.POLLIN)
    tally = Tally()
    while not tally.reap(child):
        ready = dict(poll.poll())
        if leash in ready:
            _kill(child)
            tally.wait(child)
            break
        _empty(wake)
    wall = time.monotonic() - started
    if guard:
        guard.end_everything_below()
    return f"{tally.end} {wall:.6f} {tally.cpu:.6f} {tally.peak}\n"


def _child_alarm() -> int:
    """A file descriptor that becomes readable when a child ends."""
    wake, ring = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(ring)
    return wake


def _empty(wake: int) -> None:
    try:
        while os.read(wake, 512):
            pass
    except BlockingIOError:
        pass


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return


class Tally:
    """Collects ended children (orphans too) and what they used."""

    def __init__(self) -> None:
        self.end = "signal 9"
        self.cpu = 0.0
        self.peak = 0

    def reap(self, child: int) -> bool:
        """Take in everything that has ended; True once ``child`` is among it."""
        while True:
            try:
                pid, status, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            self._add(used)
            if pid == child:
                self._ended(status)
                return True

    def wait(self, child: int) -> None:
        """After the kill: give the end of ``child`` a second to show what it used."""
        deadline = time.monotonic() + 1.0
        while time.monotonic() < deadline and not self.reap(child):
            time.sleep(0.005)

    def _add(self, used: resource.struct_rusage) -> None:
        self.cpu += used.ru_utime + used.ru_stime
        self.peak = max(self.peak, used.ru_maxrss)

    def _ended(self, status: int) -> None:
        code = os.waitstatus_to_exitcode(status)
        self.end = f"signal {-code}" if code < 0 else f"exit {code}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
