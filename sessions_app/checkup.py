"""What is in effect on this machine and what a crash left behind: the facts behind ``manage.py doctor``."""

from __future__ import annotations

import platform
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import django
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from engine.workspace import Workspace, WorkspaceError
from sessions_app import actions, folders, housekeeping
from sessions_app.models import Experiment, ExperimentStatus, Session, Status, Worker
from sessions_app.stream import Waker

TOOLS = {
    "git": "needed for every session",
    "uv": "faster set-up of target repos",
    "bwrap": "isolation level L2",
}


@dataclass(frozen=True)
class Fact:
    """One line. ``good`` is False for what should be mended, None for what is only information."""

    name: str
    words: str
    good: bool | None = None


def in_effect() -> Iterator[Fact]:
    """Versions, database, wake-up, isolation, tools, room, workers and queue, in that order."""
    yield Fact("Python", f"{platform.python_version()}, Django {django.get_version()}")
    yield _database()
    yield _migrations()
    yield _wake_up()
    yield _isolation()
    yield from (_tool(name, why) for name, why in TOOLS.items())
    yield _room()
    yield _workers()
    yield _queue()


def _database() -> Fact:
    if connection.vendor != "sqlite":
        return Fact("Database", f"{connection.display_name} {connection.settings_dict['NAME']}", True)
    with connection.cursor() as cursor:
        journal = cursor.execute("PRAGMA journal_mode").fetchone()[0]
        sound = cursor.execute("PRAGMA quick_check(1)").fetchone()[0]
    mode = settings.SQLITE_OPTIONS["transaction_mode"]
    words = f"SQLite at {connection.settings_dict['NAME']}, {journal}, {mode}, check: {sound}"
    return Fact("Database", words, journal == "wal" and sound == "ok")


def _migrations() -> Fact:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    words = f"{len(missing)} migrations are missing: run manage.py migrate" if missing else "up to date"
    return Fact("Tables", words, not missing)


def _wake_up() -> Fact:
    """The way readers learn of new events, timed once from commit to notice."""
    how = "commits seen by data_version" if connection.vendor == "sqlite" else "LISTEN/NOTIFY"
    waker = Waker()
    waker.wait()
    committed: list[float] = []
    writer = threading.Thread(target=_commit, args=(committed,))
    writer.start()
    waker.wait()
    seen = time.monotonic()
    writer.join()
    if not committed:
        return Fact("Wake-up", f"{how}; the trial write did not go through", False)
    return Fact("Wake-up", f"{how}; one trial took {max(0.0, seen - committed[0]) * 1000:.0f} ms", True)


def _commit(committed: list[float]) -> None:
    from sessions_app import recording

    time.sleep(0.1)
    try:
        Worker.objects.filter(name="doctor").delete()
        Worker.objects.create(name="doctor", host="doctor", pid=0).delete()
        recording.nudge(0)
        committed.append(time.monotonic())
    except DatabaseError:
        pass
    finally:
        connection.close()


def _isolation() -> Fact:
    from engine.sandbox import probe_isolation, repair_hint

    found = probe_isolation()
    words = f"{found.level} {found.mechanism}".strip()
    reason = f": {found.reason}" if found.reason else ""
    return Fact("Isolation", f"{words}{reason}. {repair_hint()}", found.level >= "L2")


def _tool(name: str, why: str) -> Fact:
    path = shutil.which(name)
    if path is None:
        return Fact(name, f"not found ({why})", False if name == "git" else None)
    done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False)
    return Fact(
        name, (done.stdout or done.stderr).strip().splitlines()[0] if done.stdout or done.stderr else path
    )


def _room() -> Fact:
    free, floor = actions.free_bytes(), settings.LIMITS.DISK_FLOOR_BYTES
    words = f"{free / 2**30:.1f} GiB free in {settings.DATA_DIR}, floor {floor / 2**30:.1f} GiB"
    return Fact("Room", words, free >= floor)


def _workers() -> Fact:
    rows = list(Worker.objects.order_by("pk"))
    words = ", ".join(f"{row.host} (pid {row.pid}, {row.places} places)" for row in rows)
    return Fact("Workers", words or "none is running; start one with manage.py work")


def _queue() -> Fact:
    waiting = Session.objects.filter(status=Status.QUEUED).count()
    return Fact("Queue", f"{waiting} waiting, {Session.objects.held().count()} running")


def mend() -> Iterator[Fact]:
    """Repair what a crash left, and say what only a person can decide."""
    for name, found in housekeeping.run_all().items():
        yield from (Fact(name, words, False) for words in found)
        if not found:
            yield Fact(name, "nothing to do", True)
    yield from _branches()
    yield from _orphans()


def _branches() -> Iterator[Fact]:
    """Commits and rows must tell the same story; both kinds of difference are shown, neither is hidden."""
    odd = [words for session in _with_clone() for words in _compare(session)]
    yield from (Fact("Commits and rows", words, False) for words in odd)
    if not odd:
        yield Fact("Commits and rows", "every kept commit has its row", True)


def _with_clone() -> Iterator[Session]:
    for session in Session.objects.exclude(pk__in=Session.objects.held()).exclude(base="").iterator():
        if folders.clone_of(session.pk).is_dir():
            yield session


def _compare(session: Session) -> Iterator[str]:
    try:
        commits = {info.experiment: info.sha for info in Workspace.open(folders.work_of(session.pk)).log()}
    except (WorkspaceError, OSError) as error:
        yield f"session {session.pk}: its clone cannot be read: {error}"
        return
    kept = session.experiments.filter(status=ExperimentStatus.KEEP, reverted="")
    rows = dict(kept.values_list("uid", "commit"))
    known = set(session.experiments.values_list("uid", flat=True))
    found_later = Experiment.objects.filter(session__parent=session, status=ExperimentStatus.KEEP)
    known_later = set(found_later.values_list("uid", flat=True))
    for uid, sha in commits.items():
        if uid and uid not in rows and uid not in known_later and (session.parent_id is None or uid in known):
            yield f"session {session.pk}: commit {sha[:10]} has no kept experiment; resume the session to measure it"
    for uid, commit in rows.items():
        if uid not in commits:
            yield f"session {session.pk}: experiment {uid[:12]} is kept but commit {commit[:10]} is not on the branch"


def _orphans() -> Iterator[Fact]:
    """Session folders nobody knows, with their size. They are listed and never removed by themselves."""
    root = Path(settings.DATA_DIR) / "sessions"
    known = {str(pk) for pk in Session.objects.values_list("pk", flat=True)}
    for path in sorted(root.iterdir()) if root.is_dir() else []:
        if path.name not in known:
            yield Fact(
                "Unknown folders", f"{path} ({_size(path) / 2**20:.0f} MiB) belongs to no session", False
            )


def _size(path: Path) -> int:
    return sum(each.lstat().st_size for each in path.rglob("*") if not each.is_symlink())
