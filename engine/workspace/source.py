"""Where a repository comes from: checking the address, and looking at a local one without running its settings."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from engine.workspace.errors import (
    BadSource,
    EmptyRepository,
    NotARepository,
    OutsideRoots,
    UnknownRef,
    Unreachable,
    WorkspaceError,
)
from engine.workspace.git import SHA, Answer, Git, check_ref_name

SCP = re.compile(r"(?P<user>[A-Za-z0-9_.-]+@)?(?P<host>[A-Za-z0-9.-]+):(?P<path>(?!//)[^\s]+)")
HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")


@dataclass(frozen=True, kw_only=True)
class SourceState:
    """A repository as it was found. ``branch`` is None when HEAD is detached. ``dirty``: tracked files differ from
    HEAD (unknown for an address: False). ``default_ref`` is what to start from when nobody says otherwise.
    """

    head: str
    branch: str | None
    detached: bool
    dirty: bool
    bare: bool
    default_ref: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Location:
    """A checked source: ``path`` for a folder of this machine, else an address git can use, and its transport."""

    address: str
    transport: str
    path: Path | None = None


def locate(source: str, allowed_roots: Sequence[str] = ()) -> Location:
    """Check a path or address. No ``allowed_roots`` means that every local folder is allowed."""
    text = source.strip()
    if not text or text.startswith("-") or re.search(r"[\x00-\x1f\x7f]", text) or "::" in text.split("/")[0]:
        raise BadSource(
            f"{text[:120]!r} is not an address of a repository; give a folder, an https or an ssh address."
        )
    parts = urlsplit(text)
    if "://" not in text:
        return _scp(text) or _folder(text, allowed_roots)
    if parts.scheme == "file":
        return _folder(_file_path(text, parts.netloc, parts.path), allowed_roots)
    return _remote(text, parts.scheme, parts.hostname or "")


def _scp(text: str) -> Location | None:
    match = SCP.fullmatch(text)
    if match is None or Path(text).exists():
        return None
    return _remote(
        f"ssh://{match['user'] or ''}{match['host']}/{match['path'].lstrip('/')}", "ssh", match["host"]
    )


def _remote(text: str, scheme: str, host: str) -> Location:
    if scheme not in ("https", "ssh"):
        raise BadSource(
            f"{scheme}:// addresses are not accepted; use https://, ssh:// or a folder of this machine."
        )
    if not HOST.fullmatch(host):
        raise BadSource(f"{text[:120]!r} names no valid host; check the address.")
    if urlsplit(text).password:
        raise BadSource(
            "The address holds a password; leave it out and use an ssh key or a local clone instead."
        )
    return Location(address=text, transport=scheme)


def _file_path(text: str, host: str, path: str) -> str:
    if host not in ("", "localhost"):
        raise BadSource(f"{text[:120]!r} names another machine; use file:///path for a folder of this one.")
    return unquote(path)


def _folder(text: str, allowed_roots: Sequence[str]) -> Location:
    path = Path(os.path.realpath(os.path.expanduser(text)))  # noqa: PTH111  (as the shell does it)
    roots = [Path(os.path.realpath(root)) for root in allowed_roots]
    if roots and not any(path == root or root in path.parents for root in roots):
        listed = ", ".join(str(root) for root in roots)
        raise OutsideRoots(
            f"{text} is outside the folders that may be used ({listed}); move it or allow its folder."
        )
    if not path.is_dir():
        raise NotARepository(f"{text} is not a folder of this machine; check the path.")
    return Location(address=str(path), transport="file", path=path)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A local repository's folders. ``work_tree`` is None for a bare one; ``common`` holds objects and branches."""

    git_dir: Path
    common: Path
    work_tree: Path | None

    @property
    def objects(self) -> Path:
        return self.common / "objects"

    @property
    def trusted(self) -> tuple[Path, ...]:
        """A repository may belong to another user; we trust its folders, never its settings."""
        return tuple(path for path in (self.git_dir, self.common, self.work_tree) if path)

    def git(self) -> Git:
        """For reading and moving references only: no command given here looks at a work tree or an index."""
        return Git(git_dir=self.git_dir, trusted=self.trusted)


def place(path: Path) -> Place:
    """The git folders of ``path``, found by reading files and not by asking git.

    Only the folder itself counts, not one above it: a folder inside a repository is not that repository.
    """
    dot = path / ".git"
    if _is_git_dir(path):
        return Place(git_dir=path, common=_common(path), work_tree=None)
    git_dir = _pointed(dot) if dot.is_file() else dot
    if not _is_git_dir(git_dir):
        raise _no_repository(path)
    return Place(git_dir=git_dir, common=_common(git_dir), work_tree=path)


def _no_repository(path: Path) -> NotARepository:
    outer = next((parent for parent in path.parents if (parent / ".git").exists()), None)
    if outer:
        return NotARepository(f"{path} is inside the git repository {outer}; give that folder instead.")
    return NotARepository(
        f"{path} is not a git repository; run 'git init' and commit there, or name another folder."
    )


def _is_git_dir(path: Path) -> bool:
    return (
        (path / "HEAD").is_file()
        and (_common(path) / "objects").is_dir()
        and (_common(path) / "refs").is_dir()
    )


