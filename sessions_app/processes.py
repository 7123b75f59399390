"""Who a worker process is: machine (boot and process namespace), pid and start time. A pid alone is reused."""

from __future__ import annotations

import hashlib
import os
import platform
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Owner:
    """``boot`` changes with each start of the machine, ``space`` is the process namespace (containers differ)."""

    boot: str
    space: str
    pid: int
    start: str

    def __str__(self) -> str:
        return f"{self.boot}:{self.space}:{self.pid}:{self.start}"

    @property
    def alive(self) -> bool:
        """Only meaningful for an owner of this machine and namespace."""
        return start_time(self.pid) == self.start


def parse(text: str) -> Owner | None:
    """Read an owner back; None for text this version did not write."""
    parts = text.split(":")
    if len(parts) != 4 or not parts[2].isdigit():
        return None
    return Owner(parts[0], parts[1], int(parts[2]), parts[3])


def me() -> Owner:
    """This process. Not cached: after a fork the pid differs."""
    return Owner(*machine(), os.getpid(), start_time(os.getpid()))


@cache
def machine() -> tuple[str, str]:
    """(boot, namespace), each a short hash; without ``/proc`` the machine's name stands for both."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        boot = space = platform.node()
    return _short(boot), _short(space)


def start_time(pid: int) -> str:
    """When the process started, in ticks since boot; empty when it is gone or only waits to be collected."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "" if Path("/proc/self/stat").exists() else _signalled(pid)
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else fields[19]


def _signalled(pid: int) -> str:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "running"


def _short(text: str) -> str:
    return hashlib.sha256(text.strip().encode()).hexdigest()[:12]
