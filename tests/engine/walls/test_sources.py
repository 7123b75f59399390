"""Where repositories come from: what is noticed about them, and the sentence for each that cannot be used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.workspace import (
    BadSource,
    EmptyRepository,
    NotARepository,
    OutsideRoots,
    Unreachable,
    Workspace,
    bring_home,
    describe_source,
)
from tests.conftest import git, make_repo

from .test_workspace import CODE, keep


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repo(tmp_path / "shopworks", CODE)


def test_sources_describe_themselves(repo: Path, tmp_path: Path) -> None:
    head = git(repo, "rev-parse", "HEAD")
    state = describe_source(str(repo))
    assert (state.head, state.branch, state.default_ref) == (head, "main", "main")
    assert not (state.dirty or state.bare or state.detached or state.notes)
    (repo / "untracked").write_text("x")
    assert not describe_source(str(repo)).dirty
    (repo / "README.md").write_text("changed")
    before = (repo / ".git/index").read_bytes()
    dirty = describe_source(f"file://{repo}")
    assert dirty.dirty and "uncommitted" in dirty.notes[0]
    assert (repo / ".git/index").read_bytes() == before
    git(tmp_path, "clone", "-q", "--bare", str(repo), "bare.git")
    bare = describe_source(str(tmp_path / "bare.git"))
    assert bare.bare and bare.head == head and not bare.dirty


def test_staged_changes_and_linked_work_trees(repo: Path, tmp_path: Path) -> None:
    git(repo, "worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"))
    state = describe_source(str(tmp_path / "linked"))
    assert state.branch == "side" and not state.dirty
    (repo / "README.md").write_text("staged")
    git(repo, "add", "README.md")
    assert describe_source(str(repo)).dirty
    space = Workspace.create(source=str(tmp_path / "linked"), root=tmp_path / "s", branch="codeflash/x")
    assert space.base == state.head


def test_a_shallow_source_works(repo: Path, tmp_path: Path) -> None:
    git(repo, "commit", "-q", "--allow-empty", "-m", "Second")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repo}", "shallow")
    shallow = tmp_path / "shallow"
    space = Workspace.create(source=str(shallow), root=tmp_path / "s", branch="codeflash/x")
    new = keep(space, b"TWO = 3\n")
    bring_home(source=str(shallow), clone=space.clone, branch=space.branch, head=new)
    assert git(shallow, "rev-parse", "codeflash/x") == new
    git(shallow, "fsck", "--strict")


def test_a_repository_of_another_user_can_be_read(repo: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to give the repository to another user")
    for path in (repo, *repo.rglob("*")):
        os.chown(path, 12345, 12345, follow_symlinks=False)
    assert describe_source(str(repo)).branch == "main"
    space = Workspace.create(source=str(repo), root=tmp_path / "s", branch="codeflash/x")
    new = keep(space, b"TWO = 3\n")
    bring_home(source=str(repo), clone=space.clone, branch=space.branch, head=new)
    strangers = [path for path in repo.rglob("*") if path.lstat().st_uid != 12345]
    assert strangers == [], "its owner could not add to these"


def test_bad_sources_are_sentences(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    git(tmp_path, "init", "-q", "empty")
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty" / "inner").mkdir()
    cases = {
        str(tmp_path / "empty" / "inner"): (NotARepository, "give that folder"),
        str(tmp_path / "plain"): (NotARepository, "git init"),
        str(tmp_path / "empty"): (EmptyRepository, "make a first commit"),
        str(tmp_path / "missing"): (NotARepository, "check the path"),
        str(tmp_path / "file"): (NotARepository, "check the path"),
        "": (BadSource, "give a folder"),
        "--upload-pack=touch x": (BadSource, "give a folder"),
        "-oProxyCommand=x": (BadSource, "give a folder"),
        "ext::sh -c 'touch x'": (BadSource, "give a folder"),
        "http://example.org/x": (BadSource, "https://"),
        "git://example.org/x": (BadSource, "https://"),
        "fd::17": (BadSource, "give a folder"),
        "ssh://-oProxyCommand=x/y": (BadSource, "host"),
        "https://": (BadSource, "host"),
        "https://user:secret@example.org/x": (BadSource, "password"),
        "file://elsewhere/x": (BadSource, "another machine"),
        "https://127.0.0.1:9/nothing.git": (Unreachable, "check the address"),
        "a\nb": (BadSource, "give a folder"),
    }
    for source, (kind, words) in cases.items():
        for call in (
            lambda source=source: describe_source(source),
            lambda source=source: Workspace.create(source=source, root=tmp_path / "s", branch="codeflash/x"),
        ):
            with pytest.raises(kind, match=words):
                call()
    assert not list((tmp_path / "s").glob("*"))


def test_allowed_roots_are_compared_by_real_path(repo: Path, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link").symlink_to(repo)
    for source in (str(repo), str(inside / "link"), f"{inside}/../shopworks", f"file://{repo}"):
        with pytest.raises(OutsideRoots, match="outside the folders"):
            describe_source(source, allowed_roots=[str(inside)])
    assert describe_source(str(repo), allowed_roots=[str(tmp_path)]).branch == "main"


def test_a_full_disk_is_told(repo: Path, tmp_path: Path) -> None:
    """A clone into a file system of 64 KiB."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small file system")
    small = tmp_path / "small"
    small.mkdir()
    (repo / "noise").write_bytes(os.urandom(2**20))
    git(repo, "add", "noise")
    git(repo, "commit", "-q", "-m", "Noise")
    code = (
        "import sys\nfrom pathlib import Path\nfrom engine.workspace import DiskFull, Workspace\ntry:\n"
        "    Workspace.create(source=sys.argv[1], root=Path(sys.argv[2]) / 's', branch='codeflash/x')\n"
        "except DiskFull as error:\n    print(error)"
    )
    script = f"mount -t tmpfs -o size=64k none '{small}' && exec \"$@\""
    words = [
        "unshare",
        "--mount",
        "sh",
        "-c",
        script,
        "sh",
        sys.executable,
        "-c",
        code,
        str(repo),
        str(small),
    ]
    done = subprocess.run(words, capture_output=True, text=True)
    assert "free some space" in done.stdout, done.stderr
