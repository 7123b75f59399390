"""Bring a session's branch into the user's repository, and change nothing else there.

Objects come in by a fetch that runs under a throw-away configuration of ours and only borrows the repository's object
folder; no setting of the repository is read for it. Then one reference is made, by compare and set, with hooks off.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from engine.workspace.errors import BranchTaken, UnknownRef, WorkspaceError
from engine.workspace.git import LONG, Git, check_ref_name, check_sha, failure
from engine.workspace.source import Place, locate, make_view, place


def bring_home(*, source: str, clone: Path, branch: str, head: str) -> None:
    """Make ``branch`` at commit ``head`` in the local repository ``source`` from a session's ``clone``.

    Working tree, index, hooks, configuration, FETCH_HEAD and all other branches stay byte for byte. A branch that is
    there already is moved only forward along the session's own commits. Raises BranchTaken, UnknownRef, or another
    WorkspaceError; then nothing has changed but unused objects.
    """
    check_ref_name(branch)
    check_sha(head)
    location = locate(source)
    if location.path is None:
        raise WorkspaceError(
            f"{source} is not on this machine; fetch the branch from the session's clone instead."
        )
    where = place(location.path)
    old = _where_it_is(where, branch)
    if old == head:
        return
    _may_move(where, clone, branch, old, head)
    started = time.time() - 2
    _bring_objects(where, clone, branch, head)
    _set(where, branch, head, old)
    _give_back(where, branch, started)


def _where_it_is(where: Place, branch: str) -> str:
    done = where.git().attempt("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}")
    return done.out.decode().strip() if done.code == 0 else ""


def _may_move(where: Place, clone: Path, branch: str, old: str, head: str) -> None:
    if branch in _checked_out(where):
        raise BranchTaken(
            f"{branch} is checked out in your repository; check out another branch and try again."
        )
    if old and Git(git_dir=clone).attempt("merge-base", "--is-ancestor", old, head).code != 0:
        raise BranchTaken(
            f"{branch} has commits in your repository that this session did not make; rename or delete it there first."
        )


def _checked_out(where: Place) -> set[str]:
    """Branches that a work tree of the repository stands on."""
    heads = [where.common / "HEAD", where.git_dir / "HEAD", *where.common.glob("worktrees/*/HEAD")]
    found = set()
    for path in heads if where.work_tree else heads[2:]:
        text = path.read_text(encoding="utf-8", errors="replace").strip()
        found.add(text.removeprefix("ref: refs/heads/"))
    return found


def _bring_objects(where: Place, clone: Path, branch: str, head: str) -> None:
    with tempfile.TemporaryDirectory(prefix="codeflash-home-") as folder:
        view = Path(folder) / "view.git"
        make_view(view, where)
        _share_like(where, view)
        git = Git(
            git_dir=view,
            transports=("file",),
            trusted=(view, clone, *where.trusted),
            extra={"GIT_OBJECT_DIRECTORY": str(where.objects)},
        )
        _have(git, clone)
        words = (
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
            "--no-auto-gc",
        )
        pack = (
            "--upload-pack=git-upload-pack",
            "--",
            str(clone),
            f"+refs/heads/{branch}:refs/heads/incoming",
        )
        git.run(*words, *pack, seconds=LONG)
        if git.attempt("merge-base", "--is-ancestor", head, "refs/heads/incoming").code != 0:
            raise UnknownRef(
                f"The session's clone has no commit {head[:12]} on {branch}; nothing was changed."
            )


def _have(git: Git, clone: Path) -> None:
    """Name the session's base as ours when the repository still has it, so that only new commits travel."""
    base = Git(git_dir=clone).attempt("rev-parse", "--verify", "--quiet", "refs/codeflash/base")
    sha = base.out.decode().strip()
    if base.code == 0 and git.attempt("cat-file", "-e", f"{sha}^{{tree}}").code == 0:
        git.run("update-ref", "refs/heads/base", sha)


def _share_like(where: Place, view: Path) -> None:
    """A repository shared by a group stays writable for the group."""
    shared = (
        where.git()
        .attempt("config", "--local", "--get", "core.sharedRepository")
        .out.decode("utf-8", "replace")
    )
    if shared.strip() in ("group", "true", "1", "all", "world", "everybody", "2"):
        Git(git_dir=view).run("config", "core.sharedRepository", shared.strip())


def _set(where: Place, branch: str, head: str, old: str) -> None:
    done = where.git().attempt("update-ref", f"refs/heads/{branch}", head, old or "0" * len(head))
    if done.code == 0:
        return
    if "is at" in done.err or "already exists" in done.err or "cannot lock ref" in done.err:
        raise BranchTaken(
            f"{branch} could not be set in your repository ({done.err.strip()[-200:]}); try again."
        )
    raise failure(("update-ref",), done)


def _give_back(where: Place, branch: str, started: float) -> None:
    """As root, what we just wrote belongs to the owner of the repository, who could not add to it otherwise."""
    owner = where.common.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    for path in (*_new_objects(where.objects, started), *_reference_files(where, branch)):
        if path.lstat().st_uid == 0:
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _new_objects(objects: Path, started: float) -> list[Path]:
    folders = [path for path in objects.iterdir() if path.is_dir() and path.stat().st_mtime >= started]
    return [
        *folders,
        *(path for folder in folders for path in folder.iterdir() if path.lstat().st_mtime >= started),
    ]


def _reference_files(where: Place, branch: str) -> list[Path]:
    path = where.common / "refs" / "heads"
    found = []
    for part in branch.split("/"):
        path = path / part
        if path.exists():
            found.append(path)
    return found
