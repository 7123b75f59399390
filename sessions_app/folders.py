"""Where sessions keep their files: one private folder each, and what all sessions of the machine share."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings


def work_of(session_id: int) -> Path:
    """The session's own folder: brief, clone, trees, state, spilled events. It may not exist yet."""
    return Path(settings.DATA_DIR) / "sessions" / str(session_id)


def clone_of(session_id: int) -> Path:
    """The session's clone, a bare git directory that holds its branch."""
    return work_of(session_id) / "clone.git"


def cache() -> Path:
    """Environments of target repos, shared by sessions."""
    return Path(settings.DATA_DIR) / "cache"


def measuring_lock() -> Path:
    """The host-wide lock file under which benchmarks run."""
    return Path(settings.DATA_DIR) / "measure.lock"
