"""Start one program behind the walls, watch its limits, end its whole tree."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.sandbox import box, watch
from engine.sandbox.inner import seccomp
from engine.sandbox.limits import Completed, Limits
from engine.sandbox.pipes import Pump
from engine.values import Isolation

GRACE_SECONDS = 2.0
FIRST_LOOK, LAST_LOOK = 0.05, 0.25


class SandboxError(Exception):
    """The sandbox was asked for something it cannot do; the message says what to change."""


@dataclass(frozen=True)
class _Report:
    """What the launcher wrote to the status pipe."""

    exit_code: int | None = None
    signal: int | None = None
    wall: float | None = None
    cpu: float | None = None
    peak: int | None = None
    setup: str = ""


class Sandbox:
    """Runs programs at one isolation level. ``scratch`` is a private folder for it alone (made when missing).

    When the worker is root, target code runs under a uid of its own: every folder given as writable is handed over to
    that uid (once, links not followed), and what is given as readable must be readable by everyone.
    Folders are seen under the same paths as outside. ``cwd`` is always readable. No run may use more than
    ``memory_bytes``, whatever its own limits say.
    """

    def __init__(self, isolation: Isolation, *, scratch: Path, memory_bytes: int | None = None) -> None:
        self.isolation = isolation
        self._memory_bytes = memory_bytes
        self.scratch = Path(os.path.realpath(scratch))
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.mechanism = _mechanism(isolation)
        self.uid = box.target_uid(self.scratch, self.mechanism)
        # Re-entrant: cancel may come from a signal handler in the middle of run.
        self._lock = threading.RLock()
        self._numbers = itertools.count(1)
        self._cancelled = False
        self._running: set[_Run] = set()

    def run(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        cwd: Path,
        readable: Sequence[Path] = (),
        writable: Sequence[Path] = (),
        env: Mapping[str, str] | None = None,
        limits: Limits | None = None,
        stdin: bytes = b"",
        network: bool = False,
    ) -> Completed:
        """Run ``argv`` to its end. Never raises for what the program does; SandboxError for a folder that is not there.

        A program that cannot be started ends with exit code 127 (not found) or 126, as in a shell.
        """
        words = tuple(os.fspath(word) for word in argv)
        if self._cancelled:
            return _not_run(words, cancelled=True)
        self._prepare(cwd, readable, writable)
        with _pipes() as pipes, self._filter() as program, self._tmp() as tmp:
            job = box.Job(
                mechanism=self.mechanism,
                argv=words,
                cwd=Path(os.path.normpath(Path(cwd).absolute())),
                readable=tuple(map(Path, readable)),
                writable=tuple(map(Path, writable)),
                limits=self._capped(limits or Limits()),
                network=network,
                uid=self.uid,
                scratch=self.scratch,
                tmp=tmp,
                status=pipes.status_write,
                leash=pipes.leash_read,
                filter=program,
            )
            return self._go(job, pipes, env or {}, stdin)

    def _capped(self, limits: Limits) -> Limits:
        if self._memory_bytes is None:
            return limits
        return replace(limits, memory_bytes=min(limits.memory_bytes, self._memory_bytes))

    def cancel(self) -> None:
        """From any thread: end what runs now; later runs come back cancelled at once."""
        with self._lock:
            self._cancelled = True
            running = tuple(self._running)
        for run in running:
            run.cut_short("cancelled")

    def _go(self, job: box.Job, pipes: _Pipes, env: Mapping[str, str], stdin: bytes) -> Completed:
        try:
            run = _Run(job, pipes, env=env, stdin=stdin)
        except (OSError, ValueError) as error:
            return _not_run(
                job.argv, limit="start", stderr=f"the sandbox could not be started: {error}\n".encode()
            )
        with self._lock:
            self._running.add(run)
        try:
            if self._cancelled:
                run.cut_short("cancelled")
            return run.finish()
        finally:
            with self._lock:
                self._running.discard(run)

    def _prepare(self, cwd: Path, readable: Sequence[Path], writable: Sequence[Path]) -> None:
        for path in (cwd, *readable, *writable):
            if not Path(path).exists():
                raise SandboxError(f"{path} is not there; make it before giving it to the sandbox")
        for path in writable:
            _hand_over(Path(path), self.uid)

    @contextlib.contextmanager
    def _tmp(self) -> Iterator[Path]:
        """Outside bubblewrap /tmp is a real folder of ours, one for each run, gone afterwards."""
        tmp = self.scratch / f"tmp-{os.getpid()}-{next(self._numbers)}"
        if self.mechanism == "bubblewrap":
            yield tmp
            return
        tmp.mkdir()
        _hand_over(tmp, self.uid)
        try:
            yield tmp
        finally:
            shutil.rmtree(tmp, ignore_errors=True)

    @contextlib.contextmanager
    def _filter(self) -> Iterator[int]:
        """The system-call filter for bubblewrap as an open file, -1 when there is none."""
        code = seccomp.boxed() if self.mechanism == "bubblewrap" else b""
        if not code:
            yield -1
            return
        with tempfile.TemporaryFile(dir=self.scratch) as file:
            file.write(code)
            file.seek(0)
            yield file.fileno()


@dataclass
class _Pipes:
    """The launcher reports through ``status`` and lives as long as ``leash`` is held at our end."""

    status_read: int
    status_write: int
    leash_read: int
    leash_write: int

    def close(self, *names: str) -> None:
        for name in names:
            number = getattr(self, name)
            setattr(self, name, -1)
            if number >= 0:
                os.close(number)


@contextlib.contextmanager
def _pipes() -> Iterator[_Pipes]:
    pipes = _Pipes(*os.pipe(), *os.pipe())
    try:
        yield pipes
    finally:
        pipes.close("status_read", "status_write", "leash_read", "leash_write")


class _Run:
    """One started program, from its first process to its report."""

    def __init__(self, job: box.Job, pipes: _Pipes, *, env: Mapping[str, str], stdin: bytes) -> None:
        self._job, self._pipes = job, pipes
        self._limit = ""
        self._lock = threading.RLock()
        self._started = time.monotonic()
        self._deadline = self._started + job.limits.wall_seconds
        self._hard_deadline: float | None = None
        self._look_every = FIRST_LOOK
        self._next_look = self._started + FIRST_LOOK
        self._process = _start(job, env, feed=bool(stdin))
        pipes.close("status_write", "leash_read")
        self._pump = Pump(self._process, stdin=stdin, limit=job.limits.output_bytes)

    def cut_short(self, limit: str) -> None:
        """End the tree and remember the first reason: let go of the leash, and kill what has not gone in time."""
        with self._lock:
            if self._limit or self._process.returncode is not None:
                return
            self._limit = limit
            self._hard_deadline = time.monotonic() + GRACE_SECONDS
            self._pipes.close("leash_write")

    def finish(self) -> Completed:
        try:
            self._pump.run(self._tick)
        finally:
            self._end_rest()
        report = _read_report(self._pipes.status_read)
        # Without a report the launcher itself was killed, by the kernel when memory ran out; else it never started.
        if not report.setup and self._process.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL):
            report = replace(report, signal=report.signal or signal.SIGKILL)
        return self._completed(report)

    def _end_rest(self) -> None:
        """Also on an exception here: nothing of the tree may outlive the run."""
        if self._process.poll() is None:
            watch.kill_tree(self._process.pid)
            self._process.wait()

    def _tick(self) -> float:
        """Check the limits; returns when to come back."""
        now = time.monotonic()
        if self._hard_deadline is not None:
            if now > self._hard_deadline:
                watch.kill_tree(self._process.pid)
            return now + 0.05
        if now >= self._deadline:
            self.cut_short("wall")
            return now + 0.05
        if now >= self._next_look:
            self._look()
        return min(self._deadline, self._next_look)

    def _look(self) -> None:
        """Memory of the whole tree and free disk; often at first, when programs grow, then less."""
        most = self._job.limits.memory_bytes
        if watch.memory(self._process.pid, over=most) > most:
            self.cut_short("memory")
        elif _disk_is_low(self._job.writable, self._job.limits.floor_bytes):
            self.cut_short("disk")
        self._look_every = min(LAST_LOOK, self._look_every * 1.5)
        self._next_look = time.monotonic() + self._look_every

    def _completed(self, report: _Report) -> Completed:
        limit = self._limit or self._limit_of(report)
        cancelled = limit == "cancelled"
        return Completed(
            argv=self._job.argv,
            exit_code=None if self._limit else report.exit_code,
            signal=signal.SIGKILL if self._limit else report.signal,
            stdout=self._pump.stdout.value(),
            stderr=self._pump.stderr.value(),
            cut=self._pump.cut,
            wall_seconds=report.wall if report.wall is not None else time.monotonic() - self._started,
            cpu_seconds=report.cpu,
            peak_rss_bytes=report.peak,
            timed_out=limit == "wall",
            limit="" if cancelled else limit,
            cancelled=cancelled,
        )

    def _limit_of(self, report: _Report) -> str:
        """The limit that the kernel enforced, as far as the end tells."""
        if report.setup or (report.exit_code is None and report.signal is None):
            return "start"
        allowed = self._job.limits.cpu_seconds
        spent = allowed is not None and (report.cpu or 0.0) >= allowed
        if report.signal == signal.SIGXCPU or (report.signal == signal.SIGKILL and spent):
            return "cpu"
        return "file" if report.signal == signal.SIGXFSZ else ""


def _start(job: box.Job, env: Mapping[str, str], *, feed: bool) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        box.command(job),
        stdin=subprocess.PIPE if feed else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**box.base_environment(job), **env},
        cwd="/",
        pass_fds=[number for number in (job.status, job.leash, job.filter) if number >= 0],
        start_new_session=True,
    )


def _mechanism(isolation: Isolation) -> str:
    if isolation.mechanism in box.MECHANISMS:
        return isolation.mechanism
    return {"L0": "open", "L1": "guard"}.get(isolation.level, "bubblewrap")


def _not_run(
    argv: tuple[str, ...], *, cancelled: bool = False, limit: str = "", stderr: bytes = b""
) -> Completed:
    return Completed(
        argv=argv,
        exit_code=None,
        signal=None,
        stdout=b"",
        stderr=stderr,
        cut=0,
        wall_seconds=0.0,
        cpu_seconds=None,
        peak_rss_bytes=None,
        timed_out=False,
        limit=limit,
        cancelled=cancelled,
    )


def _read_report(handle: int) -> _Report:
    """The status lines. A target that got hold of the pipe can only lie about itself, so anything odd is ignored."""
    os.set_blocking(handle, False)
    try:
        text = os.read(handle, 4096).decode("utf-8", "replace")
    except BlockingIOError:
        text = ""
    report = _Report()
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "setup":
            report = replace(report, setup=rest)
        elif kind in ("exit", "signal"):
            report = _numbers(report, kind, rest.split())
    return report


def _numbers(report: _Report, kind: str, words: list[str]) -> _Report:
    try:
        value, wall, cpu, peak = int(words[0]), float(words[1]), float(words[2]), int(words[3])
    except (ValueError, IndexError):
        return report
    report = replace(report, wall=wall, cpu=cpu, peak=peak * 1024 or None)
    return replace(report, exit_code=value) if kind == "exit" else replace(report, signal=value)


def _disk_is_low(writable: Sequence[Path], floor: int) -> bool:
    for path in writable:
        with contextlib.suppress(OSError):
            disk = os.statvfs(path)
            if disk.f_bavail * disk.f_frsize < floor:
                return True
    return False


def _hand_over(path: Path, uid: int) -> None:
    """Give a folder to the target's uid, once: the owner of the folder itself says whether that was done."""
    if not uid or path.lstat().st_uid == uid:
        return
    if not path.is_dir():
        os.chown(path, uid, uid, follow_symlinks=False)
        return
    for folder, names, files, handle in os.fwalk(path, topdown=False, follow_symlinks=False):
        del folder
        for name in (*names, *files):
            os.chown(name, uid, uid, dir_fd=handle, follow_symlinks=False)
        os.fchown(handle, uid, uid)
