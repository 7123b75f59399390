"""Everything is killed at once, as by a power cut, and started again: nothing is lost, nothing claims to run."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import make_repo
from tests.faults.conftest import LONG, family
from tests.store.conftest import BASE, alive, until
from tests.tiny import TINY, fingerprint

LINK = re.compile(r"Open http://127\.0\.0\.1:(\d+)(/sign-in/\S+/)")
Start = Callable[..., tuple[subprocess.Popen[bytes], Path]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts ``manage.py up`` on one data folder, as often as it is called."""
    started: list[subprocess.Popen[bytes]] = []
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CODEFLASH_")}

    def up(*args: str) -> tuple[subprocess.Popen[bytes], Path]:
        log = tmp_path / f"up{len(started)}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-u", "manage.py", "up", "--port", str(free_port()), *args],
                cwd=BASE,
                env={**kept, "CODEFLASH_DATA_DIR": str(tmp_path / "var")},
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        started.append(process)
        return process, log

    yield up
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(60)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def rows(home: Path, sql: str) -> list[tuple[object, ...]]:
    if not (home / "db.sqlite3").exists():
        return []
    try:
        with sqlite3.connect(f"file:{home / 'db.sqlite3'}?mode=ro", uri=True, timeout=20) as db:
            return db.execute(sql).fetchall()
    except sqlite3.OperationalError:
        return []  # its tables are being made


def pull_the_plug(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to the supervisor and all below it at once; stopped first, so that it restarts nothing."""
    process.send_signal(signal.SIGSTOP)
    relatives = family(process.pid)
    for pid in (*relatives, process.pid):
        os.kill(pid, signal.SIGKILL)
    process.wait()
    until(lambda: not any(alive(pid) for pid in relatives), 15, "the end of every process")


def events(home: Path) -> list[tuple[object, ...]]:
    return rows(home, "select seq, kind, body from sessions_app_event where session_id = 1 order by seq")


def test_after_a_power_cut_the_session_is_interrupted_and_every_event_is_there(
    start: Start, tmp_path: Path
) -> None:
    source, home = make_repo(tmp_path / "tiny", TINY), tmp_path / "var"
    before = fingerprint(source)
    process, log = start("--repo", str(source), "--domain", "cpu")
    until(lambda: LINK.search(log.read_text()), 120, "a sign-in link")
    until(lambda: "team_formed" in [kind for _, kind, _ in events(home)], LONG, "work")
    read = events(home)
    pull_the_plug(process)

    _, log = start()
    found = until(lambda: LINK.search(log.read_text()), 120, "a sign-in link")
    status = "select status from sessions_app_session"
    until(lambda: rows(home, status) == [("interrupted",)], 60, "the end of the session")
    after = events(home)
    assert after[: len(read)] == read, "an event that could be read is gone"
    assert [seq for seq, _, _ in after] == list(range(1, len(after) + 1))
    assert [kind for _, kind, _ in after].count("session_interrupted") == 1
    connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=30)
    connection.request("GET", found[2])
    assert connection.getresponse().status == 200
    assert rows(home, "pragma integrity_check") == [("ok",)]
    assert fingerprint(source) == before
