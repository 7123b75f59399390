"""Real workers, real shims, real process families: every session comes to exactly one end and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time

import pytest
from django.db import connection

from sessions_app import actions, folders, queue, replaying
from sessions_app.models import Event, Session, Worker
from tests.store.conftest import alive, until

pytestmark = pytest.mark.django_db(transaction=True)


def _launch(world, goal, **more):
    return actions.launch(user=world.mia, repo=world.repo, goal=goal, **more)


def _status(session):
    return Session.objects.values_list("status", flat=True).get(pk=session.pk)


def _ended(session, status, seconds=30):
    until(lambda: _status(session) not in ("queued", "preparing", "running", "stopping"), seconds, "an end")
    session.refresh_from_db()
    assert session.status == status, session.end_reason
    ends = [k for k in session.events.values_list("kind", flat=True) if k in ENDS]
    assert len(ends) == 1, ends
    return session


ENDS = ("session_ended", "session_interrupted", "session_cancelled", "session_failed")


def _pids(session):
    path = folders.work_of(session.pk) / "pids"
    until(path.exists, what="the family")
    return [int(word) for word in path.read_text().split()]


def test_a_session_runs_from_queue_to_end_and_replays_equal(transactional_db, world, start_worker):
    session = _launch(world, "story")
    worker = start_worker()
    session = _ended(session, "finished")
    numbers = list(session.events.order_by("seq").values_list("seq", flat=True))
    assert numbers == list(range(1, len(numbers) + 1))
    assert (session.kept, session.verdict, session.slot) == (1, "APPROVE", None)
    assert replaying.replay(session.pk, keep=False) == []
    assert (folders.work_of(session.pk) / "brief.json").exists()
    assert Worker.objects.get().pid == worker.pid
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(15) == 0
    assert not Worker.objects.exists()


@pytest.mark.parametrize("goal", ["family stubborn opening tick", "family stubborn tick"])
def test_kill_9_of_the_worker_leaves_no_process_and_the_session_is_interrupted(world, start_worker, goal):
    session = _launch(world, goal)
    worker = start_worker()
    pids = _pids(session)
    until(lambda: session.events.exists(), what="a first event")
    assert all(alive(pid) for pid in pids)
    worker.kill()
    until(lambda: not any(alive(pid) for pid in pids), 10, "the death of the whole family")
    start_worker()
    session = _ended(session, "interrupted")
    assert session.events.order_by("-seq").first().kind == "session_interrupted"
    assert "Resume" in session.events.order_by("-seq").first().body["advice"]
    assert actions.resume(user=world.mia, session=session).parent == session


def test_cancel_ends_a_polite_engine_and_a_stubborn_family_within_ten_seconds(world, start_worker):
    start_worker("--places", "2")
    world.repo.max_running = 2
    world.repo.save()
    polite = _launch(world, "polite opening tick")
    stubborn = _launch(world, "family stubborn opening tick")
    pids = _pids(stubborn)
    until(lambda: polite.events.count() > 10 and stubborn.events.count() > 10, what="both at work")
    for session in (polite, stubborn):
        actions.request_cancel(user=world.mia, session=session)
    _ended(polite, "cancelled", 20)
    assert polite.events.order_by("-seq").first().kind == "session_ended"
    session = _ended(stubborn, "cancelled", 20)
    assert "CANCEL_GRACE_SECONDS" in session.end_reason
    until(lambda: not any(alive(pid) for pid in pids), 15, "the death of the whole family")


def test_stopping_the_worker_interrupts_its_session_which_nobody_cancelled(world, start_worker):
    session = _launch(world, "polite opening tick")
    worker = start_worker()
    until(lambda: session.events.count() > 10, what="work")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    _ended(session, "interrupted", 1)


@pytest.mark.parametrize(
    ("goal", "status", "words"),
    [
        ("opening die", "interrupted", "exit code 3"),
        ("opening vanish", "interrupted", "signal 9"),
        ("usage", "failed", "crew 'claude' is not installed"),
        ("linger", "finished", "plateau"),
    ],
)
def test_an_engine_that_ends_badly_still_gives_one_end_with_a_reason(
    world, start_worker, goal, status, words
):
    session = _launch(world, goal)
    start_worker(CODEFLASH_LIMIT_CANCEL_GRACE_SECONDS="1")
    session = _ended(session, status)
    assert words in session.end_reason


def test_lines_that_are_no_events_become_notes_and_a_huge_one_is_dropped(world, start_worker):
    session = _launch(world, "noise story")
    start_worker(CODEFLASH_LIMIT_LINE_BYTES=str(1 << 20))
    session = _ended(session, "finished")
    notes = [row.body["text"] for row in session.events.filter(kind="note_logged").order_by("seq")]
    assert sum("was not an event" in text for text in notes) == 4
    assert any("hello" in text for text in notes)
    assert any("longer than" in text for text in notes)
    assert max(len(text) for text in notes) < 10_000


def test_a_session_whose_folder_cannot_be_made_fails_with_a_sentence(world, start_worker):
    session = _launch(world, "story")
    folders.work_of(session.pk).parent.mkdir(exist_ok=True)
    folders.work_of(session.pk).write_text("in the way")
    try:
        start_worker()
        assert "could not be prepared" in _ended(session, "failed").end_reason
    finally:
        folders.work_of(session.pk).unlink()


@pytest.mark.parametrize("patience", ["20", "1"])
def test_a_locked_database_delays_the_log_and_loses_nothing(world, start_worker, patience):
    """Locked for less and for longer than one write waits: the second is an error the worker has to outlast."""
    session = _launch(world, "polite opening tick")
    start_worker(CODEFLASH_SQLITE_SECONDS=patience)
    until(lambda: session.events.count() > 10, what="work")
    other = sqlite3.connect(connection.settings_dict["NAME"], timeout=10, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    before = session.events.count()
    time.sleep(4)
    assert session.events.count() == before
    other.execute("COMMIT")
    other.close()
    until(lambda: session.events.count() > before + 100, what="the log catching up")
    texts = [row.body["text"] for row in session.events.filter(kind="note_logged").order_by("seq")]
    assert texts == [f"tick {number}" for number in range(len(texts))]
    actions.request_cancel(user=world.mia, session=session)
    _ended(session, "cancelled", 15)


def test_a_worker_woken_after_its_session_was_taken_away_writes_nothing_and_kills_its_engine(
    world, start_worker
):
    session = _launch(world, "family stubborn opening tick")
    worker = start_worker()
    pids = _pids(session)
    until(lambda: session.events.exists(), what="work")
    os.kill(worker.pid, signal.SIGSTOP)
    # The lock of a write in flight must be over before we take the session away.
    time.sleep(0.3)
    Session.objects.filter(pk=session.pk).update(owner="elsewhere:x:1:1")
    fence = queue.Fence(session.pk, "elsewhere:x:1:1", Session.objects.get(pk=session.pk).token)
    queue.release(fence, status="interrupted", reason="taken over")
    seen = Event.objects.filter(session=session).count()
    os.kill(worker.pid, signal.SIGCONT)
    until(lambda: not any(alive(pid) for pid in pids), 15, "the death of the old family")
    assert Event.objects.filter(session=session).count() == seen
    assert _status(session) == "interrupted"


def test_three_workers_share_a_queue_and_run_each_session_once(world, start_worker):
    world.repo.max_running = 3
    world.repo.save()
    world.alpha.max_running = 3
    world.alpha.save()
    sessions = [_launch(world, "story") for _ in range(6)]
    for _ in range(3):
        start_worker()
    for session in sessions:
        _ended(session, "finished", 60)
        assert Session.objects.get(pk=session.pk).attempts == 1
        assert session.events.filter(kind="session_started").count() == 1


def test_many_claimers_at_once_get_one_session(world):
    session = _launch(world, "story")
    won, ready = [], threading.Barrier(8)

    def claim(name):
        ready.wait()
        fence = queue.claim(f"owner-{name}")
        won.extend([fence] if fence else [])
        connection.close()

    threads = [threading.Thread(target=claim, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [fence.session_id for fence in won] == [session.pk]
