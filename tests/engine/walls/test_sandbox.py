"""The sandbox against hostile programs: as the user who runs the tests and, when that is root, as a normal user too."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import engine
from engine.sandbox import Limits, Sandbox, SandboxError, probe, probe_isolation, repair_hint
from engine.values import Isolation

from . import scenarios

ROOT = os.geteuid() == 0
# As root, the two without a file view of their own need a Python that other users can reach; as_user covers them.
HERE = ("bubblewrap", "open") if ROOT else ("bubblewrap", "namespaces", "guard", "open")
PAIRS = [(mechanism, scenario) for mechanism in HERE for scenario in scenarios.OF[mechanism]]


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every user of the machine can reach, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="codeflash-walls-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize(("mechanism", "scenario"), PAIRS, ids=[f"{m}-{s.__name__}" for m, s in PAIRS])
def test_scenario(mechanism: str, scenario: scenarios.Scenario, place: Path) -> None:
    scenarios.play(mechanism, scenario, place)


@pytest.mark.skipif(not ROOT, reason="the tests above ran as a normal user already")
@pytest.mark.parametrize("mechanism", ["bubblewrap", "namespaces", "guard", "open"])
def test_all_scenarios_as_a_normal_user(mechanism: str, place: Path) -> None:
    results = _play_as(12345, mechanism, place)
    failed = {name: words for name, words in results.items() if words}
    assert not failed, "\n".join(f"{name}: {words}" for name, words in failed.items())
    assert len(results) == len(scenarios.OF[mechanism]) + 1


@pytest.mark.skipif(not ROOT, reason="needs root to become another user from")
@pytest.mark.parametrize("mechanism", ["namespaces", "guard"])
def test_guarded_mechanisms_as_root_give_up_its_powers(mechanism: str, place: Path) -> None:
    results = _play_as(0, mechanism, place)
    failed = {name: words for name, words in results.items() if words}
    assert not failed, "\n".join(f"{name}: {words}" for name, words in failed.items())


def _play_as(uid: int, mechanism: str, place: Path) -> dict[str, str]:
    """With a copy of the engine and a Python that the other user can reach."""
    library, home = place / "library", place / "home"
    shutil.copytree(
        Path(engine.__file__).parent, library / "engine", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copytree(Path(__file__).parent, library / "walls", ignore=shutil.ignore_patterns("__pycache__"))
    home.mkdir(mode=0o700 if uid else 0o755)
    os.chown(home, uid, uid)
    become = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"] if uid else []
    done = subprocess.run(
        [*become, _python_for_all(), "-B", "-m", "walls.as_user", mechanism, str(home)],
        env={"PATH": "/usr/bin:/bin", "HOME": str(home), "PYTHONPATH": str(library), "TMPDIR": "/tmp"},
        capture_output=True,
        text=True,
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _python_for_all() -> str:
    """An interpreter that is not below somebody's closed home."""
    for path in (os.path.realpath(sys.executable), "/usr/local/bin/python3", "/usr/bin/python3"):
        code = "import sys, json, subprocess; sys.exit(sys.version_info < (3, 11))"
        # env in between: setpriv itself can still open what the user cannot.
        words = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", "env", path, "-c", code]
        if os.path.exists(path) and subprocess.run(words, capture_output=True, cwd="/").returncode == 0:
            return path
    pytest.skip("there is no Python 3.11 that other users of this machine can start")


def test_probe_finds_the_best_level_by_trying() -> None:
    isolation = probe_isolation()
    assert isolation == probe_isolation()
    assert isolation.level == "L2", isolation
    assert isolation.mechanism == "bubblewrap"
    assert isolation.network == "none"
    assert len(isolation.checks) == 6 and all(": held (" in line for line in isolation.checks)
    assert "nothing to repair" in repair_hint()


def test_probe_tells_when_nothing_holds() -> None:
    """Without walls every attempt gets out, and the checks say so; this is what makes the probe worth believing."""
    _, checks = probe.try_mechanism("open")
    for name in ("network", "home", "outside write", "outside signal", "root powers"):
        assert any(line.startswith(f"{name}: open") for line in checks), (name, checks)


def test_probe_falls_back_and_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A bwrap on PATH that does not work is not believed because it is there."""
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'No permissions to create new namespace' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    isolation = probe._probe()
    assert isolation.level in ("L0", "L1")
    assert "No permissions to create new namespace" in isolation.reason


def test_a_missing_folder_is_told_before_anything_runs(tmp_path: Path) -> None:
    sandbox = Sandbox(probe_isolation(), scratch=tmp_path / "scratch")
    with pytest.raises(SandboxError, match="make it before"):
        sandbox.run(["true"], cwd=tmp_path, readable=[tmp_path / "missing"])


def test_a_sandbox_that_cannot_start_is_told(place: Path) -> None:
    sandbox = Sandbox(Isolation(level="L2", mechanism="bubblewrap"), scratch=place / "scratch")
    done = sandbox.run(["true"], cwd=place, env={"A": "x" * 3_000_000})
    assert done.limit == "start" and b"could not be started" in done.stderr
    assert not done.ok and done.exit_code is None


def test_disk_floor_ends_a_run_that_writes(place: Path) -> None:
    sandbox = Sandbox(probe_isolation(), scratch=place / "scratch")
    (place / "work").mkdir()
    limits = Limits(wall_seconds=20, floor_bytes=2**62)
    done = sandbox.run(["sleep", "20"], cwd=place / "work", writable=[place / "work"], limits=limits)
    assert done.limit == "disk"


def test_interpreter_below_a_closed_home_can_be_used(place: Path) -> None:
    """A version manager keeps Pythons in the home of root, which the target's uid cannot enter outside."""
    inner = place / "closed" / "tool"
    inner.mkdir(parents=True)
    (inner / "hello").write_text("#!/bin/sh\necho hello\n")
    (inner / "hello").chmod(0o755)
    (place / "closed").chmod(0o700)
    (place / "work").mkdir()
    sandbox = Sandbox(Isolation(level="L2", mechanism="bubblewrap"), scratch=place / "scratch")
    done = sandbox.run([inner / "hello"], cwd=place / "work", readable=[inner])
    assert done.stdout == b"hello\n", done


def test_links_are_not_followed_when_a_folder_is_handed_over(place: Path) -> None:
    if not ROOT:
        pytest.skip("only root hands folders over")
    outside, work = place / "outside", place / "work"
    outside.write_text("x")
    work.mkdir()
    (work / "link").symlink_to(outside)
    sandbox = Sandbox(probe_isolation(), scratch=place / "scratch")
    sandbox.run(["true"], cwd=work, writable=[work])
    assert outside.stat().st_uid == 0
    assert work.stat().st_uid == sandbox.uid != 0


def test_two_runs_at_once_do_not_share_their_tmp(place: Path) -> None:
    """The first to end must not sweep away what the other uses."""
    work = place / "work"
    work.mkdir()
    sandbox = Sandbox(Isolation(level="L0", mechanism="open"), scratch=place / "scratch")
    slow: list[bytes] = []
    words = 'touch "$TMPDIR/mine"; while [ ! -e done ]; do sleep 0.02; done; ls "$TMPDIR"'
    thread = threading.Thread(
        target=lambda: slow.append(sandbox.run(["sh", "-c", words], cwd=work, writable=[work]).stdout)
    )
    thread.start()
    sandbox.run(["sh", "-c", "touch done"], cwd=work, writable=[work])
    thread.join(20)
    assert slow == [b"home\nmine\n"]
    assert not list((place / "scratch").glob("tmp-*"))
