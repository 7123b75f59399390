"""kill -9 of the worker in each stage: no process is left, nothing is half kept, and the session can be resumed.

Chains of sessions, each resumed from the one killed before it, so that every stage is both left and entered again.
"""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection

from sessions_app import checkup, folders
from sessions_app.models import Session
from tests.conftest import make_repo
from tests.faults.conftest import (
    HOLD,
    LONG,
    House,
    await_said,
    branch_of,
    ended,
    family,
    held,
    no_trace,
    said,
    traces,
    until,
)
from tests.tiny import TINY, fingerprint

pytestmark = pytest.mark.django_db(transaction=True)
LOCKED_SECONDS = 30


@pytest.fixture
def killing(house: House, tmp_path: Path) -> House:
    files = {**TINY, "conftest.py": HOLD, "pyproject.toml": TINY["pyproject.toml"].replace("1.0", "1.9")}
    house.source = make_repo(tmp_path / "killed", files)
    house.repo = house.register(house.source)
    return house


def kill_when(house: House, session: Session, ready: Callable[[Session], object]) -> Session:
    """Start a worker, wait for the moment, kill -9 it, and let the next worker's reaper tell the end."""
    worker = house.worker()
    ready(session)
    relatives = family(worker.pid)
    assert relatives, "nothing was running at the moment of the kill"
    worker.kill()
    worker.wait()
    no_trace(session, relatives)
    assert session.events.filter(kind="session_interrupted").count() == 0
    reaper = house.worker()
    ended(session, "interrupted", 60)
    assert "Resume" in session.events.order_by("-seq").first().body["advice"]
    reaper.terminate()
    assert reaper.wait(60) == 0
    return session


def in_setup(session: Session) -> None:
    await_said(session, "agent_started", agent="setup")


def in_baseline(session: Session) -> None:
    await_said(session, "team_formed")


def in_validate(session: Session) -> None:
    """The suite is held, so its process surely runs when the worker dies."""
    await_said(session, "setup_finished")
    until(lambda: any("no:cacheprovider" in words for words in traces(session)), LONG, "the suite")


def in_experiment(session: Session) -> None:
    await_said(session, "experiment_advanced", step="benchmark")


def at_the_commit(session: Session) -> None:
    """The branch has just moved; the row that tells of it is hardly on its way."""
    await_said(session, "baseline_profiled")
    branch = folders.clone_of(session.pk) / "refs" / "heads" / session.branch
    start = (folders.clone_of(session.pk) / "refs" / "codeflash" / "base").read_text()
    until(lambda: branch.read_text() not in ("", start), LONG, "the commit")


def in_review(session: Session) -> None:
    await_said(session, "agent_started", agent="review")


def test_kill_9_before_anything_is_kept(killing: House) -> None:
    before = fingerprint(killing.source)
    session = kill_when(killing, killing.launch(), in_setup)
    session = kill_when(killing, killing.resume(session), in_baseline)
    scribble(session)
    with held():
        session = kill_when(killing, killing.resume(session), in_validate)
    session = kill_when(killing, killing.resume(session), in_experiment)
    assert not branch_of(session)
    assert fingerprint(killing.source) == before


def test_kill_9_after_a_commit_and_going_on_until_the_end(killing: House) -> None:
    before = fingerprint(killing.source)
    session = kill_when(killing, killing.launch(), at_the_commit)
    (commit,) = branch_of(session).values()
    told = list(session.experiments.filter(status="keep").values_list("commit", flat=True))
    assert told or any(commit[:10] in fact.words for fact in checkup.mend()), "neither a row nor a word of it"
    forget(session)
    session = kill_when(killing, killing.resume(session), in_review)
    assert said(session, "progress_restored", kept=1)
    assert list(branch_of(session).values()) == [commit]
    recovered = session.experiments.get(status="keep")
    assert (recovered.commit, recovered.qualname, recovered.ratio) == (commit, "known", None)
    assert not any(commit[:10] in fact.words for fact in checkup.mend()), "told as lost although it was found"

    last = killing.resume(session)
    worker = killing.worker()
    await_said(last, "session_started")
    lock_the_database()
    ended(last, "finished")
    assert last.head == commit and last.verdict in ("APPROVE", "REQUEST_CHANGES")
    titles = [each["title"] for each in findings_of(last)]
    assert "Experiment 1 was recovered from its commit and measured here" in titles, titles
    assert not [each for each in findings_of(last) if each["severity"] == "critical"]
    assert said(last, "cleaned_up") and last.reviews.count() == 1
    assert fingerprint(killing.source) == before
    worker.terminate()
    assert worker.wait(60) == 0


def forget(session: Session) -> None:
    """As if the kill had come before a word about the commit was written anywhere."""
    for name in ("HANDOFF.md", "results.tsv", "learnings.md"):
        (folders.work_of(session.pk) / ".codeflash" / name).unlink(missing_ok=True)


def findings_of(session: Session) -> list[dict[str, str]]:
    bodies = session.events.filter(kind="pass_finished").values_list("body", flat=True)
    return [finding for body in bodies for finding in body["result"]["findings"]]


def scribble(session: Session) -> None:
    """Half-written, binary and absurd state files: what is unreadable in them must not stop the next session."""
    state = folders.work_of(session.pk) / ".codeflash"
    (state / "HANDOFF.md").write_bytes(
        b"# Handoff\n\xff\xfe\x00 half a line\n| kept | |||\n- consecutive: many\n"
    )
    (state / "results.tsv").write_bytes(b"no\theader\n1\t2\n\xc3\x28\t" + b"x" * 100_000)
    (state / "learnings.md").write_bytes(b"\x00" * 2000)


def lock_the_database() -> None:
    """Another process holds the database for longer than one write waits."""
    script = (
        "import sqlite3, sys, time\n"
        "db = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)\n"
        "db.execute('BEGIN IMMEDIATE')\nprint('locked', flush=True)\n"
        "time.sleep(float(sys.argv[2]))\ndb.execute('COMMIT')\n"
    )
    other = subprocess.Popen(
        ["python3", "-c", script, str(connection.settings_dict["NAME"]), str(LOCKED_SECONDS)],
        stdout=subprocess.PIPE,
    )
    assert other.stdout is not None and other.stdout.readline() == b"locked\n"
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        sqlite3.connect(connection.settings_dict["NAME"], timeout=0.1).execute("BEGIN IMMEDIATE")
    assert other.wait(LOCKED_SECONDS + 60) == 0
