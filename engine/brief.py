"""The frozen input of one engine run, read from and written to JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

MODES = ("start", "resume", "scan", "review", "status")
DOMAIN_CHOICES = ("", "deep", "cpu", "memory", "async", "structure")
CREWS = ("builtin", "claude", "codex")


class BriefError(ValueError):
    """A brief that cannot be run; the message says which field and what it takes."""


@dataclass(frozen=True, kw_only=True)
class BriefLimits:
    """Where a session stops by itself. ``plateau`` is consecutive discards; the rest say their unit."""

    wall_seconds: float = 4 * 3600
    experiments: int = 60
    plateau: int = 3
    tries_per_target: int = 8
    experiment_seconds: float = 180
    test_seconds: float = 900
    memory_bytes: int = 4 * 2**30
    min_free_bytes: int = 2**30


@dataclass(frozen=True, kw_only=True)
class Brief:
    """``source`` is the path or address of the user's repo, ``work`` the session's own folder (clone, trees, state),
    ``cache`` a folder shared by sessions (environments), ``lock`` the host-wide measuring lock file.

    ``branch`` is where kept commits go. ``resume_from`` is an earlier session's ``work`` folder or empty.
    ``learnings`` are accepted notes of the team, ``conventions`` binding words from people, ``skip`` the keys already
    tried. ``min_isolation`` refuses to run target code below that level.
    """

    session: str
    repo: str
    source: str
    work: str
    cache: str
    lock: str
    branch: str
    base_ref: str = ""
    base: str = ""
    mode: str = "start"
    domain: str = ""
    crew: str = "builtin"
    goal: str = ""
    reason: str = ""
    limits: BriefLimits = field(default_factory=BriefLimits)
    resume_from: str = ""
    review_branch: str = ""
    conventions: tuple[str, ...] = ()
    learnings: tuple[dict[str, Any], ...] = ()
    skip: tuple[str, ...] = ()
    min_isolation: str = "L1"
    offline: bool = False
    allowed_roots: tuple[str, ...] = ()


def write(brief: Brief, path: Path) -> None:
    path.write_text(json.dumps(asdict(brief), indent=1), encoding="utf-8")


def read(path: Path) -> Brief:
    """Read and check a brief; raises BriefError with the field and what it takes."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BriefError(f"{path}: cannot be read as JSON: {error}") from error
    if not isinstance(data, dict):
        raise BriefError(f"{path}: a brief is one JSON object")
    return from_dict(data)


def from_dict(data: dict[str, Any]) -> Brief:
    values = dict(data)
    try:
        values["limits"] = BriefLimits(**values.get("limits", {}))
        for name in ("conventions", "learnings", "skip", "allowed_roots"):
            values[name] = tuple(values.get(name, ()))
        brief = Brief(**values)
    except TypeError as error:
        raise BriefError(f"brief: {error}") from error
    _one_of("mode", brief.mode, MODES)
    _one_of("domain", brief.domain, DOMAIN_CHOICES)
    _one_of("crew", brief.crew, CREWS)
    if brief.limits.plateau < 1:
        raise BriefError("brief: limits.plateau takes 1 or more consecutive discards")
    return brief


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise BriefError(
            f"brief: {name} is {value!r}; it takes one of {', '.join(c or '(empty)' for c in choices)}"
        )
