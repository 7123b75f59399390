"""Real worker processes on the test's own database file, with the fake engine in the engine's place."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

BASE = Path(__file__).resolve().parents[2]


def until(check: Callable[[], object], seconds: float = 30, what: str = "it") -> object:
    """Poll ``check`` until it is true; fails after ``seconds``."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = check()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come true within {seconds} s")


def alive(pid: int) -> bool:
    """Whether the process still runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def child_env(**more: str) -> dict[str, str]:
    """The environment of a process that shares this test's database and data folder."""
    from django.db import connection

    engine = f"{sys.executable} {BASE / 'tests' / 'store' / 'fake_engine.py'}"
    env = {**os.environ, "CODEFLASH_ENGINE_COMMAND": engine, **more}
    if connection.vendor == "sqlite":
        env["CODEFLASH_SQLITE"] = str(connection.settings_dict["NAME"])
    else:
        where = connection.settings_dict
        env["CODEFLASH_POSTGRES"] = f"{where['HOST']}|{where['USER']}|{where['NAME']}|{where['PORT']}"
    return env


@pytest.fixture
def start_worker(transactional_db: None, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts ``manage.py work`` processes; whatever is left of them is killed after the test."""
    started: list[subprocess.Popen[bytes]] = []
    log = (tmp_path / "workers.log").open("ab")

    def start(*args: str, **env: str) -> subprocess.Popen[bytes]:
        worker = subprocess.Popen(
            [sys.executable, "manage.py", "work", *args],
            cwd=BASE,
            env=child_env(**env),
            stderr=log,
        )
        started.append(worker)
        return worker

    yield start
    for worker in started:
        if worker.poll() is None:
            worker.send_signal(signal.SIGTERM)
    for worker in started:
        try:
            worker.wait(15)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
    log.close()
    print((tmp_path / "workers.log").read_text(errors="replace")[-4000:])
