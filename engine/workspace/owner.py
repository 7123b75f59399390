"""Notes beside a session's clone: what was cloned, and which process may hold locks in it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path


def write_note(root: Path, note: Mapping[str, str]) -> None:
    """Last, so that a half-made workspace is never opened. The owner file says who may hold locks in it."""
    _own(root)
    draft = root / "workspace.json.new"
    draft.write_text(json.dumps(note), encoding="utf-8")
    draft.replace(root / "workspace.json")


def _own(root: Path) -> None:
    (root / "owner").write_text(f"{os.getpid()} {_started(os.getpid())}", encoding="ascii")


def _started(pid: int) -> str:
    """The start time of a process, which tells it from a later one with the same number; empty when it is gone."""
    try:
        text = Path("/proc", str(pid), "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return text[text.rindex(")") + 2 :].split()[19]


def take_over(root: Path) -> None:
    """Remove locks left by a dead owner, or by a git of ours that was killed. Those of another living owner stay."""
    try:
        pid, started = (root / "owner").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        pid, started = "0", "gone"
    if int(pid) != os.getpid() and _started(int(pid)) == started:
        return
    for lock in (root / "clone.git").rglob("*.lock"):
        lock.unlink(missing_ok=True)
    _own(root)