def _pointed(dot: Path) -> Path:
    """A ``.git`` file of a linked work tree or submodule names its folder."""
    text = _small_text(dot)
    if not text.startswith("gitdir: "):
        return dot
    return Path(os.path.realpath(dot.parent / text[len("gitdir: ") :]))


def _common(git_dir: Path) -> Path:
    text = _small_text(git_dir / "commondir")
    return Path(os.path.realpath(git_dir / text)) if text else git_dir


def _small_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return os.fsdecode(file.read(4096)).strip()
    except OSError:
        return ""


def describe_source(source: str, *, allowed_roots: Sequence[str] = ()) -> SourceState:
    """Look at a repository without changing it and without running anything its settings name."""
    location = locate(source, allowed_roots)
    if location.path is None:
        return _describe_remote(location)
    where = place(location.path)
    git = where.git()
    head = git.attempt("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if head.code != 0:
        raise _no_head(location.path, git, head)
    symbolic = git.attempt("symbolic-ref", "--quiet", "--short", "HEAD")
    branch = symbolic.out.decode("utf-8", "replace").strip() if symbolic.code == 0 else None
    sha = head.out.decode().strip()
    dirty = where.work_tree is not None and is_dirty(where, sha)
    return SourceState(
        head=sha,
        branch=branch,
        detached=branch is None,
        dirty=dirty,
        bare=where.work_tree is None,
        default_ref=branch or sha,
        notes=_notes(branch, dirty),
    )


def _no_head(path: Path, git: Git, head: Answer) -> WorkspaceError:
    """No branch at all means no commit; else HEAD itself is broken."""
    if "dubious ownership" in head.err or git.line("for-each-ref", "--count=1"):
        return UnknownRef(f"HEAD of {path} names no commit; check out a branch there and start again.")
    return EmptyRepository(f"{path} has no commit yet; make a first commit and start again.")


def _notes(branch: str | None, dirty: bool) -> tuple[str, ...]:
    notes = []
    if branch is None:
        notes.append(
            "HEAD is detached: the session starts from that commit and no branch of yours is involved."
        )
    if dirty:
        notes.append(
            "There are uncommitted changes: the session works on the last commit and leaves them alone."
        )
    return tuple(notes)


def _describe_remote(location: Location) -> SourceState:
    done = Git(transports=(location.transport,)).attempt("ls-remote", "--symref", "--", location.address)
    if done.code != 0:
        raise unreachable(location, done.err)
    head, branch = "", None
    for line in done.out.decode("utf-8", "replace").splitlines():
        value, _, name = line.partition("\t")
        if name == "HEAD" and value.startswith("ref: refs/heads/"):
            branch = value[len("ref: refs/heads/") :]
        elif name == "HEAD" and SHA.fullmatch(value):
            head = value
    if not head:
        raise EmptyRepository(f"{location.address} has no commit yet; push a first commit and start again.")
    return SourceState(
        head=head, branch=branch, detached=branch is None, dirty=False, bare=True, default_ref=branch or head
    )


def unreachable(location: Location, said: str) -> Unreachable:
    reason = said.strip().splitlines()[-1][:200] if said.strip() else "no answer"
    return Unreachable(
        f"{location.address} could not be read ({reason}); check the address and that this machine may read it."
    )


@contextmanager
def outside_view(where: Place) -> Iterator[Git]:
    """A throw-away git directory with our settings only that borrows the repository's objects and nothing else."""
    with tempfile.TemporaryDirectory(prefix="codeflash-view-") as folder:
        view = Path(folder) / "view.git"
        make_view(view, where)
        yield Git(
            git_dir=view,
            work_tree=where.work_tree,
            trusted=(view, *where.trusted),
            extra={"GIT_OBJECT_DIRECTORY": str(where.objects)},
        )


def make_view(view: Path, where: Place) -> None:
    shape = where.git().line("rev-parse", "--show-object-format")
    Git().run("init", "--quiet", "--bare", f"--object-format={shape}", "--template=", "--", str(view))
    shallow = where.common / "shallow"
    if shallow.is_file():
        shutil.copyfile(shallow, view / "shallow")


def is_dirty(where: Place, head: str) -> bool:
    """Whether tracked files differ from ``head``: our settings, a copy of the index, no filter and no submodule."""
    with outside_view(where) as git:
        assert git.git_dir is not None
        index = where.git_dir / "index"
        if index.is_file() and not _split(index):
            shutil.copyfile(index, git.git_dir / "index")
        else:
            git.run("read-tree", head)
        git.run("update-ref", "--no-deref", "HEAD", head)
        done = git.attempt(
            "status", "--porcelain", "--untracked-files=no", "--ignore-submodules=all", "--no-renames"
        )
        return done.code == 0 and bool(done.out.strip())


def _split(index: Path) -> bool:
    """An index that leans on another file cannot be copied alone."""
    return any(index.parent.glob("sharedindex.*"))


def resolve_name(ref: str) -> str:
    """A ref as a person types it: a full commit id, or the name of a branch or tag."""
    return ref if SHA.fullmatch(ref) else check_ref_name(ref, what="branch, tag or commit")
