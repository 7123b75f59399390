"""The doors of a terminal: up, optimize, doctor, replay. Real processes on a data folder of their own."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from sessions_app import checkup, first_run, folders, queue, recording, supervise
from sessions_app.models import Experiment, Membership, Session, SignInLink
from tests.conftest import git, make_repo
from tests.store import facts
from tests.store.conftest import BASE, alive, until

FAKE = f"{sys.executable} {BASE / 'tests' / 'store' / 'fake_engine.py'}"


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment with a fresh data folder and the fake engine; nothing of the test's own database."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CODEFLASH_")}
    return {**kept, "CODEFLASH_DATA_DIR": str(tmp_path / "var"), "CODEFLASH_ENGINE_COMMAND": FAKE}


def _manage(env: dict[str, str], *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *args], cwd=BASE, env=env, capture_output=True, text=True, timeout=120
    )


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def up(home: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., tuple[subprocess.Popen[bytes], Path]]]:
    started: list[subprocess.Popen[bytes]] = []

    def start(*args: str, **env: str) -> tuple[subprocess.Popen[bytes], Path]:
        log = tmp_path / f"up{len(started)}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-u", "manage.py", "up", *args],
                cwd=BASE, env={**home, **env}, stdout=out, stderr=subprocess.STDOUT,
            )  # fmt: skip
        started.append(process)
        return process, log

    yield start
    for process in started:
        if process.poll() is None:
            process.terminate()
            process.wait(60)


def _children(pid: int) -> dict[str, int]:
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                words = (entry / "cmdline").read_bytes().decode()
            except OSError:
                continue
            if int(parent) == pid:
                found["web" if "gunicorn" in words else "worker"] = int(entry.name)
    return found


def _rows(env: dict[str, str], sql: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(f"file:{env['CODEFLASH_DATA_DIR']}/db.sqlite3?mode=ro", uri=True, timeout=20) as db:
        return db.execute(sql).fetchall()


def _get(port: int, path: str, method: str = "GET") -> http.client.HTTPResponse:
    conn = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    conn.request(method, path)
    answer = conn.getresponse()
    answer.read()
    return answer


def test_up_prepares_everything_runs_a_first_session_restarts_the_dead_and_stops_cleanly(home, up):
    port = _port()
    process, log = up("--port", str(port), GUNICORN_CMD_ARGS="--bind 127.0.0.1:1")
    found = until(
        lambda: re.search(r"Open http://127\.0\.0\.1:(\d+)(/sign-in/\S+/)", log.read_text()), 90, "a link"
    )
    assert int(found[1]) == port
    data = Path(home["CODEFLASH_DATA_DIR"])
    assert data.stat().st_mode & 0o777 == 0o700
    assert (data / "secret.key").stat().st_mode & 0o777 == 0o600
    assert _get(port, found[2]).status == 200
    assert _get(port, "/").status == 302
    until(
        lambda: _rows(home, "select status from sessions_app_session") == [("finished",)],
        60,
        "a finished session",
    )
    assert (data / "sample" / "shopworks" / ".git").is_dir()
    assert git(data / "sample" / "shopworks", "status", "--porcelain") == ""
    before = _children(process.pid)
    os.kill(before["web"], signal.SIGKILL)
    until(lambda: _children(process.pid).get("web", before["web"]) != before["web"], 30, "a new web server")
    until(lambda: _answers(port), 60, "an answer")
    assert _children(process.pid)["worker"] == before["worker"]
    after = _children(process.pid)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    until(lambda: not any(alive(pid) for pid in after.values()), 10, "the end of both")


def _answers(port: int) -> bool:
    try:
        return _get(port, "/sign-in/").status == 200
    except OSError:
        return False


def test_up_on_a_busy_port_and_on_a_path_that_is_no_repository_say_one_sentence(home, tmp_path):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        done = _manage(home, "up", "--port", str(port))
    assert done.returncode == 1
    reason = f"Port {port} cannot be used (Address already in use)."
    assert done.stderr.strip() == f"CommandError: {reason} Choose another one: make run PORT={port + 1}"
    done = _manage(home, "up", "--port", str(_port()), "--repo", str(tmp_path))
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert _rows(home, "select count(*) from sessions_app_session") == [(0,)]


def test_optimize_brings_its_own_worker_and_prints_one_json_object(home, tmp_path):
    source = make_repo(tmp_path / "shop")
    done = _manage(home, "optimize", str(source), "--json", "--domain", "cpu", "--limit", "experiments=4")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["status"], found["kept"], found["verdict"], found["isolation"]) == (
        "finished",
        1,
        "APPROVE",
        "L2",
    )
    assert [each["status"] for each in found["experiments"]] == ["keep", "discard", "crash", "keep"]
    assert (found["speedup"]["ratio"], found["speedup"]["low"]) == (3.0, 2.8)
    assert found["experiments"][1]["ratio"] is None
    again = _manage(home, "optimize", str(source), "status")
    assert again.returncode == 0
    assert "finished" in again.stdout
    resumed = _manage(home, "optimize", str(source), "resume", "--follow")
    assert resumed.returncode == 0, resumed.stderr
    assert "Session 2" in resumed.stdout
    assert len(resumed.stdout.splitlines()) > 20


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["start", "--limit", "experiments"], "NAME=NUMBER"),
        (["start", "--limit", "fun=3"], "no limit called"),
        (["review"], "name of the branch"),
        (["resume"], "No session of this repository"),
    ],
)
def test_optimize_refuses_with_a_sentence_and_exit_1(home, tmp_path, args, words):
    done = _manage(home, "optimize", str(make_repo(tmp_path / "shop")), *args)
    assert done.returncode == 1
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_optimize_is_not_0_when_the_session_did_not_finish_and_ctrl_c_cancels_it(home, tmp_path):
    source = make_repo(tmp_path / "shop")
    assert _manage(home, "optimize", str(source), "--goal", "opening die").returncode == 1
    process = subprocess.Popen(
        [sys.executable, "manage.py", "optimize", str(source), "--goal", "polite opening tick"],
        cwd=BASE, env=home, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    until(
        lambda: _rows(home, "select 1 from sessions_app_session where id = 2 and last_seq > 20"), 40, "work"
    )
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=40)
    assert process.returncode == 1
    assert "cancelled" in out
    assert _rows(home, "select status from sessions_app_session where id = 2") == [("cancelled",)]


def test_a_child_that_keeps_dying_is_started_again_with_longer_pauses(settings):
    child = supervise.Child("web", [sys.executable, "-c", "pass"], dict(os.environ))
    pauses, deadline = [], time.monotonic() + 20
    child.start()
    while len(pauses) < 3 and time.monotonic() < deadline:
        child.tend()
        if not pauses or child.pause != pauses[-1]:
            pauses.append(child.pause)
        child.due = 0
        time.sleep(0.01)
    child.stop(time.monotonic() + 5)
    assert pauses[:3] == sorted(set(pauses[:3]))


def test_the_first_run_makes_one_team_one_administrator_and_links_that_hold_only_a_digest(db):
    team, user = first_run.ensure_home()
    assert first_run.ensure_home() == (team, user)
    assert Membership.objects.get().role == "admin"
    assert not user.has_usable_password()
    secret = first_run.sign_in_secret(user)
    link = SignInLink.objects.get()
    assert secret not in link.digest
    assert len(link.digest) == 64
    assert 0 < (link.expires - link.created).total_seconds() <= 15 * 60 + 1


@pytest.mark.django_db(transaction=True)
def test_doctor_says_what_is_in_effect_and_finds_what_a_crash_left(world, launched, capsys):
    (folders.work_of(9_999)).mkdir(parents=True)
    queue.claim("gone")
    Session.objects.update(lease_until="2020-01-01T00:00:00Z")
    call_command("doctor")
    said = capsys.readouterr().out
    assert "Isolation: L" in said
    assert f"session {launched.pk} lost its worker" in said
    assert "9999" in said
    launched.refresh_from_db()
    assert launched.status == "interrupted"
    with pytest.raises(CommandError, match="want a look"):
        call_command("doctor", "--strict")


def test_doctor_tells_commits_without_rows_and_rows_without_commits(world, source):
    from engine.workspace import Workspace
    from sessions_app import actions

    session = actions.launch(user=world.mia, repo=world.repo)
    workspace = Workspace.create(source=str(source), root=folders.work_of(session.pk), branch=session.branch)
    tree = workspace.tree("t", workspace.base)
    (tree / "pkg/__init__.py").write_text("x = 1\n")
    workspace.commit(tree=tree, files={"pkg/__init__.py": b"x = 1\n"}, message="Try", experiment="lost")
    fence = queue.claim("w")
    recording.record(fence, [*facts.opening(), *facts.keep(1)])
    recording.record(fence, list(facts.closing()))
    words = " ".join(fact.words for fact in checkup.mend())
    assert "has no kept experiment" in words
    assert "experiment u1 is kept but commit" in words


def test_replay_checks_and_repairs_from_the_terminal(launched, capsys):
    fence = queue.claim("w")
    recording.record(fence, list(facts.whole()))
    call_command("replay", "--check")
    Experiment.objects.update(title="forged")
    with pytest.raises(CommandError, match="without --check"):
        call_command("replay", "--check")
    call_command("replay", str(launched.pk))
    call_command("replay", "--check")
    assert not Experiment.objects.filter(title="forged").exists()
