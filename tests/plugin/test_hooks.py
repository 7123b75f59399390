"""Hooks never break a session: whatever stdin, home, disk and other sessions do, the exit status is 0."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import make_repo
from tests.plugin.conftest import SCRIPTS, Run, build

HOOKS = ("session_start.py", "session_end.py", "stop_gate.py")
NAMES = ["plain", "with space", "ümläut-日本語", "quote'\"$(x)`y`", "-dash"]


@pytest.fixture(params=NAMES, ids=range(len(NAMES)))
def repo(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return make_repo(tmp_path / request.param)


def records(tmp_path: Path) -> list[dict[str, object]]:
    files = (tmp_path / "data" / "state").glob("*/sessions/*.json")
    return [json.loads(path.read_text(encoding="utf-8")) for path in files]


def test_a_session_is_recorded_from_start_to_end(run: Run, repo: Path, tmp_path: Path) -> None:
    env_file = tmp_path / "env file"
    data = {"session_id": "abc-1", "cwd": str(repo / "pkg"), "source": "startup", "model": "m"}
    data["transcript_path"] = str(repo)
    start = run("session_start.py", cwd=repo, stdin=json.dumps(data), CLAUDE_ENV_FILE=str(env_file))
    assert (start.returncode, start.stdout) == (0, "")
    (record,) = records(tmp_path)
    assert (record["sessionId"], record["status"]) == ("abc-1", "running")
    assert record["workspaceRoot"] == str(repo.resolve())
    wanted = "$CODEX_COMPANION_TRANSCRIPT_PATH|$CODEX_COMPANION_SESSION_ID"
    seen = subprocess.run(
        ["bash", "-c", f'. "$0"; printf %s "{wanted}"', str(env_file)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert seen.stdout == f"{repo}|abc-1"
    end = run("session_end.py", cwd=repo, stdin=json.dumps({**data, "reason": "logout"}))
    assert end.returncode == 0
    (record,) = records(tmp_path)
    assert (record["status"], record["endReason"], record["model"]) == ("ended", "logout", "m")


GARBAGE = [
    *("", "null", "[1]", "{", "\x00\xff", "[" * 9999),
    '{"cwd": 7, "session_id": {"a": 1}}',
    '{"session_id": "../../etc"}',
]


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("text", GARBAGE, ids=range(len(GARBAGE)))
def test_any_input_ends_well(hook: str, text: str, run: Run, tmp_path: Path) -> None:
    done = run(hook, cwd=tmp_path, stdin=text)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("hook", HOOKS)
def test_nowhere_to_write_ends_well(hook: str, run: Run, tmp_path: Path) -> None:
    """A data folder, home and temporary folder that cannot be written, also not by root.

    Python falls back to other temporary folders when TMPDIR is none, so it is told that there is no other.
    """
    data = json.dumps({"session_id": "s", "cwd": str(tmp_path)})
    code = (
        "import runpy, sys, tempfile\ntempfile.tempdir = '/proc/nowhere'\n"
        "sys.path.insert(0, sys.argv[1])\nrunpy.run_path(sys.argv[1] + '/' + sys.argv[2], run_name='__main__')"
    )
    nowhere = {"CLAUDE_PLUGIN_DATA": "/proc/nowhere", "HOME": "/proc", "CLAUDE_ENV_FILE": "/proc/nowhere/env"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(SCRIPTS), hook],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], **nowhere},
        input=data,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def hook_process(hook: str, tmp_path: Path, **options: object) -> subprocess.Popen[bytes]:
    env = {**os.environ, "CLAUDE_PLUGIN_DATA": str(tmp_path / "data"), "TMPDIR": str(tmp_path)}
    return subprocess.Popen(
        [sys.executable, str(SCRIPTS / hook)],
        cwd=tmp_path,
        env=env,
        stdin=subprocess.PIPE,
        **options,  # type: ignore[call-overload]
    )


@pytest.mark.parametrize("hook", HOOKS)
def test_an_input_that_never_ends_is_given_up(hook: str, tmp_path: Path) -> None:
    running = hook_process(hook, tmp_path)
    assert running.wait(timeout=30) == 0
    (log,) = (tmp_path / "data" / "state").glob("*/hooks.log")
    assert "TooSlow" in log.read_text(encoding="utf-8")


def full_disk() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def test_a_full_disk_leaves_what_was_there(run: Run, tmp_path: Path) -> None:
    data = json.dumps({"session_id": "s", "cwd": str(tmp_path)})
    run("session_start.py", cwd=tmp_path, stdin=data)
    (path,) = (tmp_path / "data" / "state").glob("*/sessions/s.json")
    before = path.read_bytes()
    running = hook_process("session_start.py", tmp_path, preexec_fn=full_disk)
    running.communicate(data.encode())
    assert running.returncode == 0
    assert path.read_bytes() == before
    assert list(path.parent.glob(".*")) == []


WRITER = """
import sys
sys.path.insert(0, sys.argv[1])
import companion_store as store
kept = store.open_store(sys.argv[2])
number = 0
while True:
    number += 1
    name = "task-%s-%06d" % (sys.argv[3], number)
    kept.save({"id": name, "status": "completed", "summary": "x" * 500})
