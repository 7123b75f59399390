"""A session's own bare clone, its branch, and the trees it lays out for running and measuring."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from engine.workspace import layout, owner
from engine.workspace.errors import (
    BranchMoved,
    BranchTaken,
    EmptyRepository,
    NotARepository,
    NothingToCommit,
    PathRefused,
    TooLarge,
    UnknownRef,
    WorkspaceError,
)
from engine.workspace.git import LONG, SHA, Git, check_ref_name, check_sha, failure
from engine.workspace.source import Location, Place, locate, place, resolve_name, unreachable

FILE_BYTES = 16 * 2**20
# Bytes come out and go in as they are stored: no line-end conversion, no filter, no keyword, no export rule.
ATTRIBUTES = "* -text -eol -ident -filter -working-tree-encoding -export-ignore -export-subst -merge\n"
EXPERIMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
ZERO = "0" * 40
IDENTITY = {
    "GIT_AUTHOR_NAME": "Codeflash Sessions",
    "GIT_AUTHOR_EMAIL": "sessions@codeflash.invalid",
    "GIT_COMMITTER_NAME": "Codeflash Sessions",
    "GIT_COMMITTER_EMAIL": "sessions@codeflash.invalid",
}


@dataclass(frozen=True, kw_only=True)
class CommitInfo:
    """One commit of the session branch. ``experiment`` is the trailer's value, empty when there is none."""

    sha: str
    subject: str
    experiment: str


