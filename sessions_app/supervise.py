"""Two children, web and worker: started, restarted alone when one dies, stopped together."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.conf import settings

SHORTEST, LONGEST, STEADY = 0.5, 10.0, 30.0
STOP_SECONDS = 25.0
PR_SET_PDEATHSIG = 1
log = logging.getLogger("codeflash.up")


@dataclass
class Child:
    """One supervised process. After quick deaths the next start waits longer, up to ten seconds."""

    name: str
    argv: Sequence[str]
    env: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    due: float = 0.0
    pause: float = field(default=SHORTEST)

    def start(self) -> None:
        self.started = time.monotonic()
        # A session of its own: Ctrl-C in the terminal reaches us alone, and we stop the children in order.
        self.process = subprocess.Popen(
            self.argv,
            cwd=settings.BASE_DIR,
            env=self.env,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )

    def tend(self) -> None:
        """Notice a death and start again when it is time."""
        now = time.monotonic()
        if self.process is not None and self.process.poll() is not None:
            self.pause = SHORTEST if now - self.started > STEADY else min(self.pause * 2, LONGEST)
            log.warning("%s ended (%s); starting it again", self.name, self.process.returncode)
            self.process, self.due = None, now + self.pause
        if self.process is None and now >= self.due:
            self.start()

    def stop(self, deadline: float) -> None:
        if self.process is None:
            return
        try:
            self.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Supervisor:
    """``run`` tends the children until ``stop`` is called from a signal handler or another thread."""

    def __init__(self, children: Sequence[Child]) -> None:
        self.children = children
        self._stopping = threading.Event()

    def stop(self) -> None:
        self._stopping.set()

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def run(self) -> None:
        try:
            while not self._stopping.wait(0.2):
                for child in self.children:
                    child.tend()
        finally:
            self._stop_children()

    def _stop_children(self) -> None:
        deadline = time.monotonic() + STOP_SECONDS
        for child in self.children:
            if child.process is not None and child.process.poll() is None:
                child.process.terminate()
        for child in self.children:
            child.stop(deadline)


def web(port: int) -> Child:
    """The web server: one process, so one hub."""
    argv = [sys.executable, "-m", "gunicorn", "-k", "asgi", "-w", "1", "-b", f"127.0.0.1:{port}"]
    argv += ["--graceful-timeout", "2", "--timeout", "120", "--log-level", "warning", "--no-control-socket"]
    return Child("web", [*argv, "config.asgi:application"], _env(port))


def worker(port: int, places: int = 1) -> Child:
    argv = [sys.executable, "manage.py", "work", "--places", str(places)]
    return Child("worker", argv, _env(port))


def _env(port: int) -> dict[str, str]:
    # gunicorn would take options from there that nobody typed here.
    kept = {name: value for name, value in os.environ.items() if name != "GUNICORN_CMD_ARGS"}
    return {**kept, "CODEFLASH_PORT": str(port)}


def _end_with_parent() -> None:
    """When we are killed without a chance to stop them, the children are asked to end."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
