"""The session clone: exact trees, named files only, compare and set; and the sentences for bad input."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.workspace import (
    BadSource,
    BranchMoved,
    BranchTaken,
    EmptyRepository,
    NotARepository,
    NothingToCommit,
    OutsideRoots,
    PathRefused,
    TooLarge,
    UnknownRef,
    Unreachable,
    Workspace,
    WorkspaceError,
    bring_home,
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
