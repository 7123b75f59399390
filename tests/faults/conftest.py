"""Real workers with the real engine on a tiny repository, and ways to see what they leave behind."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sessions_app import actions, folders, replaying
from sessions_app.models import Repo, Session
from tests.conftest import World, make_repo
from tests.store.conftest import alive, start_worker, until
from tests.tiny import TINY

__all__ = ["start_worker"]
LONG = 420
"""Seconds a stage may take on a machine that is busy with other things."""
ENDS = ("session_ended", "session_interrupted", "session_cancelled", "session_failed")
# The folder of the interpreter that runs the tests is the one place both sides of the sandbox's wall can see.
HOLD = (
    'import os, sys, time\n\nwhile os.path.exists(os.path.join(sys.prefix, "hold")):\n    time.sleep(0.02)\n'
)


def tiny_repo(where: Path, **files: str) -> Path:
    """The tiny repository; ``files`` are added or replaced. Its version names it, so its environment is its own."""
    return make_repo(where, {**TINY, **files})


@dataclass
class House:
    """One team's tiny repository, workers on demand, and the sessions of this test."""

    world: World
    source: Path
    repo: Any
    start_worker: Callable[..., subprocess.Popen[bytes]]

    def worker(self, *args: str, **env: str) -> subprocess.Popen[bytes]:
        """A worker that runs the real engine."""
        return self.start_worker(*args, CODEFLASH_ENGINE_COMMAND="", **env)

    def register(self, source: Path, **more: Any) -> Repo:
        return Repo.objects.create(
            team=self.world.alpha, name=source.name, source=str(source), default_ref="main", **more
        )

    def launch(
        self, repo: Any = None, *, domain: str = "cpu", mode: str = "start", **limits: float
    ) -> Session:
        given = {"experiments": 1, "min_free_bytes": 1, "experiment_seconds": 240, **limits}
        return actions.launch(
            user=self.world.mia, repo=repo or self.repo, domain=domain, mode=mode, limits=given
        )

    def resume(self, session: Session) -> Session:
        return actions.resume(user=self.world.mia, session=session)

    def cancel(self, session: Session) -> None:
        actions.request_cancel(user=self.world.mia, session=session)


@pytest.fixture
def house(world: World, tmp_path: Path, start_worker: Callable[..., subprocess.Popen[bytes]]) -> House:
    source = tiny_repo(tmp_path / "tiny")
    home = House(world=world, source=source, repo=None, start_worker=start_worker)
    home.repo = home.register(source)
    return home


@contextlib.contextmanager
def held(cache: Path | None = None) -> Iterator[None]:
    """Test suites of repositories with the conftest ``HOLD`` wait in their own process until this ends."""
    environments = (cache or folders.cache()) / "envs"
    marks = [path / "venv" / "hold" for path in environments.iterdir() if path.is_dir()]
    assert marks, "an environment must have been prepared before its tests can be held"
    for mark in marks:
        mark.touch()
    try:
        yield
    finally:
        for mark in marks:
            mark.unlink(missing_ok=True)


def said(session: Session, kind: str, **body: object) -> bool:
    """Whether the session's log has an event of ``kind`` with these values."""
    rows = session.events.filter(kind=kind).values_list("body", flat=True)
    return any(all(each.get(name) == value for name, value in body.items()) for each in rows)


def await_said(session: Session, kind: str, **body: object) -> None:
    """Wait for an event; a session that ends before it fails the test with its reason."""

    def look() -> bool:
        found = said(session, kind, **body)
        session.refresh_from_db()
        assert found or session.is_live, f"{session.status}: {session.end_reason}"
        return found

    until(look, LONG, f"{kind} {body}")


def ended(session: Session, status: str, seconds: float = LONG) -> Session:
    """Wait for the one end of a session, and check what holds after every end."""

    def over() -> bool:
        session.refresh_from_db()
        return not session.is_live

    until(over, seconds, "the end of the session")
    assert session.status == status, session.end_reason
    check_log(session)
    check_keeps(session)
    return session


def check_log(session: Session) -> None:
    """No gap, one end, and the rows are what the events say."""
    rows = list(session.events.order_by("seq").values_list("seq", "kind"))
    assert [seq for seq, _ in rows] == list(range(1, len(rows) + 1))
    assert len([kind for _, kind in rows if kind in ENDS]) == 1, rows
    assert replaying.replay(session.pk, keep=False) == []


def check_keeps(session: Session) -> None:
    """Every kept row has its commit on the branch, and the commit names the experiment."""
    commits = branch_of(session)
    for each in session.experiments.filter(status="keep", reverted=""):
        assert commits.get(each.uid, "").startswith(each.commit), (each.uid, commits)


def branch_of(session: Session) -> dict[str, str]:
    """Experiment -> commit of the session's branch; empty before there is a clone."""
    from engine.workspace import Workspace

    if not (folders.work_of(session.pk) / "workspace.json").is_file():
        return {}
    return {each.experiment: each.sha for each in Workspace.open(folders.work_of(session.pk)).log()}


def family(pid: int) -> set[int]:
    """Every living process below ``pid``."""
    parents = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            parents[int(entry.name)] = int(fields[1])
    found: set[int] = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return {child for child in found - {pid} if alive(child)}


def traces(session: Session) -> list[str]:
    """Processes that name the session's folder in their words, their environment or their working directory."""
    place = str(folders.work_of(session.pk))
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or not alive(int(entry.name)):
            continue
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
            known = (entry / "environ").read_bytes().decode(errors="replace")
            if any(f"{place}/" in text for text in (words, known, f"{(entry / 'cwd').readlink()}/")):
                found.append(f"{entry.name}: {words[-2000:]}")
    return found


def no_trace(session: Session, relatives: set[int], seconds: float = 15) -> None:
    """Wait until nothing of the session runs any more."""
    until(
        lambda: not any(alive(pid) for pid in relatives) and not traces(session),
        seconds,
        f"the end of every process: {traces(session)}",
    )
