"""Tests of a target repo that hang, fork without end, eat memory or print a gigabyte: the session fails, we do not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sessions_app.models import Session
from tests.conftest import make_repo
from tests.faults.conftest import House, ended, no_trace
from tests.store.server import Server
from tests.tiny import TINY, fingerprint

pytestmark = pytest.mark.django_db(transaction=True)
GROWTH_KIB = 50 * 1024
HANG = "def test_hang():\n    import time\n    time.sleep(3600)\n"
FORKS = (
    "import os, time\n\n\ndef test_forks():\n    while True:\n        try:\n            os.fork()\n"
    "        except OSError:\n            time.sleep(0.05)\n"
)
MEMORY = (
    "def test_memory():\n    kept = []\n    while True:\n        kept.append(bytearray(16 << 20))\n"
    "        kept[-1][::4096] = b'x' * len(kept[-1][::4096])\n"
)
PRINTS = (
    "import os\n\n\ndef test_prints():\n    block = b'x' * (1 << 20)\n    for _ in range(1024):\n"
    "        os.write(1, block)\n        os.write(2, block[:1024])\n    assert 1 == 2\n"
)
GREEDY = {
    "hang": (HANG, {"test_seconds": 4}, "time limit of 4 s"),
    "forks": (FORKS, {"test_seconds": 6}, "limit"),
    "memory": (MEMORY, {"test_seconds": 60, "memory_bytes": 192 << 20}, "memory limit of 192 MiB"),
    "prints": (PRINTS, {"test_seconds": 120}, "1 of 1 tests fail"),
}


def peak_kib(pid: int) -> int:
    """The most memory the process has held at once."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1])


def resident_kib(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1])


def one(house: House, folder: Path, name: str) -> tuple[Session, str]:
    """A session on a repo whose only test is greedy; returns it ended and the words a person reads."""
    text, limits, words = GREEDY[name]
    source = make_repo(folder / name, {**TINY, "tests/test_words.py": text})
    before = fingerprint(source)
    session = ended(house.launch(house.register(source), **limits), "failed")
    no_trace(session, set())
    assert fingerprint(source) == before
    assert words in session.end_reason, session.end_reason
    return session, session.end_reason


def test_greedy_tests_fail_their_session_and_nothing_else(house: House, tmp_path: Path) -> None:
    worker = house.worker()
    server = Server()
    server.start()
    try:
        ended(house.launch(mode="scan"), "finished")
        calm = resident_kib(worker.pid)
        for name in GREEDY:
            session, _ = one(house, tmp_path, name)
            failed = session.events.get(kind="stage_failed").body
            assert failed["advice"] and len(failed["output"]) <= 20_100, name
            assert server.answers(), name
        assert worker.poll() is None
        assert peak_kib(worker.pid) - calm < GROWTH_KIB
        ended(house.launch(mode="scan"), "finished")
    finally:
        server.kill()
