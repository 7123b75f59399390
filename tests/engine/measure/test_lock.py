"""The host's lock between real processes."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.measure.lock import holder_of, measuring, working
from engine.measure.model import Cancelled

SCRIPT = """
import sys
from pathlib import Path
from engine.measure.lock import measuring, working

kind, path, name = sys.argv[1:]

def say(words):
    print(words, flush=True)

def on_wait(behind, seconds):
    say(f"waits behind {behind}" if seconds is None else "waited")

path = Path(path)
lock = measuring(path, holder=name, on_wait=on_wait) if kind == "measuring" else working(path, on_wait=on_wait)
with lock:
    say("in")
    sys.stdin.readline()
say("out")
"""


class Other:
    """Another process that holds the lock until told to let go. ``words`` is what it has said so far."""

    def __init__(self, kind: str, path: Path, name: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, kind, str(path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.words: list[str] = []
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.words.append(line.strip())

    def said(self, word: str) -> bool:
        return any(each.startswith(word) for each in self.words)

    def let_go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                self.thread.join(5)
                stream.close()


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str, str], Other]]:
    others: list[Other] = []

    def make(kind: str, name: str) -> Other:
        others.append(Other(kind, tmp_path / "lock", name))
        return others[-1]

    yield make
    for other in others:
        other.end()


def test_two_measurers_take_turns_and_the_second_says_behind_whom(start, tmp_path):
    first = start("measuring", "session 41")
    until(lambda: first.said("in"))
    assert holder_of(tmp_path / "lock") == "session 41"
    second = start("measuring", "session 42")
    until(lambda: second.said("waits behind session 41"))
    assert not second.said("in")
    first.let_go()
    until(lambda: second.said("in"))
    assert second.said("waited")
    assert first.said("out")


def test_workers_share_and_a_measurer_waits_for_all_of_them(start):
    one, two = start("working", "a"), start("working", "b")
    until(lambda: one.said("in") and two.said("in"))
    measurer = start("measuring", "session 1")
    until(lambda: measurer.said("waits behind tests and profiles"))
    one.let_go()
    until(lambda: one.said("out"))
    assert not measurer.said("in")
    two.let_go()
    until(lambda: measurer.said("in"))


def test_a_waiting_measurer_blocks_new_workers(start):
    early = start("working", "early")
    until(lambda: early.said("in"))
    measurer = start("measuring", "session 1")
    until(lambda: measurer.said("waits"))
    late = start("working", "late")
    until(lambda: late.said("waits"))
    assert not late.said("in")
    early.let_go()
    until(lambda: measurer.said("in"))
    assert not late.said("in")
    measurer.let_go()
    until(lambda: late.said("in"))


def test_a_measurer_that_lets_go_cannot_snatch_the_lock_from_a_waiting_worker(start, tmp_path):
    path = tmp_path / "lock"
    with measuring(path, holder="me"):
        worker = start("working", "w")
        until(lambda: worker.said("waits behind me"))
    taken = threading.Event()

    def again() -> None:
        with measuring(path, holder="me again"):
            taken.set()

    thread = threading.Thread(target=again)
    thread.start()
    until(lambda: worker.said("in"))
    assert not taken.is_set()
    worker.let_go()
    thread.join(20)
    assert taken.is_set()


def test_the_kernel_frees_the_lock_of_a_killed_holder(start, tmp_path):
    holder = start("measuring", "session 9")
    until(lambda: holder.said("in"))
    holder.process.send_signal(signal.SIGKILL)
    holder.process.wait()
    assert holder_of(tmp_path / "lock") == ""
    with measuring(tmp_path / "lock", holder="after"):
        assert holder_of(tmp_path / "lock") == "after"
    assert holder_of(tmp_path / "lock") == ""


def test_whoever_waits_can_be_cancelled(start, tmp_path):
    holder = start("measuring", "session 9")
    until(lambda: holder.said("in"))
    stop = threading.Event()
    timer = threading.Timer(0.1, stop.set)
    timer.start()
    for lock in (
        measuring(tmp_path / "lock", holder="x", cancelled=stop.is_set),
        working(tmp_path / "lock", cancelled=stop.is_set),
    ):
        with pytest.raises(Cancelled), lock:
            pytest.fail("the lock was given away twice")


def test_nobody_waits_on_an_empty_host(tmp_path):
    heard: list[str] = []
    with measuring(tmp_path / "deep" / "lock", holder="x", on_wait=lambda behind, _: heard.append(behind)):
        pass
    with working(tmp_path / "deep" / "lock", on_wait=lambda behind, _: heard.append(behind)):
        pass
    assert heard == []


def test_a_lock_file_with_strange_content_names_nobody(tmp_path):
    for text in ("{", "[]", '{"pid": "x", "holder": "y"}', '{"pid": 0}'):
        (tmp_path / "lock").write_text(text)
        assert holder_of(tmp_path / "lock") == ""