class Workspace:
    """``root`` holds ``clone.git`` (never given to target code), ``trees/`` and the notes of what was cloned.

    ``base`` is the commit the session started from, ``branch`` where its commits go. The user's repository is read
    once, by ``create``, and is not needed after that.
    """

    def __init__(self, root: Path, *, base: str, branch: str) -> None:
        self.root = root
        self.base = base
        self.branch = branch
        self.clone = root / "clone.git"
        self._git = Git(git_dir=self.clone, extra=IDENTITY)

    @classmethod
    def create(
        cls,
        *,
        source: str,
        root: Path,
        branch: str,
        base_ref: str = "",
        base: str = "",
        allowed_roots: Sequence[str] = (),
    ) -> Workspace:
        """Clone ``source`` into ``root`` and start ``branch`` at ``base`` (else at ``base_ref``, else at its HEAD).

        A ``branch`` that the source has already is taken over with its commits when it builds on the base.
        Raises a WorkspaceError of the kind that fits; nothing is left in ``root`` then.
        """
        check_ref_name(branch)
        location = locate(source, allowed_roots)
        root = Path(os.path.realpath(root))
        if (root / "clone.git").exists():
            raise WorkspaceError(f"{root} holds a session already; open it or give another folder.")
        root.mkdir(parents=True, exist_ok=True)
        try:
            return cls._clone(location, root, branch, base_ref, base)
        except BaseException:
            shutil.rmtree(root / "clone.git", ignore_errors=True)
            raise

    @classmethod
    def _clone(cls, location: Location, root: Path, branch: str, base_ref: str, base: str) -> Workspace:
        clone = root / "clone.git"
        where = place(location.path) if location.path else None
        _fill(clone, location, where)
        git = Git(git_dir=clone)
        start = check_sha(base) if base else _find(git, location, where, base_ref)
        if git.attempt("cat-file", "-e", f"{start}^{{commit}}").code != 0:
            raise UnknownRef(
                f"The repository has no commit {start[:12]}; give one that is on a branch of it."
            )
        start = _start_branch(git, branch, start, given=bool(base or base_ref))
        git.run("update-ref", "refs/codeflash/base", start)
        owner.write_note(root, {"base": start, "branch": branch})
        return cls(root, base=start, branch=branch)

    @classmethod
    def open(cls, root: Path) -> Workspace:
        """The workspace made there earlier, also by a worker that was killed: its stale locks are removed."""
        root = Path(os.path.realpath(root))
        try:
            note = json.loads((root / "workspace.json").read_text(encoding="utf-8"))
            base, branch = check_sha(str(note["base"])), check_ref_name(str(note["branch"]))
        except (OSError, ValueError, KeyError, TypeError):
            raise NotARepository(f"{root} holds no session's clone; start a new session instead.") from None
        owner.take_over(root)
        return cls(root, base=base, branch=branch)

    @property
    def head(self) -> str:
        """The tip of the session branch; ``base`` until the first commit."""
        return self._git.line("rev-parse", "--verify", f"refs/heads/{self.branch}^{{commit}}")

    def tree(self, name: str, commit: str) -> Path:
        """``<root>/trees/<name>`` with exactly the files of ``commit``: no .git, nothing left over from before.

        Files are readable by everyone (target code may run under another uid). A link that leads out of the tree is
        laid out as a plain file holding its target.
        """
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
            raise PathRefused(f"{name[:80]!r} cannot name a tree; use letters, digits, '-', '_' and '.'")
        folder = self.root / "trees" / name
        layout.remove(folder)
        folder.mkdir(parents=True)
        with self._index(name) as git:
            inside = Git(git_dir=self.clone, work_tree=folder, extra=git.extra)
            inside.run("read-tree", check_sha(commit))
            inside.run("checkout-index", "--all", "--force", "--quiet", seconds=LONG)
            layout.open_up(folder)
            layout.tame_links(folder, inside)
        return folder

    def commit(self, *, tree: Path, files: Mapping[str, bytes], message: str, experiment: str) -> str:
        """Put exactly ``files`` (repository path -> content) on top of the branch; returns the new commit.

        The files must be in ``tree`` with that content, so that what is kept is what was tried. Raises
        NothingToCommit, PathRefused, or BranchMoved when the branch moved meanwhile.
        """
        if not EXPERIMENT.fullmatch(experiment):
            raise WorkspaceError(
                f"{experiment[:80]!r} cannot name an experiment; use letters, digits, '-', '_', '.'"
            )
        head = self.head
        with self._index(f"commit-{os.getpid()}") as git:
            git.run("read-tree", head)
            git.run("update-index", "-z", "--index-info", stdin=self._entries(git, tree, files, head))
            made = git.line("write-tree")
            if made == git.line("rev-parse", f"{head}^{{tree}}"):
                raise NothingToCommit(
                    "The files are the same as on the session branch; there is nothing to keep."
                )
            text = _with_trailer(message, experiment)
            new = git.line("commit-tree", made, "-p", head, "-F", "-", stdin=text.encode("utf-8", "replace"))
        self._move(new, head)
        return new

    def move_branch(self, to: str) -> None:
        """Set the session branch to ``to``, a commit of this clone that builds on the base."""
        head = self.head
        self._must_descend(to)
        self._move(to, head)

    def diff(self, a: str, b: str) -> str:
        """Unified diff from ``a`` to ``b`` with renames, no colours, no converters."""
        words = (
            "--no-ext-diff",
            "--no-textconv",
            "--no-color",
            "--src-prefix=a/",
            "--dst-prefix=b/",
            "--find-renames",
        )
        return self._git.text("diff", *words, check_sha(a), check_sha(b), "--")

    def show(self, commit: str, path: str) -> bytes:
        """The stored content of a file; UnknownRef when the commit has no such file, TooLarge over 16 MiB."""
        name = f"{check_sha(commit)}:{check_path(path)}"
        size = self._git.attempt("cat-file", "-s", name)
        if size.code != 0:
            raise UnknownRef(f"{path} is not a file of commit {commit[:12]}.")
        if int(size.out) > FILE_BYTES:
            raise TooLarge(
                f"{path} has {int(size.out)} bytes; files above {FILE_BYTES >> 20} MiB are left alone."
            )
        return self._git.run("cat-file", "blob", name)

    def files(self, commit: str) -> list[str]:
        """The paths of all regular files of a commit (no links, no submodules), sorted."""
        listed = self._git.run("ls-tree", "-r", "-z", "--full-tree", check_sha(commit))
        entries = [entry.partition(b"\t") for entry in listed.split(b"\0") if entry]
        return [os.fsdecode(path) for mode, _, path in entries if mode.startswith(b"100")]

    def log(self) -> list[CommitInfo]:
        """The session's commits, oldest first."""
        shape = "--format=%H%x00%s%x00%(trailers:key=Codeflash-Experiment,valueonly,separator=%x2C)%x01"
        text = self._git.text(
            "log", "--reverse", "--no-show-signature", shape, f"{self.base}..{self.head}", "--"
        )
        rows = [row.strip("\n").split("\0") for row in text.split("\x01") if row.strip("\n")]
        return [CommitInfo(sha=row[0], subject=row[1], experiment=row[2].strip()) for row in rows]

    def is_ancestor(self, a: str, b: str) -> bool:
        """Whether commit ``b`` builds on commit ``a``."""
        return self._git.attempt("merge-base", "--is-ancestor", check_sha(a), check_sha(b)).code == 0

    def _must_descend(self, to: str) -> None:
        if not self.is_ancestor(self.base, to):
            raise UnknownRef(
                f"{to[:12]} does not build on the session's base {self.base[:12]}; nothing was moved."
            )

    def _move(self, new: str, old: str) -> None:
        done = self._git.attempt("update-ref", f"refs/heads/{self.branch}", check_sha(new), check_sha(old))
        if done.code != 0:
            if "is at" in done.err or "reference already exists" in done.err:
                raise BranchMoved(
                    f"{self.branch} was moved by somebody else; start a new session from where it is."
                )
            raise failure(("update-ref",), done)

    @contextmanager
    def _index(self, name: str) -> Iterator[Git]:
        """Our git with an index file of its own, removed afterwards."""
        folder = self.root / "indexes"
        folder.mkdir(exist_ok=True)
        path = folder / name
        path.unlink(missing_ok=True)
        try:
            yield Git(git_dir=self.clone, extra={**IDENTITY, "GIT_INDEX_FILE": str(path)})
        finally:
            path.unlink(missing_ok=True)

    def _entries(self, git: Git, tree: Path, files: Mapping[str, bytes], head: str) -> bytes:
        """Index lines for the named files: the mode they have at ``head`` (plain for a new one)."""
        if not files:
            raise NothingToCommit("No file was named; there is nothing to keep.")
        lines = []
        for path, content in sorted(files.items()):
            check_path(path)
            _same_as_tried(tree, path, content)
            mode = self._mode(git, head, path)
            blob = (
                git.line("hash-object", "-w", "--no-filters", "--stdin", stdin=content)
                if content
                else _empty(git)
            )
            lines.append(f"{mode} {blob}\t{path}\0")
        return "".join(lines).encode("utf-8", "surrogateescape")

    def _mode(self, git: Git, head: str, path: str) -> str:
        listed = git.run("ls-tree", "-z", "--full-tree", head, "--", f":(literal,top){path}").decode(
            "utf-8", "replace"
        )
        mode = listed.split(" ", 1)[0] if listed else "100644"
        if mode not in ("100644", "100755"):
            raise PathRefused(f"{path} is a link, a folder or a submodule; only plain files can be changed.")
        return mode


