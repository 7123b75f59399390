"""What can be wrong with a repository. Every message is a sentence that says what to do."""

from __future__ import annotations


class WorkspaceError(Exception):
    """A git step could not be done."""


class NotARepository(WorkspaceError):
    """The path holds no git repository."""


class EmptyRepository(WorkspaceError):
    """The repository has no commit yet."""


class UnknownRef(WorkspaceError):
    """A branch, tag or commit that the repository does not have, or a name that cannot be one."""


class OutsideRoots(WorkspaceError):
    """A local path that is not below one of the allowed folders."""


class BadSource(WorkspaceError):
    """An address of a kind that is not accepted."""


class Unreachable(WorkspaceError):
    """The address did not answer, or refused."""


class DiskFull(WorkspaceError):
    """There is no room left for the clone or its trees."""


class BranchTaken(WorkspaceError):
    """The branch exists with commits that this session did not make, or is checked out."""


class BranchMoved(WorkspaceError):
    """The branch is not where it was expected: somebody else moved it."""


class NothingToCommit(WorkspaceError):
    """The files are the same as in the branch's head."""


class PathRefused(WorkspaceError):
    """A path that a commit must not touch."""


class TooLarge(WorkspaceError):
    """A file or diff above the size that is handled."""
