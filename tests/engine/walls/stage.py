"""A sandbox to play in, and the programs that are played."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from engine.sandbox import Completed, Limits, Sandbox
from engine.values import Isolation

LEVELS = {"bubblewrap": "L2", "namespaces": "L1", "guard": "L1", "open": "L0"}
MIB = 2**20
DAEMON = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if os.fork():
        os._exit(0)
    open("ready", "w").write("1")
    while True:
        time.sleep(0.05)
os.wait()
while not os.path.exists("ready"):
    time.sleep(0.01)
"""
HANG = "import time, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: time.sleep(1)\n"
EAT = "import time\nkept = []\nfor _ in range(64):\n    kept.append(bytearray(b'x' * 2**24))\n    time.sleep(0.01)\n"


@dataclass(frozen=True)
class Stage:
    """A sandbox, a folder it may write, and a Python it can start."""

    sandbox: Sandbox
    work: Path
    python: str

    def run(self, code: str, *words: str, limits: Limits | None = None, **more: object) -> Completed:
        """A program with a marker in its command line, so that what is left of it can be found."""
        argv = [self.python, "-c", code, *words, self.marker]
        return self.sandbox.run(argv, cwd=self.work, writable=[self.work], limits=limits, **more)  # type: ignore[arg-type]

    @property
    def marker(self) -> str:
        return f"marker-{self.work}"

    def left_over(self) -> list[int]:
        """Processes of this stage's programs that are alive, seen from outside."""
        found = []
        for name in os.listdir("/proc"):
            try:
                words = Path("/proc", name, "cmdline").read_bytes() if name.isdigit() else b""
            except OSError:
                continue
            if self.marker.encode() in words and int(name) != os.getpid() and b"\0-c\0" in words:
                found.append(int(name))
        return found


def open_stage(mechanism: str, folder: Path) -> Stage:
    work = folder / "work"
    work.mkdir()
    python = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    sandbox = Sandbox(Isolation(level=LEVELS[mechanism], mechanism=mechanism), scratch=folder / "scratch")
    return Stage(sandbox, work, python)


def wait_for(path: Path, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.01)


WORKER = """
import os, sys
from pathlib import Path
from engine.sandbox import Sandbox
from engine.values import Isolation
mechanism, scratch, work, python = sys.argv[1:]
sandbox = Sandbox(Isolation(level="", mechanism=mechanism), scratch=Path(scratch))
sandbox.run([python, "-c", os.environ["CODE"], os.environ["MARKER"]], cwd=Path(work), writable=[Path(work)])
"""