"""


def writer(tmp_path: Path, name: str) -> subprocess.Popen[bytes]:
    env = {**os.environ, "CLAUDE_PLUGIN_DATA": str(tmp_path / "data")}
    command = [sys.executable, "-c", WRITER, str(SCRIPTS), str(tmp_path), name]
    return subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)


def test_a_kill_at_any_moment_leaves_whole_files(tmp_path: Path) -> None:
    coin = random.Random(4)
    seen = 0
    for turn in range(8):
        running = [writer(tmp_path, f"{turn}{side}") for side in "ab"]
        path = wait_for_state(tmp_path)
        time.sleep(coin.uniform(0.0, 0.15))
        for each in running:
            each.send_signal(signal.SIGKILL)
            each.wait()
        state = json.loads(path.read_text(encoding="utf-8"))
        assert len(state["jobs"]) >= min(seen, 50)
        seen = len(state["jobs"])
        for job in path.parent.glob("jobs/*.json"):
            json.loads(job.read_text(encoding="utf-8"))
    clean(tmp_path, path)


KILLER = """
import os, signal, sys
counted = {"os.rename", "os.remove", "os.mkdir", "os.truncate", "os.link", "fcntl.flock", "subprocess.Popen"}
left = int(os.environ["KILL_AT"])

def hook(event, arguments):
    global left
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if writes or event in counted:
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hook)
"""
CALLS = {
    "start": ("session_start.py", ()),
    "end": ("session_end.py", ()),
    "gate on": ("codex.py", ("setup", "--enable-review-gate")),
    "review": ("codex.py", ("review", "--wait")),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_kill_at_each_write_loses_nothing_that_was_acknowledged(
    call: str, run: Run, bin_path: str, tmp_path: Path
) -> None:
    """Killed before the first write, before the second, and so on until one call gets through."""
    repo, (script, words) = make_repo(tmp_path / "repo"), CALLS[call]
    (repo / "new.py").write_text("x = 1\n", encoding="utf-8")
    (tmp_path / "killer").mkdir()
    (tmp_path / "killer" / "sitecustomize.py").write_text(KILLER, encoding="utf-8")
    env = {"PATH": bin_path, "FAKE_CODEX": "approve"}
    data = json.dumps({"session_id": "s", "cwd": str(repo)})
    first = json.loads(run("codex.py", "review", "--wait", "--json", cwd=repo, **env).stdout)
    run("session_start.py", cwd=repo, stdin=data)
    at, done = 0, None
    while done is None or done.returncode == -signal.SIGKILL:
        at += 1
        killing = {
            "PYTHONPATH": str(tmp_path / "killer"),
            "KILL_AT": str(at),
            "CODEX_COMPANION_SESSION_ID": "s",
        }
        done = run(script, *words, cwd=repo, stdin=data, **env, **killing)
        shown = json.loads(run("codex.py", "status", "--json", cwd=repo, **env).stdout)
        (state,) = (tmp_path / "data" / "state").glob("*/state.json")
        jobs = json.loads(state.read_text(encoding="utf-8"))["jobs"]
        assert {each["id"]: each["status"] for each in jobs}[first["id"]] == "completed"
        assert shown["running"] == [], "a job whose process was killed is not shown as running"
        (session,) = (tmp_path / "data" / "state").glob("*/sessions/s.json")
        assert json.loads(session.read_text(encoding="utf-8"))["sessionId"] == "s"
    assert done.returncode == 0 and at > 3, "some writes were there to be killed at"
    if call == "gate on":
        assert shown["reviewGateEnabled"] is True
    drafts = [each.name for each in (tmp_path / "data").rglob(".*.tmp")]
    run("codex.py", "setup", "--disable-review-gate", cwd=repo, **env)
    assert list((tmp_path / "data" / "state").glob("*/.*.tmp")) == [], drafts


def wait_for_state(tmp_path: Path) -> Path:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for path in (tmp_path / "data" / "state").glob("*/state.json"):
            if json.loads(path.read_text(encoding="utf-8"))["jobs"]:
                return path
        time.sleep(0.01)
    raise AssertionError("no state was written")


def clean(tmp_path: Path, path: Path) -> None:
    """The next writer removes what killed ones left, and keeps the newest fifty."""
    sys.path.insert(0, str(SCRIPTS))
    import companion_store as store

    kept = store.Store(path.parent, tmp_path)
    kept.save({"id": "task-last-1", "status": "completed"})
    drafts = [each.name for each in path.parent.rglob(".*.tmp")]
    assert drafts == []
    names = {job["id"] for job in kept.read()["jobs"]}
    assert len(names) <= 50 and "task-last-1" in names
    assert {each.stem for each in (path.parent / "jobs").iterdir()} == names


def test_two_sessions_in_one_folder_lose_nothing(tmp_path: Path) -> None:
    code = WRITER.replace("while True:", "while number < 20:")
    env = {**os.environ, "CLAUDE_PLUGIN_DATA": str(tmp_path / "data")}
    command = [sys.executable, "-c", code, str(SCRIPTS), str(tmp_path)]
    running = [subprocess.Popen([*command, name], env=env) for name in ("one", "two")]
    assert [each.wait(timeout=60) for each in running] == [0, 0]
    (path,) = (tmp_path / "data" / "state").glob("*/state.json")
    assert len(json.loads(path.read_text(encoding="utf-8"))["jobs"]) == 40


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"jobs": 5, "config": []}', '{"jobs": [{"id": "../x"}, 3]}']
)
def test_a_damaged_state_reads_as_the_defaults(text: str, run: Run, tmp_path: Path) -> None:
    run("session_start.py", cwd=tmp_path, stdin=json.dumps({"cwd": str(tmp_path)}))
    (folder,) = (tmp_path / "data" / "state").iterdir()
    nothing = {"running": [], "latestFinished": None, "recent": [], "reviewGateEnabled": False}
    assert json.loads(run("codex.py", "status", "--json", cwd=tmp_path).stdout) == nothing
    assert not (folder / "hooks.log").exists(), "a missing state is no damage"
    (folder / "state.json").write_text(text, encoding="utf-8")
    assert json.loads(run("codex.py", "status", "--json", cwd=tmp_path).stdout) == nothing
    assert "state.json is damaged" in (folder / "hooks.log").read_text(encoding="utf-8")


def test_the_hooks_work_from_the_assembled_plugin(tmp_path: Path) -> None:
    """As the client calls them: through the shell, the variable replaced, in a folder whose name is not plain."""
    python_plugin = tmp_path / "a plugin's Löffel & co"
    assert build(python_plugin).returncode == 0
    hooks = json.loads((python_plugin / "hooks" / "hooks.json").read_text(encoding="utf-8"))["hooks"]
    for event, groups in hooks.items():
        command = groups[0]["hooks"][0]["command"].replace("${CLAUDE_PLUGIN_ROOT}", str(python_plugin))
        env = {"PATH": os.environ["PATH"], "CLAUDE_PLUGIN_DATA": str(tmp_path / "data")}
        data = json.dumps({"session_id": "s", "cwd": str(tmp_path), "hook_event_name": event})
        done = subprocess.run(
            command, shell=True, env=env, input=data, capture_output=True, text=True, cwd=tmp_path
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), event
