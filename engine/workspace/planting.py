"""A new repository from a folder of plain files, always with the same first commit."""

from __future__ import annotations

from pathlib import Path

from engine.workspace.git import Git

_WHO, _WHEN = "Codeflash Sessions", "2026-01-05T09:00:00Z"
_IDENTITY = {
    "GIT_AUTHOR_NAME": _WHO,
    "GIT_AUTHOR_EMAIL": "sample@localhost",
    "GIT_AUTHOR_DATE": _WHEN,
    "GIT_COMMITTER_NAME": _WHO,
    "GIT_COMMITTER_EMAIL": "sample@localhost",
    "GIT_COMMITTER_DATE": _WHEN,
}


def plant_repository(folder: Path, *, message: str) -> str:
    """Make ``folder`` (our own files, without a ``.git``) a repository with one commit on ``main``; returns its id.

    Author and date are fixed, so the same files give the same commit everywhere. Raises a WorkspaceError.
    """
    Git(extra=_IDENTITY).run("init", "--quiet", "--template=", "--initial-branch=main", "--", str(folder))
    git = Git(git_dir=folder / ".git", work_tree=folder, extra=_IDENTITY)
    git.run("add", "--all", "--", ".")
    git.run("commit", "--quiet", "--no-verify", "-m", message)
    return git.line("rev-parse", "--verify", "HEAD")
