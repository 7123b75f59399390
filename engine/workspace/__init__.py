"""A hardened session clone, its branch, and the way home; the only module that runs git.

The user's repository is cloned once (``Workspace.create``), looked at without running its settings
(``describe_source``) and written once, by ``bring_home``, when a person approves.
"""

from __future__ import annotations

from engine.workspace.clone import CommitInfo, Workspace
from engine.workspace.errors import (
    BadSource,
    BranchMoved,
    BranchTaken,
    DiskFull,
    EmptyRepository,
    NotARepository,
    NothingToCommit,
    OutsideRoots,
    PathRefused,
    TooLarge,
    UnknownRef,
    Unreachable,
    WorkspaceError,
)
from engine.workspace.home import bring_home
from engine.workspace.source import SourceState, describe_source

__all__ = [
    "BadSource",
    "BranchMoved",
    "BranchTaken",
    "CommitInfo",
    "DiskFull",
    "EmptyRepository",
    "NotARepository",
    "NothingToCommit",
    "OutsideRoots",
    "PathRefused",
    "SourceState",
    "TooLarge",
    "UnknownRef",
    "Unreachable",
    "Workspace",
    "WorkspaceError",
    "bring_home",
    "describe_source",
]
