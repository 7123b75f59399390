"""The review is a process of its own: what it is given, and what becomes of the session when it or its session dies."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import make_repo
from tests.faults.conftest import HOLD, held
from tests.tiny import TINY, brief_for, of_kind, start_engine

BRANCH = "codeflash/tiny-7"


def reviewers_of(engine: int) -> list[int]:
    """Process ids of the reviewers that an engine has started."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        if parent == engine and b"reviewer" in words:
            found.append(int(entry.name))
    return found


def alive(pid: int) -> bool:
    try:
        state = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def read_until(process: subprocess.Popen[str], kind: str, **fields: object) -> Iterator[dict[str, object]]:
    """Every event up to the one that is looked for."""
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)
        yield event
        if event["kind"] == kind and fields.items() <= event.items():
            return


@pytest.fixture
def held_review(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], list[dict[str, object]], int]]:
    """An engine whose review hangs in the test suite, the events so far, and the reviewer's process id."""
    source = make_repo(tmp_path / "tiny", {**TINY, "conftest.py": HOLD})
    process = start_engine(brief_for(source, tmp_path / "s"), tmp_path / "s")
    try:
        events = list(read_until(process, "plateau_reached"))
        with held(tmp_path / "s" / "cache"):
            events += read_until(process, "pass_finished")
            (reviewer,) = reviewers_of(process.pid)
            yield process, events, reviewer
    finally:
        process.kill()
        process.communicate()


def test_a_killed_review_ends_the_session_with_a_sentence_and_loses_no_keep(
    held_review: tuple[subprocess.Popen[str], list[dict[str, object]], int], tmp_path: Path
) -> None:
    process, events, reviewer = held_review
    (kept,) = of_kind(events, "experiment_kept")
    os.kill(reviewer, signal.SIGKILL)
    out, _ = process.communicate(timeout=120)
    rest = [json.loads(line) for line in out.splitlines()]

    (failed,) = of_kind(rest, "stage_failed")
    assert failed["stage"] == "review" and failed["agent"] == "review"
    assert "without a verdict" in failed["reason"] and "review" in failed["advice"]
    assert not of_kind(rest, "review_filed")
    assert rest[-1]["kind"] == "session_ended" and rest[-1]["outcome"] == "failed"
    work = tmp_path / "s" / "work"
    head = subprocess.run(
        ["git", "--git-dir", str(work / "clone.git"), "rev-parse", BRANCH],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert head == kept["commit"] == rest[-1]["head"]
    assert str(kept["commit"])[:12] in (work / ".codeflash" / "HANDOFF.md").read_text()
    assert not (work / "review").exists(), "clean-up takes the review's folder away"


def test_a_reviewer_never_outlives_its_session(
    held_review: tuple[subprocess.Popen[str], list[dict[str, object]], int], tmp_path: Path
) -> None:
    process, _, reviewer = held_review
    brief = json.loads((tmp_path / "s" / "work" / "review" / "review-brief.json").read_text())
    assert [each["status"] for each in brief["attempts"]] == ["keep"]
    assert (tmp_path / "s" / "work" / "review" / "clone.git").is_dir(), "a clone of its own"
    os.kill(process.pid, signal.SIGKILL)
    limit = time.monotonic() + 60
    while alive(reviewer) and time.monotonic() < limit:
        time.sleep(0.05)
    assert not alive(reviewer)

    # Its brief and the artefacts are all that another reviewer needs, and it believes the artefacts.
    work = tmp_path / "s" / "work"
    shutil.rmtree(work / "review" / "clone.git")
    (work / ".codeflash" / "results.tsv").unlink()
    for mark in (tmp_path / "s" / "cache").rglob("hold"):
        mark.unlink()
    again = subprocess.Popen(
        [sys.executable, "-m", "engine", "reviewer", str(work / "review" / "review-brief.json")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert again.stdout is not None
    events = [json.loads(line) for line in again.stdout]
    assert again.wait(60) == 0
    (filed,) = of_kind(events, "review_filed")
    first = filed["passes"][0]
    assert [each["title"] for each in first["findings"]] == [
        "Experiment 1 has no row of its commit in results.tsv"
    ]
    assert [each["state"] for each in filed["passes"][1:4]] == ["clear", "clear", "clear"], filed


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"brief": 7}'])
def test_a_file_that_is_no_review_brief_gets_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "review-brief.json"
    path.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "engine", "reviewer", str(path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2 and done.stdout == ""
    assert "is not the brief of a review" in done.stderr and "Traceback" not in done.stderr