def check_path(path: str) -> str:
    """A clean path relative to the repository, not into .git."""
    parts = PurePosixPath(path).parts
    clean = parts and path == "/".join(parts) and not path.startswith("/") and "\0" not in path
    if not clean or ".." in parts or any(part.lower().rstrip(". ") in (".git", "git~1") for part in parts):
        raise PathRefused(f"{path[:200]!r} is not a path inside the repository; name a file of it.")
    return path


def _empty(git: Git) -> str:
    return git.line("hash-object", "-w", "--no-filters", "--", os.devnull)


def _same_as_tried(tree: Path, path: str, content: bytes) -> None:
    """Read without following links: target code may have put one there."""
    try:
        handle = os.open(tree / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        raise PathRefused(f"{path} is not in the tree it was tried in; nothing was committed.") from None
    with os.fdopen(handle, "rb") as file:
        regular = stat.S_ISREG(os.fstat(handle).st_mode)
        if not regular or file.read(len(content) + 1) != content:
            raise PathRefused(f"{path} was changed in its tree while it was tried; nothing was committed.")


def _with_trailer(message: str, experiment: str) -> str:
    text = message.replace("\0", "").replace("\r\n", "\n").strip() or "Keep an experiment"
    return f"{text}\n\nCodeflash-Experiment: {experiment}\n"


def _fill(clone: Path, location: Location, where: Place | None) -> None:
    """The clone itself: no hard links, no templates, no tags, no submodules, nothing remembered of the source."""
    git = Git(transports=(location.transport,), trusted=where.trusted if where else ())
    words = (
        "clone",
        "--quiet",
        "--bare",
        "--no-local",
        "--no-tags",
        "--template=",
        "--",
        location.address,
        str(clone),
    )
    done = git.attempt(*words, seconds=LONG)
    if done.code != 0:
        raise _clone_failure(location, done.err) or failure(("clone",), done)
    own = Git(git_dir=clone)
    if own.attempt("rev-parse", "--verify", "--quiet", "HEAD^{commit}").code != 0 and not own.line(
        "for-each-ref"
    ):
        raise EmptyRepository(f"{location.address} has no commit yet; make a first commit and start again.")
    own.run("config", "--remove-section", "remote.origin")
    (clone / "info").mkdir(exist_ok=True)
    (clone / "info" / "attributes").write_text(ATTRIBUTES, encoding="ascii")


def _clone_failure(location: Location, said: str) -> WorkspaceError | None:
    if location.transport != "file":
        return None if "No space left" in said else unreachable(location, said)
    return None


def _find(git: Git, location: Location, where: Place | None, ref: str) -> str:
    """``ref`` as a commit: a full id, a branch, a tag (fetched when needed), or HEAD when empty."""
    name = resolve_name(ref) if ref else "HEAD"
    names = (name,) if SHA.fullmatch(name) or name == "HEAD" else (f"refs/heads/{name}", f"refs/tags/{name}")
    for candidate in names:
        _fetch_missing(git, location, where, candidate)
        found = git.attempt("rev-parse", "--verify", "--quiet", f"{candidate}^{{commit}}")
        if found.code == 0:
            return found.out.decode().strip()
    if name == "HEAD":
        raise UnknownRef(f"HEAD of {location.address} names no commit; say which branch to start from.")
    raise UnknownRef(f"{location.address} has no branch, tag or commit {name!r}; check the name.")


def _fetch_missing(git: Git, location: Location, where: Place | None, candidate: str) -> None:
    """The clone has branches only: a tag is brought in by name."""
    if not candidate.startswith("refs/tags/"):
        return
    fetching = Git(
        git_dir=git.git_dir, transports=(location.transport,), trusted=where.trusted if where else ()
    )
    words = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--")
    fetching.attempt(*words, location.address, f"+{candidate}:{candidate}", seconds=LONG)


def _start_branch(git: Git, branch: str, start: str, *, given: bool) -> str:
    """Make the branch, or take it over with its commits; returns the base."""
    ref = f"refs/heads/{branch}"
    found = git.attempt("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
    if found.code != 0:
        done = git.attempt("update-ref", ref, start, ZERO[: len(start)].ljust(len(start), "0"))
        if done.code != 0:
            raise BranchTaken(f"{branch} cannot be made beside the branches that exist; choose another name.")
        return start
    tip = found.out.decode().strip()
    if git.attempt("merge-base", "--is-ancestor", start, tip).code == 0:
        return start
    if not given:
        return git.line("merge-base", start, tip)
    raise BranchTaken(
        f"{branch} exists and does not build on {start[:12]}; choose another name for the branch."
    )
