"""Opening a run: walls, clone, and the fact that the session has started."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from engine import events as e
from engine.agents import notebook
from engine.brief import Brief
from engine.fingerprint import fingerprint
from engine.run import CancelToken, RoleFailed, Run
from engine.sandbox import Sandbox, probe_isolation, repair_hint
from engine.workspace import Workspace
from engine.workspace.history import continue_from


def open_run(brief: Brief, cancel: CancelToken) -> Run:
    """Probe the walls and make the session clone; raises RoleFailed or a WorkspaceError with what to do."""
    work = Path(brief.work)
    work.mkdir(parents=True, exist_ok=True)
    check_room(brief)
    isolation = probe_isolation()
    if isolation.level < brief.min_isolation:
        raise RoleFailed(
            f"This machine offers isolation {isolation.level}; the session needs {brief.min_isolation}.",
            advice=repair_hint(),
        )
    sandbox = Sandbox(isolation, scratch=work / "scratch", memory_bytes=brief.limits.memory_bytes)
    cancel.on_set(sandbox.cancel)
    return Run(
        brief=brief, cancel=cancel, isolation=isolation, sandbox=sandbox, workspace=open_workspace(brief)
    )


def check_room(brief: Brief) -> None:
    """Refuse to start below the disk floor; reading and other sessions go on."""
    free = shutil.disk_usage(brief.work).free
    floor = brief.limits.min_free_bytes
    if free < floor:
        raise RoleFailed(
            f"{free / 2**20:.0f} MiB are free where sessions work; the floor is {floor / 2**20:.0f} MiB.",
            advice="Free some space or lower the disk floor limit, then launch again.",
        )


def open_workspace(brief: Brief) -> Workspace:
    """A fresh clone; on resume, the earlier session's clone with its commits under our branch name."""
    root = Path(brief.work)
    if brief.resume_from and (Path(brief.resume_from) / "clone.git").is_dir():
        return continue_from(Path(brief.resume_from), root=root, branch=brief.branch)
    reviewed = brief.review_branch if brief.mode == "review" else ""
    return Workspace.create(
        source=brief.source,
        root=root,
        branch=reviewed or brief.branch,
        base_ref=brief.base_ref,
        base=brief.base,
        allowed_roots=brief.allowed_roots,
    )


def start(run: Run) -> Iterator[e.Event]:
    """State that the session has started, and lay out its state folder."""
    brief = run.brief
    yield e.SessionStarted(
        session=brief.session,
        mode=brief.mode,
        crew=brief.crew,
        repo=brief.repo,
        base=run.workspace.base,
        base_ref=brief.base_ref or "HEAD",
        branch=run.workspace.branch,
        isolation=run.isolation,
        fingerprint=fingerprint(),
        resumed_from=brief.resume_from or None,
        learnings_given=len(brief.learnings),
    )
    yield from notebook.open_notebook(run)
