"""The companion, driven against a codex of our own: reviews, jobs, status, cancel, and everything that can go wrong."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import git, make_repo
from tests.plugin.conftest import SCRIPTS, Run

sys.path.insert(0, str(SCRIPTS))
import companion_codex
import companion_process


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    path = make_repo(tmp_path / "läden & co")
    (path / "pkg" / "__init__.py").write_text("def one():\n    return 2\n", encoding="utf-8")
    return path


Codex = Callable[..., tuple[int, str, str]]


@pytest.fixture
def codex(run: Run, repo: Path, bin_path: str, tmp_path: Path) -> Codex:
    def call(*words: str, mode: str = "good", **env: str) -> tuple[int, str, str]:
        fake = {"FAKE_CODEX": mode, "FAKE_CODEX_LOG": str(tmp_path / "calls")}
        kept = {"CODEX_COMPANION_SESSION_ID": "s1", "PATH": bin_path, **fake, **env}
        done = run("codex.py", *words, cwd=repo, **kept)
        return done.returncode, done.stdout, done.stderr

    return call


def until(question: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def calls(tmp_path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (tmp_path / "calls").read_text(encoding="utf-8").splitlines()]


def state_of(tmp_path: Path) -> dict[str, object]:
    (path,) = (tmp_path / "data" / "state").glob("*/state.json")
    found: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_a_review_is_read_only_and_shown_with_its_verdict(codex: Codex, tmp_path: Path, repo: Path) -> None:
    status, said, _ = codex("review", "--wait", "the", "cache")
    assert status == 0
    assert said.startswith("# Codex Adversarial Review")
    assert "Verdict: needs-attention" in said and "For the report: REQUEST CHANGES" in said
    assert "- [high] The cache has no bound (pkg/__init__.py:1-2)" in said
    (call,) = calls(tmp_path)
    argv = call["argv"]
    assert isinstance(argv, list) and argv[argv.index("-s") + 1] == "read-only" and "--json" in argv
    assert call["cwd"] == str(repo.resolve())
    assert "uncommitted changes" in str(call["prompt"]) and "the cache" in str(call["prompt"])


@pytest.mark.parametrize(("mode", "verdict"), [("critical", "BLOCK"), ("approve", "APPROVE")])
def test_verdicts_are_mapped(mode: str, verdict: str, codex: Codex) -> None:
    assert f"For the report: {verdict}\n" in codex("review", "--wait", mode=mode)[1]


def test_the_job_has_the_record_of_the_format(codex: Codex, tmp_path: Path) -> None:
    job = json.loads(codex("review", "--wait", "--json")[1])
    expected = """id kind kindLabel jobClass title summary workspaceRoot sessionId write status phase pid threadId
        createdAt startedAt updatedAt completedAt logFile request result rendered"""
    assert set(expected.split()) <= set(job)
    assert (job["status"], job["phase"], job["threadId"], job["sessionId"]) == (
        "completed",
        "done",
        "thread-1",
        "s1",
    )
    assert job["id"].startswith("review-")
    lines = Path(job["logFile"]).read_text(encoding="utf-8").splitlines()
    assert all(line.startswith("[20") for line in lines) and any("git diff" in line for line in lines)
    state = state_of(tmp_path)
    assert set(state) == {"version", "config", "jobs"} and state["version"] == 1


FAILURES = {
    "crash": "ended with status -9",
    "failed": "usage limit reached",
    "malformed": "no verdict",
    "silent": "without an answer",
    "flood": "printed more than 128 MB",
    "moan": "printed more than 128 MB",
    "dying": "ended with status 3: noise",
}


@pytest.mark.parametrize("mode", FAILURES)
def test_a_failing_codex_is_a_failed_job_with_its_reason(mode: str, codex: Codex) -> None:
    status, said, _ = codex("review", "--wait", mode=mode)
    assert status == 1 and FAILURES[mode] in said
    if mode == "dying":
        assert said.rstrip().endswith("the model is overloaded")


@pytest.mark.parametrize("mode", ["hang", "family"])
def test_a_codex_that_never_answers_is_ended_at_its_time(
    mode: str, bin_path: str, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", bin_path)
    monkeypatch.setenv("FAKE_CODEX", mode)
    monkeypatch.setenv("FAKE_CODEX_LOG", str(tmp_path / "calls"))
    with pytest.raises(companion_codex.CodexFailed, match="no answer in time"):
        companion_codex.execute("look", folder=repo, seconds=3)
    (call,) = calls(tmp_path)
    pid = call["pid"]
    assert isinstance(pid, int)
    until(lambda: companion_process.tree(pid) == set())


def test_an_overlong_line_is_skipped(codex: Codex) -> None:
    assert "Verdict: approve" in codex("review", "--wait", mode="huge")[1]


def test_a_background_job_is_seen_waited_for_and_shown(codex: Codex) -> None:
    job = json.loads(codex("review", "--background", "--json", mode="slow")[1])
    assert job["jobId"] in codex("status")[1]
    until(lambda: json.loads(codex("status", job["jobId"], "--json")[1])["status"] == "completed")
    assert codex("status", job["jobId"][:12], "--result")[1].startswith("# Codex Adversarial Review")


def test_cancel_ends_the_job_with_its_whole_family(codex: Codex, tmp_path: Path) -> None:
    job = json.loads(codex("review", "--json", mode="family")[1])["jobId"]
    until(lambda: (tmp_path / "calls").exists())
    worker = json.loads(codex("status", job, "--json")[1])["pid"]
    until(lambda: len(companion_process.tree(worker)) >= 4)
    family = companion_process.tree(worker)
    status, said, _ = codex("status", job, "--cancel")
    assert status == 0 and "cancelled" in said
    assert not any(companion_process.alive(pid, "") for pid in family)
    until(lambda: json.loads(codex("status", job, "--json")[1])["status"] == "cancelled")
    assert codex("status", job, "--cancel")[0] == 2


def test_the_end_of_the_session_ends_its_jobs_and_leaves_those_of_others(
    codex: Codex, run: Run, repo: Path, tmp_path: Path
) -> None:
    mine = json.loads(codex("review", "--json", mode="family")[1])["jobId"]
    other = json.loads(codex("review", "--json", mode="hang", CODEX_COMPANION_SESSION_ID="s2")[1])["jobId"]
    until(lambda: len(calls(tmp_path)) == 2 if (tmp_path / "calls").exists() else False)
    family = companion_process.tree(json.loads(codex("status", mine, "--json")[1])["pid"])
    data = json.dumps(
        {"session_id": "s1", "cwd": str(repo), "hook_event_name": "SessionEnd", "reason": "other"}
    )
    assert run("session_end.py", cwd=repo, stdin=data).returncode == 0
    assert not any(companion_process.alive(pid, "") for pid in family)
    assert json.loads(codex("status", mine, "--json")[1])["status"] == "cancelled"
    assert json.loads(codex("status", other, "--json")[1])["status"] == "running"
    codex("status", other, "--cancel")


def test_a_job_whose_process_is_gone_has_failed(codex: Codex, tmp_path: Path) -> None:
    job = json.loads(codex("review", "--json", mode="hang")[1])["jobId"]
    until(lambda: (tmp_path / "calls").exists())
    companion_process.end(json.loads(codex("status", job, "--json")[1])["pid"], "")
    shown = json.loads(codex("status", job, "--json")[1])
    assert shown["status"] == "failed" and shown["errorMessage"]


def test_a_review_in_the_foreground_that_is_told_to_end_ends_codex_too(
    codex: Codex, repo: Path, bin_path: str, tmp_path: Path
) -> None:
    data = {"CLAUDE_PLUGIN_DATA": str(tmp_path / "data"), "FAKE_CODEX_LOG": str(tmp_path / "calls")}
    env = {**os.environ, **data, "PATH": bin_path, "FAKE_CODEX": "family"}
    command = [sys.executable, str(SCRIPTS / "codex.py"), "review", "--wait"]
    running = subprocess.Popen(command, cwd=repo, env=env, stdout=subprocess.DEVNULL)
    until(lambda: len(companion_process.tree(running.pid)) >= 4)
    family = companion_process.tree(running.pid)
    running.terminate()
    assert running.wait(timeout=30) == 143
    assert not any(companion_process.alive(pid, "") for pid in family)
    assert json.loads(codex("status", "--json")[1])["latestFinished"]["errorMessage"] == "it was told to end"


def test_setup_says_what_is_missing_and_switches_the_gate(
    codex: Codex, run: Run, repo: Path, tmp_path: Path
) -> None:
    report = json.loads(codex("setup", "--json")[1])
    assert (report["ready"], report["reviewGateEnabled"], report["nextSteps"]) == (True, False, [])
    report = json.loads(codex("setup", "--enable-review-gate", "--json", mode="stranger")[1])
    assert (report["ready"], report["reviewGateEnabled"]) == (False, True)
    assert "codex login" in report["nextSteps"][0]
    assert json.loads(codex("setup", "--disable-review-gate", "--json")[1])["reviewGateEnabled"] is False
    nothing = tmp_path / "empty"
    nothing.mkdir()
    report = json.loads(run("codex.py", "setup", "--json", cwd=repo, PATH=str(nothing)).stdout)
    assert report["ready"] is False and "Install" in report["nextSteps"][0]
    git = tmp_path / "only-git"
    git.mkdir()
    (git / "git").symlink_to(str(shutil.which("git")))
    done = run("codex.py", "review", "--wait", cwd=repo, PATH=str(git))
    assert done.returncode == 1 and "No review was made" in done.stderr


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("review", "--base", "nowhere"), "no commit"),
        (("review", "--commit=--upload-pack=x"), "no commit"),
        (("status", "review-zzz"), "no job"),
    ],
)
def test_a_wrong_call_says_why(words: tuple[str, ...], reason: str, codex: Codex) -> None:
    status, _, said = codex(*words)
    assert status == 2 and reason in said


def gate(run: Run, repo: Path, path: str, mode: str, **more: object) -> tuple[int, str, str]:
    data = json.dumps(
        {"session_id": "s1", "cwd": str(repo), "last_assistant_message": "100% done {x} %s", **more}
    )
    done = run("stop_gate.py", cwd=repo, stdin=data, PATH=path, FAKE_CODEX=mode)
    return done.returncode, done.stdout, done.stderr


def test_the_gate_is_off_until_it_is_switched_on(run: Run, repo: Path, bin_path: str, tmp_path: Path) -> None:
    assert gate(run, repo, bin_path, "block")[:2] == (0, "")
    assert not (tmp_path / "calls").exists()


@pytest.mark.parametrize("mode", ["block", "mumble", "crash", "failed", "silent", "malformed"])
def test_the_gate_fails_closed_with_the_reason(
    mode: str, codex: Codex, run: Run, repo: Path, bin_path: str
) -> None:
    codex("setup", "--enable-review-gate")
    status, said, _ = gate(run, repo, bin_path, mode)
    answer = json.loads(said)
    assert (status, answer["decision"]) == (0, "block")
    assert len(answer["reason"]) > 20
    if mode == "block":
        assert answer["reason"] == "Codex review: pkg/__init__.py:1 loses an order"


def test_the_gate_opens_on_allow_and_on_its_own_second_stop(
    codex: Codex, run: Run, repo: Path, bin_path: str
) -> None:
    codex("setup", "--enable-review-gate")
    assert gate(run, repo, bin_path, "allow")[:2] == (0, "")
    assert gate(run, repo, bin_path, "block", stop_hook_active=True)[:2] == (0, "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_gate_that_is_told_to_end_ends_codex_and_keeps_the_turn_open(
    number: signal.Signals, codex: Codex, repo: Path, bin_path: str, tmp_path: Path
) -> None:
    codex("setup", "--enable-review-gate")
    fake = {"FAKE_CODEX": "family", "FAKE_CODEX_LOG": str(tmp_path / "calls"), "PATH": bin_path}
    env = {**os.environ, "TMPDIR": str(tmp_path), "CLAUDE_PLUGIN_DATA": str(tmp_path / "data"), **fake}
    running = subprocess.Popen(
        [sys.executable, str(SCRIPTS / "stop_gate.py")],
        cwd=repo,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdin is not None and running.stdout is not None
    running.stdin.write(json.dumps({"session_id": "s1", "cwd": str(repo)}))
    running.stdin.close()
    until(lambda: len(companion_process.tree(running.pid)) >= 4)
    family = companion_process.tree(running.pid) - {running.pid}
    running.send_signal(number)
    answer = json.loads(running.stdout.read())
    assert running.wait(30) == 0
    assert answer["decision"] == "block" and "it was told to end" in answer["reason"]
    until(lambda: not any(companion_process.alive(pid, "") for pid in family))


def test_the_persons_words_reach_codex_whatever_is_in_them(
    run: Run, repo: Path, bin_path: str, tmp_path: Path
) -> None:
    """The command page hands them over on standard input: an apostrophe or a dollar sign is no shell's business."""
    said = "--wait --base main it's `rm -rf` $HOME --cache; what's lost?"
    (repo / ".codeflash").mkdir()
    env = {"PATH": bin_path, "FAKE_CODEX": "approve", "FAKE_CODEX_LOG": str(tmp_path / "calls")}
    done = run("codex.py", "review", "-", cwd=repo, stdin=said + "\n", **env)
    assert done.returncode == 0, done.stderr
    (call,) = calls(tmp_path)
    assert "it's `rm -rf` $HOME --cache; what's lost?" in str(call["prompt"])
    assert "changes since main" in str(call["prompt"])
    assert run("codex.py", "review", "-", cwd=repo, stdin="--wait", **env).returncode == 0


