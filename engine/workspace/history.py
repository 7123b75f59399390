"""Questions and continuations on a session's history: parents, changed files, HEAD without one commit, resuming."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from engine.workspace import owner
from engine.workspace.clone import Workspace
from engine.workspace.errors import WorkspaceError
from engine.workspace.git import Git, check_ref_name, check_sha


def parent(workspace: Workspace, commit: str) -> str:
    """The first parent of a commit; raises WorkspaceError for a root commit."""
    git = Git(git_dir=workspace.clone)
    return git.line("rev-parse", "--verify", f"{check_sha(commit)}^1^{{commit}}")


def changed_files(workspace: Workspace, a: str, b: str) -> list[str]:
    """Paths that differ between two commits, sorted."""
    words = ("diff", "--no-ext-diff", "--no-textconv", "--no-renames", "--name-only", "-z")
    listed = Git(git_dir=workspace.clone).run(*words, check_sha(a), check_sha(b), "--")
    return sorted(os.fsdecode(path) for path in listed.split(b"\0") if path)


def count_lines(workspace: Workspace, suffix: str) -> int:
    """Lines of all files of the base with that suffix, by git's own count; binary files count as none."""
    git = Git(git_dir=workspace.clone)
    empty = git.line("hash-object", "-t", "tree", "-w", "--stdin")
    words = ("diff", "--no-ext-diff", "--no-textconv", "--no-renames", "--numstat")
    listed = git.text(*words, empty, workspace.base, "--", f":(glob)**/*{suffix}")
    counts = [line.split("\t", 1)[0] for line in listed.splitlines()]
    return sum(int(count) for count in counts if count.isdigit())


def without(workspace: Workspace, commit: str) -> dict[str, bytes] | None:
    """The files of HEAD with one commit taken out (a three-way merge), or None when later commits build on it."""
    head, before = workspace.head, parent(workspace, commit)
    files: dict[str, bytes] = {}
    for path in changed_files(workspace, before, commit):
        try:
            ours, base, theirs = (workspace.show(each, path) for each in (head, commit, before))
        except WorkspaceError:
            return None  # the commit adds or removes the file; taking it out is not a merge of texts
        merged = _merge(workspace, ours, base, theirs)
        if merged is None:
            return None
        files[path] = merged
    return files


def _merge(workspace: Workspace, ours: bytes, base: bytes, theirs: bytes) -> bytes | None:
    with tempfile.TemporaryDirectory(prefix="codeflash-merge-") as folder:
        paths = []
        for name, text in (("ours", ours), ("base", base), ("theirs", theirs)):
            path = Path(folder) / name
            path.write_bytes(text)
            paths.append(str(path))
        done = Git(git_dir=workspace.clone).attempt("merge-file", "-p", "-q", *paths)
        return done.out if done.code == 0 else None


def continue_from(earlier: Path, *, root: Path, branch: str) -> Workspace:
    """A new session on top of an earlier one: its commits, the same base, our own branch name and clone."""
    check_ref_name(branch)
    old = Workspace.open(earlier)
    new = Workspace.create(source=str(old.clone), root=root, branch=branch, base=old.head)
    owner.write_note(new.root, {"base": old.base, "branch": branch})
    Git(git_dir=new.clone).run("update-ref", "refs/codeflash/base", old.base)
    return Workspace.open(new.root)
