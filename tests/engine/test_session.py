"""Whole sessions of the real engine on small real repositories, seen from outside: its lines, its branch, its files."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from engine import events as e
from engine.measure import raw
from engine.order import Stage, advance
from engine.state import results
from engine.state.check import check_folder
from engine.values import PASSES
from tests.conftest import git, make_repo
from tests.tiny import TINY, brief_for, fingerprint, of_kind, run_engine


def last_commit(clone: Path, branch: str) -> str:
    """Message and files of the newest commit of a branch."""
    command = ["git", "--git-dir", str(clone), "log", "-1", "--name-only", "--format=%B", branch]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_session_keeps_a_real_gain_and_changes_nothing_else(tmp_path: Path) -> None:
    source = make_repo(tmp_path / "tiny", TINY)
    before = fingerprint(source)
    code, lines = run_engine(brief_for(source, tmp_path / "s"), tmp_path / "s")

    stage = Stage.NEW
    for line in lines:
        stage = advance(stage, e.from_dict(line))
    assert stage is Stage.ENDED
    assert code == 0, lines[-1]
    assert fingerprint(source) == before

    kept = of_kind(lines, "experiment_kept")
    assert len(kept) == 1, of_kind(lines, "experiment_discarded") + of_kind(lines, "proposal_dropped")
    measured = kept[0]["measurement"]
    assert measured["ratio"] > 1.2 and measured["low"] > 1 + measured["floor"]
    assert len(measured["samples_before"]) == measured["pairs"] >= 40
    baseline, whole = of_kind(lines, "baseline_profiled")[0], kept[0]["end_to_end"]
    assert baseline["floor"] is None, "no experiment waits for the noise of the session's workload"
    assert 0.2 < baseline["value"] / whole["before"] < 5
    assert whole["floor"] >= 0.02

    log = last_commit(tmp_path / "s" / "work" / "clone.git", "codeflash/tiny-7")
    assert log.rstrip().endswith("tiny/words.py")
    assert f"Codeflash-Experiment: {of_kind(lines, 'experiment_started')[0]['experiment']}" in log

    state = tmp_path / "s" / "work" / ".codeflash"
    assert check_folder(state) == []
    rows = results.parse((state / "results.tsv").read_text()).rows
    assert [row.status for row in rows] == ["keep"]

    reviewed(lines, kept[0], tmp_path / "s" / "work" / "raw")


def reviewed(lines: list[dict[str, Any]], kept: dict[str, Any], raw_files: Path) -> None:
    """Six passes, the session's number, and the claim of the one keep measured again with coins of the review's own."""
    filed = of_kind(lines, "review_filed")[0]
    assert [each["name"] for each in filed["passes"]] == list(PASSES)
    assert filed["verdict"] == "APPROVE", filed
    whole = of_kind(lines, "session_measured")[0]["measurement"]
    assert whole["ratio"] > 1.05
    (again,) = of_kind(lines, "claim_measured")
    assert (again["number"], again["commit"]) == (kept["number"], kept["commit"])
    assert again["measurement"]["low"] > 1
    seeds = {raw.read(raw_files / each["raw"]).seed for each in (kept["measurement"], whole)}
    assert len(seeds) == 2, "the review throws coins of its own"


def test_a_scan_ranks_and_changes_nothing(tmp_path: Path) -> None:
    source = make_repo(tmp_path / "tiny", TINY)
    code, lines = run_engine(brief_for(source, tmp_path / "s", mode="scan", domain=""), tmp_path / "s")
    assert code == 0, lines[-1]
    report = of_kind(lines, "scan_reported")[0]
    top = report["targets"][0]
    assert (top["qualname"], top["domain"], report["domain"]) == ("known", "cpu", "cpu")
    assert not of_kind(lines, "experiment_started") and not of_kind(lines, "review_filed")


def broken(name: str, text: str) -> dict[str, str]:
    return {**TINY, name: text}


NO_TESTS = {name: text for name, text in TINY.items() if not name.startswith("tests/")}
BAD_REPOS = {
    "no tests": (NO_TESTS, "validate", "No tests were found", "Add tests"),
    "failing tests": (
        broken("tests/test_words.py", "def test_bad():\n    assert 1 == 2\n"),
        "validate",
        "1 of 1 tests fail on the base",
        "Make the suite pass",
    ),
    "no python": (
        {"main.go": "package main\n"},
        "route",
        "No Python was found",
        "Register a repo with Python",
    ),
    "broken pyproject": (broken("pyproject.toml", "[project\nname = 1\n"), "setup", "pyproject.toml", ""),
    "missing interpreter": (
        broken("pyproject.toml", TINY["pyproject.toml"].replace(">=3.8", ">=3.99")),
        "setup",
        "3.99",
        "",
    ),
}


@pytest.mark.parametrize("name", BAD_REPOS)
def test_a_repo_that_cannot_be_optimized_gets_a_sentence(tmp_path: Path, name: str) -> None:
    files, stage, reason, advice = BAD_REPOS[name]
    source = make_repo(tmp_path / "tiny", files)
    before = fingerprint(source)
    code, lines = run_engine(brief_for(source, tmp_path / "s"), tmp_path / "s")
    failed = of_kind(lines, "stage_failed")[0]
    assert code == 1
    assert failed["stage"] == stage
    assert reason in failed["reason"]
    assert advice in failed["advice"]
    assert lines[-1]["kind"] == "session_ended" and lines[-1]["outcome"] == "failed"
    assert of_kind(lines, "cleaned_up")
    assert fingerprint(source) == before


def test_a_source_that_is_no_repository_gets_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    code, lines = run_engine(brief_for(tmp_path / "plain", tmp_path / "s"), tmp_path / "s")
    assert code == 1
    assert [line["kind"] for line in lines] == ["stage_failed", "session_ended"]
    assert "git" in lines[0]["reason"]


def test_the_disk_floor_refuses_a_session(tmp_path: Path) -> None:
    source = make_repo(tmp_path / "tiny", TINY)
    brief = brief_for(source, tmp_path / "s", limits={"min_free_bytes": 2**60})
    code, lines = run_engine(brief, tmp_path / "s")
    assert code == 1
    assert "MiB are free" in lines[0]["reason"] and "Free some space" in lines[0]["advice"]


def test_a_dirty_tree_and_a_detached_head_are_worked_on_as_committed(tmp_path: Path) -> None:
    source = make_repo(tmp_path / "tiny", TINY)
    git(source, "checkout", "-q", "--detach")
    (source / "tiny" / "words.py").write_text("syntax error(")
    before = fingerprint(source)
    code, lines = run_engine(brief_for(source, tmp_path / "s", mode="scan"), tmp_path / "s")
    assert code == 0, lines[-1]
    assert fingerprint(source) == before


def test_scripts_in_a_benchmark_folder_are_no_workload(tmp_path: Path) -> None:
    """What runs nothing of the repo cannot measure it: the session's number then comes from the tests."""
    script = (
        "import sys\n\nfrom tiny.words import known\n\nif sys.argv[1:]:\n    print(known(sys.argv, []))\n"
    )
    source = make_repo(tmp_path / "tiny", TINY | {"benchmark/bench.py": script})
    code, lines = run_engine(brief_for(source, tmp_path / "s", limits={"experiments": 0}), tmp_path / "s")
    assert code == 0, lines[-1]
    assert of_kind(lines, "setup_finished")[0]["benchmarks"] == ["benchmark"]
    baseline = of_kind(lines, "baseline_profiled")[0]
    assert baseline["workload"] == "the repo's tests"
    assert baseline["value"] > 0
    assert not [note for note in baseline["notes"] if "could not be measured" in note]
