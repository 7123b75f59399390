"""A running web server is enough for sessions of dead workers to come to their end."""

from __future__ import annotations

import pytest

from sessions_app import actions, processes, queue
from sessions_app.models import Session
from tests.store.conftest import alive, until
from tests.store.server import serve

__all__ = ["serve"]
pytestmark = pytest.mark.django_db(transaction=True)


def _status(session):
    return Session.objects.values_list("status", flat=True).get(pk=session.pk)


def test_sessions_lost_before_and_after_its_start_are_ended_without_any_worker(world, serve, start_worker):
    lost = actions.launch(user=world.mia, repo=world.repo)
    owner = processes.me()
    queue.claim(str(processes.Owner(owner.boot, owner.space, owner.pid, "1")))
    serve(CODEFLASH_LIMIT_REAP_SECONDS="1")
    until(lambda: _status(lost) == "interrupted", 30, "the end of a session lost before")

    session = actions.launch(user=world.mia, repo=world.repo, goal="family polite opening tick")
    worker = start_worker()
    until(lambda: _status(session) == "running", 30, "a running session")
    worker.kill()
    worker.wait()
    assert not alive(worker.pid)
    until(lambda: _status(session) == "interrupted", 30, "the end of a session lost while the server runs")
    session.refresh_from_db()
    assert [row.kind for row in session.events.order_by("-seq")[:1]] == ["session_interrupted"]
    assert (session.slot, session.owner) == (None, "")


def test_a_session_whose_worker_lives_is_left_alone(world, serve):
    kept = actions.launch(user=world.mia, repo=world.repo)
    assert queue.claim(str(processes.me())) is not None
    world.alpha.max_running = world.repo.max_running = 2
    world.alpha.save(), world.repo.save()
    owner = processes.me()
    lost = actions.launch(user=world.mia, repo=world.repo)
    queue.claim(str(processes.Owner(owner.boot, owner.space, owner.pid, "1")))
    serve(CODEFLASH_LIMIT_REAP_SECONDS="1")
    until(lambda: _status(lost) == "interrupted", 30, "a look at all sessions")
    assert _status(kept) == "preparing"