def test_the_state_folder_of_a_session_is_no_change_to_review(
    codex: Codex, repo: Path, tmp_path: Path
) -> None:
    git(repo, "checkout", "-q", "-b", "faster")
    git(repo, "commit", "-q", "-a", "-m", "Faster")
    (repo / ".codeflash").mkdir()
    (repo / ".codeflash" / "results.tsv").write_text("experiment\n", encoding="utf-8")
    assert codex("review", "--wait", mode="approve")[0] == 0
    (call,) = calls(tmp_path)
    assert "changes since main" in str(call["prompt"])


def test_a_full_disk_is_said_and_leaves_no_job_running(
    codex: Codex, repo: Path, bin_path: str, tmp_path: Path
) -> None:
    codex("setup", "--enable-review-gate")
    before = state_of(tmp_path)
    fake = {"PATH": bin_path, "FAKE_CODEX": "approve", "FAKE_CODEX_LOG": str(tmp_path / "calls")}
    env = {**os.environ, "TMPDIR": str(tmp_path), "CLAUDE_PLUGIN_DATA": str(tmp_path / "data"), **fake}
    for words in (("setup", "--disable-review-gate"), ("review", "--wait"), ("review", "--background")):
        done = subprocess.run(
            [sys.executable, str(SCRIPTS / "codex.py"), *words],
            cwd=repo,
            env=env,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 1, words
        assert "its state cannot be kept: [Errno 27]" in done.stderr and "Traceback" not in done.stderr
    assert state_of(tmp_path) == before
    assert list((tmp_path / "data").rglob(".*.tmp")) == [], "no half-written draft is left on a full disk"
    assert json.loads(codex("status", "--json")[1])["running"] == []


FILLS = """
import resource, sys
sys.path.insert(0, sys.argv[1])
import companion_codex, codex
asked = companion_codex.execute

def execute(*words, **options):
    answer = asked(*words, **options)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    return answer

companion_codex.execute = execute
sys.exit(codex.main(["review", "--wait"]))
"""


def test_a_disk_that_fills_during_a_review_fails_the_job(
    codex: Codex, repo: Path, bin_path: str, tmp_path: Path
) -> None:
    fake = {"PATH": bin_path, "FAKE_CODEX": "approve", "FAKE_CODEX_LOG": str(tmp_path / "calls")}
    env = {**os.environ, "TMPDIR": str(tmp_path), "CLAUDE_PLUGIN_DATA": str(tmp_path / "data"), **fake}
    done = subprocess.run(
        [sys.executable, "-c", FILLS, str(SCRIPTS)],
        cwd=repo,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "its state cannot be kept" in done.stderr and "Traceback" not in done.stderr
    shown = json.loads(codex("status", "--json")[1])
    assert shown["running"] == [] and shown["latestFinished"]["status"] == "failed"


@pytest.mark.parametrize(
    "words", [("setup",), ("setup", "--enable-review-gate"), ("review", "--wait"), ("status",)]
)
def test_nowhere_to_keep_state_is_said(words: tuple[str, ...], repo: Path, bin_path: str) -> None:
    code = (
        "import sys, tempfile\ntempfile.tempdir = '/proc/nowhere'\nsys.path.insert(0, sys.argv.pop(1))\n"
        "import codex\nsys.exit(codex.main(sys.argv[1:]))"
    )
    env = {"PATH": bin_path, "CLAUDE_PLUGIN_DATA": "/proc/nowhere", "HOME": "/proc"}
    command = [sys.executable, "-c", code, str(SCRIPTS), *words]
    done = subprocess.run(command, cwd=repo, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "no folder for the companion's state can be written" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(shutil.which("codex") is None, reason="the real codex is not on this machine")
def test_the_real_codex_is_understood(run: Run, repo: Path) -> None:
    report = json.loads(run("codex.py", "setup", "--json", cwd=repo).stdout)
    assert report["codex"]["available"] is True
