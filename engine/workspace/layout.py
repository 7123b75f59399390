"""Care for a tree laid out on disk, before and after target code had it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from engine.workspace.git import Git


def remove(folder: Path) -> None:
    """All of it, also when target code took away its own rights on folders."""
    if folder.is_symlink():
        folder.unlink()
    if not folder.exists():
        return
    for parent, names, _ in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            if not path.is_symlink():
                path.chmod(0o700)
    shutil.rmtree(folder)


def open_up(folder: Path) -> None:
    """Readable by everyone, whatever the umask was."""
    for parent, _, names in os.walk(folder):
        Path(parent).chmod(0o755)
        for name in names:
            path = Path(parent, name)
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)


def tame_links(folder: Path, git: Git) -> None:
    """Links that lead out of the tree become plain files, so that reading the tree never reads the machine."""
    listed = git.run("ls-files", "-s", "-z")
    links = [entry.partition(b"\t")[2] for entry in listed.split(b"\0") if entry.startswith(b"120000")]
    root = os.path.realpath(folder)
    for name in links:
        path = folder / os.fsdecode(name)
        if path.is_symlink() and not os.path.realpath(path).startswith(root + os.sep):
            target = os.fsencode(path.readlink())
            path.unlink()
            path.write_bytes(target)
