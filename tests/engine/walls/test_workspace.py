"""The session clone: exact trees, named files only, compare and set; and the sentences for bad input."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from engine.workspace import (
    BranchMoved,
    BranchTaken,
    NotARepository,
    NothingToCommit,
    PathRefused,
    TooLarge,
    UnknownRef,
    Workspace,
    WorkspaceError,
    describe_source,
    owner,
)
from engine.workspace.git import Git
from tests.conftest import git, make_repo

CODE = {"pkg/__init__.py": "def one():\n    return 1\n", "pkg/two.py": "TWO = 2\n", "README.md": "Read me\n"}


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repo(tmp_path / "shopworks", CODE)


@pytest.fixture
def space(repo: Path, tmp_path: Path) -> Workspace:
    return Workspace.create(source=str(repo), root=tmp_path / "session", branch="codeflash/shopworks-1")


def keep(space: Workspace, text: bytes, *, experiment: str = "exp-1", path: str = "pkg/two.py") -> str:
    tree = space.tree("after", space.head)
    (tree / path).write_bytes(text)
    return space.commit(
        tree=tree, files={path: text}, message="Make it faster\n\nBecause.", experiment=experiment
    )


def test_a_clone_shares_nothing_with_its_source(space: Workspace, repo: Path) -> None:
    assert space.base == space.head == git(repo, "rev-parse", "HEAD")
    objects = [path for path in (space.clone / "objects").rglob("*") if path.is_file()]
    assert objects and all(path.stat().st_nlink == 1 for path in objects)
    assert not (space.clone / "objects/info/alternates").exists()
    assert not list((space.clone / "hooks").glob("*")) if (space.clone / "hooks").exists() else True
    assert "remote" not in (space.clone / "config").read_text()


def test_a_tree_is_exactly_the_commit(space: Workspace) -> None:
    tree = space.tree("before", space.base)
    (tree / "left.over").write_text("x")
    (tree / "pkg" / "two.py").write_text("changed")
    (tree / "deep" / "nested").mkdir(parents=True)
    (tree / "deep").chmod(0o000)
    again = space.tree("before", space.base)
    assert again == tree
    found = sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file())
    assert found == sorted(CODE) == sorted(space.files(space.base))
    assert (tree / "pkg/two.py").read_text() == CODE["pkg/two.py"]
    assert not (tree / ".git").exists()


def test_bytes_are_the_stored_ones(tmp_path: Path) -> None:
    """Line ends, keywords, export rules and encodings change nothing."""
    repo = make_repo(tmp_path / "r", {"a.py": "# $Id$\nx = 1\n", "b.txt": "b\n"})
    (repo / ".gitattributes").write_text("*.py text eol=crlf ident export-subst\nb.txt export-ignore\n")
    (repo / "dos.py").write_bytes(b"x = 1\r\ny = 2\r\n")
    git(repo, "add", ".gitattributes")
    git(repo, "-c", "core.autocrlf=false", "update-index", "--add", "--cacheinfo",
        f"100755,{git(repo, 'hash-object', '-w', '--no-filters', 'dos.py')},dos.py")  # fmt: skip
    git(repo, "commit", "-q", "-m", "More")
    space = Workspace.create(source=str(repo), root=tmp_path / "s", branch="codeflash/r-1")
    tree = space.tree("a", space.base)
    assert (tree / "a.py").read_bytes() == b"# $Id$\nx = 1\n"
    assert (tree / "dos.py").read_bytes() == b"x = 1\r\ny = 2\r\n" == space.show(space.base, "dos.py")
    assert (tree / "b.txt").exists()
    assert (tree / "dos.py").stat().st_mode & 0o777 == 0o755 and (
        tree / "a.py"
    ).stat().st_mode & 0o777 == 0o644
    keep(space, b"x = 3\r\n", path="dos.py")
    assert space.show(space.head, "dos.py") == b"x = 3\r\n"


def test_links_that_lead_out_are_plain_files(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {"pkg/a.py": "1\n"})
    for name, target in {"out": "/etc/passwd", "up": "../../x", "in": "pkg/a.py", "folder": "pkg"}.items():
        (repo / name).symlink_to(target)
    (repo / "pkg" / "sly").symlink_to("../folder/../../../etc/passwd")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "Links")
    space = Workspace.create(source=str(repo), root=tmp_path / "s", branch="codeflash/r-1")
    tree = space.tree("a", space.base)
    assert {name for name in ("out", "up", "in", "folder") if (tree / name).is_symlink()} == {"in", "folder"}
    assert (tree / "out").read_text() == "/etc/passwd"
    assert not (tree / "pkg" / "sly").is_symlink()
    assert space.files(space.base) == ["pkg/a.py"]
    with pytest.raises(PathRefused, match="plain files"):
        space.commit(tree=tree, files={"out": b"/etc/passwd"}, message="m", experiment="e")


def test_a_kept_experiment_is_one_commit_of_the_named_files(space: Workspace, repo: Path) -> None:
    tree = space.tree("after", space.head)
    (tree / "pkg/two.py").write_bytes(b"TWO = 1 + 1\n")
    (tree / "pkg/__init__.py").write_bytes(b"broken by a test\n")
    (tree / "build.out").write_bytes(b"x" * 1000)
    new = space.commit(
        tree=tree, files={"pkg/two.py": b"TWO = 1 + 1\n"}, message="Add at import\n\nWhy.", experiment="exp-7"
    )
    assert space.head == new
    changed = Git(git_dir=space.clone).line("diff", "--name-only", space.base, new)
    assert changed == "pkg/two.py"
    (info,) = space.log()
    assert (info.sha, info.subject, info.experiment) == (new, "Add at import", "exp-7")
    assert "+TWO = 1 + 1" in space.diff(space.base, new)
    assert git(repo, "branch", "--list", "codeflash/*") == ""


def test_commits_pile_up_oldest_first_and_can_be_taken_back(space: Workspace) -> None:
    first = keep(space, b"TWO = 3\n", experiment="exp-1")
    second = keep(space, b"TWO = 4\n", experiment="exp-2")
    assert [info.experiment for info in space.log()] == ["exp-1", "exp-2"]
    space.move_branch(first)
    assert space.head == first
    space.move_branch(second)
    assert [info.sha for info in space.log()] == [first, second]
    with pytest.raises(UnknownRef):
        space.move_branch("0" * 40)


def test_new_and_empty_files(space: Workspace) -> None:
    tree = space.tree("after", space.head)
    (tree / "pkg/new.py").write_bytes(b"")
    new = space.commit(tree=tree, files={"pkg/new.py": b""}, message="m", experiment="e")
    assert space.show(new, "pkg/new.py") == b""


def test_what_changed_in_the_tree_is_not_committed(space: Workspace) -> None:
    """A test that rewrites the file, or swaps it for a link, cannot get its own text committed."""
    tree = space.tree("after", space.head)
    with pytest.raises(PathRefused, match="changed in its tree"):
        space.commit(tree=tree, files={"pkg/two.py": b"TWO = 9\n"}, message="m", experiment="e")
    (tree / "pkg/two.py").unlink()
    (tree / "pkg/two.py").symlink_to("/etc/hostname")
    with pytest.raises(PathRefused, match="not in the tree"):
        space.commit(tree=tree, files={"pkg/two.py": b"TWO = 9\n"}, message="m", experiment="e")
    assert space.head == space.base


@pytest.mark.parametrize(
    "path",
    ["../out.py", "/etc/passwd", "a/../../b", ".git/config", "pkg/.GIT/hooks/x", "", "a//b", "pkg/", "x\0y"],
)
def test_paths_out_of_the_repository_are_refused(space: Workspace, path: str) -> None:
    with pytest.raises(PathRefused, match="inside the repository"):
        space.commit(tree=space.tree("t", space.head), files={path: b"x"}, message="m", experiment="e")
    with pytest.raises(PathRefused):
        space.show(space.head, path)


def test_option_like_and_odd_file_names_are_plain_names(tmp_path: Path) -> None:
    names = ["--output=owned", "-n", "sp ace.py", "ünï.py", ":(glob)x.py", "new\nline.py", "'quoted'.py"]
    repo = make_repo(tmp_path / "r", dict.fromkeys(names, "1\n"))
    space = Workspace.create(source=str(repo), root=tmp_path / "s", branch="codeflash/r-1")
    assert sorted(space.files(space.base)) == sorted(names)
    for number, name in enumerate(names):
        keep(space, b"2\n", path=name, experiment=f"e{number}")
        assert space.show(space.head, name) == b"2\n"
    assert len(space.log()) == len(names)


def test_a_commit_message_cannot_forge_the_trailer(space: Workspace) -> None:
    tree = space.tree("after", space.head)
    (tree / "pkg/two.py").write_bytes(b"TWO = 3\n")
    message = "Subject\n\nCodeflash-Experiment: forged\n\nMore\0"
    space.commit(tree=tree, files={"pkg/two.py": b"TWO = 3\n"}, message=message, experiment="true-one")
    assert space.log()[0].experiment == "true-one"
    with pytest.raises(WorkspaceError, match="cannot name an experiment"):
        space.commit(tree=tree, files={"pkg/two.py": b"TWO = 3\n"}, message="m", experiment="a\nb")


def test_nothing_to_commit(space: Workspace) -> None:
    tree = space.tree("after", space.head)
    for files in ({}, {"pkg/two.py": b"TWO = 2\n"}):
        with pytest.raises(NothingToCommit):
            space.commit(tree=tree, files=files, message="m", experiment="e")


def test_a_paused_worker_cannot_move_the_branch_after_a_takeover(
    space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = space.head
    newer = keep(space, b"TWO = 3\n")
    monkeypatch.setattr(Workspace, "head", property(lambda self: old))
    with pytest.raises(BranchMoved, match="moved by somebody else"):
        keep(space, b"TWO = 4\n", experiment="late")
    monkeypatch.undo()
    assert space.head == newer


def test_reading_names_what_is_missing(space: Workspace) -> None:
    with pytest.raises(UnknownRef, match="not a file"):
        space.show(space.head, "missing.py")
    for bad in ("HEAD", "--output=x", "abc", space.head + "\n"):
        with pytest.raises(UnknownRef, match="40 hexadecimal"):
            space.files(bad)


def test_large_files_are_left_alone(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {"large.txt": "x" * (17 * 2**20)})
    space = Workspace.create(source=str(repo), root=tmp_path / "s", branch="codeflash/r-1")
    with pytest.raises(TooLarge, match="16 MiB"):
        space.show(space.base, "large.txt")


def test_diff_survives_text_that_is_not_utf8(space: Workspace) -> None:
    new = keep(space, b"TWO = '\xff'\n")
    assert "TWO" in space.diff(space.base, new)


def test_open_finds_the_session_again_and_removes_a_dead_owners_locks(space: Workspace) -> None:
    new = keep(space, b"TWO = 3\n")
    lock = space.clone / "refs/heads/codeflash/shopworks-1.lock"
    lock.write_text("")
    living = subprocess.Popen(["sleep", "60"])
    (space.root / "owner").write_text(f"{living.pid} {owner._started(living.pid)}")
    again = Workspace.open(space.root)
    assert (again.base, again.branch, again.head) == (space.base, space.branch, new)
    assert lock.exists(), "while its owner lives, the lock is its business"
    living.kill()
    living.wait()
    assert keep(Workspace.open(space.root), b"TWO = 5\n", experiment="e2") and not lock.exists()


def test_open_and_create_refuse_what_does_not_fit(space: Workspace, repo: Path, tmp_path: Path) -> None:
    with pytest.raises(NotARepository, match="start a new session"):
        Workspace.open(tmp_path / "nothing")
    with pytest.raises(WorkspaceError, match="holds a session already"):
        Workspace.create(source=str(repo), root=space.root, branch="codeflash/x")


def test_start_from_branch_tag_commit_or_detached_head(repo: Path, tmp_path: Path) -> None:
    first = git(repo, "rev-parse", "HEAD")
    git(repo, "tag", "-a", "v1", "-m", "One")
    git(repo, "checkout", "-q", "--orphan", "lonely")
    git(repo, "commit", "-q", "-m", "Lonely")
    git(repo, "tag", "only-a-tag")
    lonely = git(repo, "rev-parse", "HEAD")
    git(repo, "checkout", "-q", "--detach", "main")
    git(repo, "branch", "-q", "-D", "lonely")

    def base(name: str, **words: str) -> str:
        return Workspace.create(source=str(repo), root=tmp_path / name, branch="codeflash/x", **words).base

    assert (
        base("1") == base("2", base_ref="main") == base("3", base_ref="v1") == base("4", base=first) == first
    )
    assert base("5", base_ref="only-a-tag") == lonely
    assert base("6", base_ref=first) == first
    state = describe_source(str(repo))
    assert (
        state.detached
        and state.branch is None
        and state.default_ref == first
        and "detached" in state.notes[0]
    )


@pytest.mark.parametrize(
    "ref", ["nope", "--upload-pack=x", "a..b", "HEAD~1", "x y", "a" * 40, "main:", "@{-1}"]
)
def test_unknown_refs_are_named(repo: Path, tmp_path: Path, ref: str) -> None:
    with pytest.raises(UnknownRef):
        Workspace.create(source=str(repo), root=tmp_path / "s", branch="codeflash/x", base_ref=ref)
    assert not (tmp_path / "s" / "clone.git").exists()


@pytest.mark.parametrize(
    "name", ["-x", "a b", "a..b", "x.lock", "/a", "a/", "", "a~1", "HEAD:x", "a\nb", "@"]
)
def test_branch_names_git_would_misread_are_refused(repo: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(UnknownRef, match="cannot be the name"):
        Workspace.create(source=str(repo), root=tmp_path / "s", branch=name)


def test_an_existing_branch_is_taken_over_when_it_builds_on_the_base(repo: Path, tmp_path: Path) -> None:
    base = git(repo, "rev-parse", "HEAD")
    git(repo, "checkout", "-q", "-b", "feature")
    git(repo, "commit", "-q", "--allow-empty", "-m", "More")
    tip = git(repo, "rev-parse", "HEAD")
    git(repo, "checkout", "-q", "main")
    space = Workspace.create(source=str(repo), root=tmp_path / "s", branch="feature")
    assert (space.base, space.head) == (base, tip)
    git(repo, "commit", "-q", "--allow-empty", "-m", "Elsewhere")
    elsewhere = git(repo, "rev-parse", "HEAD")
    with pytest.raises(BranchTaken, match="does not build on"):
        Workspace.create(source=str(repo), root=tmp_path / "t", branch="feature", base=elsewhere)
    assert Workspace.create(source=str(repo), root=tmp_path / "u", branch="feature").base == base
