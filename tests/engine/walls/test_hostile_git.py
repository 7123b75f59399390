"""No setting, hook or helper of a registered repository ever runs, and coming home changes one reference only."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.workspace import BranchTaken, UnknownRef, Workspace, WorkspaceError, bring_home, describe_source
from tests.conftest import GIT_ENV, git, make_repo

from . import hostile

CODE = {"pkg/__init__.py": "def one():\n    return 1\n", "pkg/two.py": "TWO = 2\n"}
BRANCH = "codeflash/shopworks-1"


def whole_session(repo: Path, folder: Path) -> Workspace:
    """Everything the product does with a repository, from the first look to the branch at home."""
    (repo / "pkg/__init__.py").write_text("def one():\n    return 1  # not committed\n")
    describe_source(str(repo))
    space = Workspace.create(source=str(repo), root=folder, branch=BRANCH)
    tree = space.tree("after", space.head)
    (tree / "pkg/two.py").write_bytes(b"TWO = 1 + 1\n")
    new = space.commit(tree=tree, files={"pkg/two.py": b"TWO = 1 + 1\n"}, message="Keep", experiment="e1")
    space.diff(space.base, new)
    space.log()
    space.files(new)
    bring_home(source=str(repo), clone=space.clone, branch=BRANCH, head=new)
    return space


@pytest.mark.parametrize("recipe", hostile.RECIPES, ids=lambda recipe: recipe.__name__)
def test_hostile_settings_do_not_fire(recipe: hostile.Recipe, tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "shopworks", CODE)
    trap = tmp_path / "fired"
    recipe(repo, trap)
    trap.unlink(missing_ok=True)
    space = whole_session(repo, tmp_path / "session")
    assert not trap.exists(), f"{recipe.__name__} was started"
    assert (repo / f".git/refs/heads/{BRANCH}").read_text().strip() == space.head


def plain_git(repo: Path, *words: str) -> None:
    """As a careless tool would: in the repository, with its settings."""
    subprocess.run(["git", *words], cwd=repo, env=GIT_ENV, capture_output=True)


CARELESS: dict[str, Callable[[Path], None]] = {
    "fsmonitor": lambda repo: plain_git(repo, "status"),
    "hooks_in_folder": lambda repo: plain_git(repo, "checkout", "-q", "-b", "other"),
    "hooks_path": lambda repo: plain_git(repo, "branch", "other"),
    "clean_filter": lambda repo: plain_git(repo, "status"),
    "process_filter": lambda repo: plain_git(repo, "status"),
    "text_converter": lambda repo: plain_git(repo, "diff"),
    "diff_command": lambda repo: plain_git(repo, "diff"),
    "ssh_command": lambda repo: plain_git(repo, "fetch", str(repo)),
    "ext_transport": lambda repo: plain_git(repo, "fetch", str(repo)),
    "signing_program": lambda repo: plain_git(repo, "commit", "-am", "Signed"),
    "include_if": lambda repo: plain_git(repo, "status"),
    "nested_submodule": lambda repo: plain_git(repo, "status"),
}


@pytest.mark.parametrize("name", CARELESS)
def test_the_recipes_are_real_traps(name: str, tmp_path: Path) -> None:
    """With plain git they do fire: what the test above shows is not that the traps are broken."""
    repo = make_repo(tmp_path / "shopworks", CODE)
    trap = tmp_path / "fired"
    getattr(hostile, name)(repo, trap)
    trap.unlink(missing_ok=True)
    (repo / "pkg/two.py").write_text("TWO = 3\n")
    os.utime(repo / "pkg/two.py", (1, 1))
    CARELESS[name](repo)
    assert trap.exists()


def test_coming_home_changes_one_reference_and_nothing_else(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "shopworks", CODE)
    (repo / "pkg/two.py").write_text("TWO = 2  # being edited\n")
    (repo / "staged.py").write_text("S = 1\n")
    git(repo, "add", "staged.py")
    (repo / "untracked").write_text("u")
    (repo / ".git/FETCH_HEAD").write_text("what the user fetched last\n")
    before, status = hostile.picture(repo), git(repo, "status", "--porcelain")
    index = (repo / ".git/index").read_bytes()
    space = Workspace.create(source=str(repo), root=tmp_path / "s", branch=BRANCH)
    tree = space.tree("after", space.head)
    (tree / "pkg/two.py").write_bytes(b"TWO = 1 + 1\n")
    new = space.commit(tree=tree, files={"pkg/two.py": b"TWO = 1 + 1\n"}, message="Keep", experiment="e1")
    assert hostile.picture(repo) == before
    bring_home(source=str(repo), clone=space.clone, branch=BRANCH, head=new)
    reference = f".git/refs/heads/{BRANCH}"
    assert hostile.picture(repo, but=(reference,)) == before
    assert (repo / reference).read_text().strip() == new
    assert (repo / ".git/index").read_bytes() == index
    assert git(repo, "status", "--porcelain") == status
    assert git(repo, "show", f"{BRANCH}:pkg/two.py") == "TWO = 1 + 1"
    git(repo, "fsck", "--strict")


def kept(repo: Path, folder: Path) -> tuple[Workspace, str]:
    space = Workspace.create(source=str(repo), root=folder, branch=BRANCH)
    tree = space.tree("after", space.head)
    (tree / "pkg/two.py").write_bytes(b"TWO = 1 + 1\n")
    files = {"pkg/two.py": b"TWO = 1 + 1\n"}
    return space, space.commit(tree=tree, files=files, message="Keep", experiment="e1")


def test_coming_home_twice_and_again_with_more(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "shopworks", CODE)
    space, new = kept(repo, tmp_path / "s")
    for _ in range(2):
        bring_home(source=str(repo), clone=space.clone, branch=BRANCH, head=new)
    tree = space.tree("after", space.head)
    (tree / "pkg/two.py").write_bytes(b"TWO = 4 // 2\n")
    more = space.commit(tree=tree, files={"pkg/two.py": b"TWO = 4 // 2\n"}, message="More", experiment="e2")
    bring_home(source=str(repo), clone=space.clone, branch=BRANCH, head=more)
    assert git(repo, "rev-parse", BRANCH) == more


def test_foreign_commits_are_not_overwritten(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "shopworks", CODE)
    space, new = kept(repo, tmp_path / "s")
    git(repo, "commit", "-q", "--allow-empty", "-m", "Somebody's own")
    git(repo, "branch", BRANCH)
    mine = git(repo, "rev-parse", BRANCH)
    with pytest.raises(BranchTaken, match="did not make"):
        bring_home(source=str(repo), clone=space.clone, branch=BRANCH, head=new)
    assert git(repo, "rev-parse", BRANCH) == mine


def test_a_branch_that_is_checked_out_is_not_moved(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "shopworks", CODE)
    space, new = kept(repo, tmp_path / "s")
    git(repo, "worktree", "add", "-q", "-b", BRANCH, str(tmp_path / "linked"))
    with pytest.raises(BranchTaken, match="checked out"):
        bring_home(source=str(repo), clone=space.clone, branch=BRANCH, head=new)
    assert git(repo, "rev-parse", BRANCH) == space.base


def test_only_commits_of_the_session_come_home(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "shopworks", CODE)
    space, _ = kept(repo, tmp_path / "s")
    with pytest.raises(UnknownRef):
        bring_home(source=str(repo), clone=space.clone, branch=BRANCH, head="1" * 40)
    with pytest.raises(UnknownRef):
        bring_home(source=str(repo), clone=space.clone, branch=BRANCH, head="--exec=x")
    with pytest.raises(WorkspaceError, match="not on this machine"):
        bring_home(source="https://example.org/x", clone=space.clone, branch=BRANCH, head=space.head)
    assert git(repo, "branch", "--list", "codeflash/*") == ""


def test_home_may_be_bare_or_packed_or_without_the_base(tmp_path: Path) -> None:
    origin = make_repo(tmp_path / "shopworks", CODE)
    space, new = kept(origin, tmp_path / "s")
    git(tmp_path, "clone", "-q", "--bare", str(origin), "bare.git")
    bring_home(source=str(tmp_path / "bare.git"), clone=space.clone, branch=BRANCH, head=new)
    assert git(tmp_path / "bare.git", "rev-parse", BRANCH) == new
    git(origin, "pack-refs", "--all")
    git(origin, "gc", "-q")
    bring_home(source=str(origin), clone=space.clone, branch=BRANCH, head=new)
    assert git(origin, "rev-parse", BRANCH) == new
    other = make_repo(tmp_path / "other", {"x.py": "1\n"})
    bring_home(source=str(other), clone=space.clone, branch=BRANCH, head=new)
    assert git(other, "show", f"{BRANCH}:pkg/two.py") == "TWO = 1 + 1"
    for repo in (origin, other):
        git(repo, "fsck", "--strict")


def test_a_stale_index_lock_of_the_user_stays(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "shopworks", CODE)
    (repo / ".git/index.lock").write_text("")
    space, new = kept(repo, tmp_path / "s")
    bring_home(source=str(repo), clone=space.clone, branch=BRANCH, head=new)
    assert (repo / ".git/index.lock").exists()


def test_variables_of_the_caller_do_not_reach_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo, other = make_repo(tmp_path / "shopworks", CODE), make_repo(tmp_path / "other", {"o": "o"})
    trap = tmp_path / "fired"
    evil = hostile.script(trap)
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", evil)
    monkeypatch.setenv("GIT_SSH_COMMAND", evil)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.fsmonitor")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", evil)
    monkeypatch.setenv("GIT_PROXY_COMMAND", evil)
    space = whole_session(repo, tmp_path / "s")
    assert not trap.exists()
    assert space.files(space.base) == sorted(CODE)


def test_a_repository_made_by_a_test_in_the_tree_is_gone_next_time(tmp_path: Path) -> None:
    """Target code may write what it likes into its tree; the tree is never a repository for us."""
    repo = make_repo(tmp_path / "shopworks", CODE)
    trap = tmp_path / "fired"
    space, _ = kept(repo, tmp_path / "s")
    tree = space.tree("after", space.head)
    git(tree, "init", "-q")
    hostile.fsmonitor(tree, trap)
    (tree / "pkg/two.py").write_bytes(b"TWO = 6 // 3\n")
    files = {"pkg/two.py": b"TWO = 6 // 3\n"}
    space.commit(tree=tree, files=files, message="Keep", experiment="e2")
    assert not (space.tree("after", space.head) / ".git").exists()
    assert not trap.exists()
