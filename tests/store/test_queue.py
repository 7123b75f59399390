"""Claims, slots, leases, fences and the reaper, on whichever database the tests run."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import threading

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from engine import events as e
from sessions_app import actions, processes, queue, recording
from sessions_app.models import Repo, Session
from tests.store import facts

ME = str(processes.me())


def _launch(world, repo=None, **more):
    session = actions.launch(user=world.mia, repo=repo or world.repo)
    Session.objects.filter(pk=session.pk).update(**more)
    return session


def _second_repo(world):
    return Repo.objects.create(team=world.alpha, name="second", source="/elsewhere")


def _row(session):
    return Session.objects.get(pk=session.pk)


def test_a_claim_takes_slot_lease_token_and_counts_the_attempt(world):
    session = _launch(world)
    fence = queue.claim(ME)
    row = _row(session)
    assert (row.status, row.owner, row.token, row.slot, row.attempts) == ("preparing", ME, 1, 0, 1)
    assert fence == queue.Fence(session.pk, ME, 1)
    left = row.lease_until - timezone.now()
    assert dt.timedelta(seconds=20) < left <= dt.timedelta(seconds=31)
    assert row.started is not None
    assert queue.claim(ME) is None


def test_higher_priority_first_then_the_oldest_and_never_before_its_time(world):
    world.repo.max_running = world.alpha.max_running = 9
    world.repo.save(), world.alpha.save()
    old, urgent, later = _launch(world), _launch(world, priority=5), _launch(world)
    _launch(world, run_after=timezone.now() + dt.timedelta(hours=1))
    claimed = [queue.claim(ME).session_id for _ in range(3)]
    assert claimed == [urgent.pk, old.pk, later.pk]
    assert queue.claim(ME) is None


def test_a_full_repo_does_not_hold_up_another_one(world):
    first, _, other = _launch(world), _launch(world), _launch(world, _second_repo(world))
    assert [queue.claim(ME).session_id for _ in range(2)] == [first.pk, other.pk]
    assert queue.claim(ME) is None


def test_a_long_line_before_a_full_repo_neither_hides_another_one_nor_costs_a_look_each(
    world, django_assert_max_num_queries
):
    """More wait for the full repo than one claim looks at."""
    world.alpha.max_running = 9
    world.alpha.save()
    first = _launch(world)
    for _ in range(queue.LOOKED_AT + 1):
        _launch(world)
    other = _launch(world, _second_repo(world))
    assert queue.claim(ME).session_id == first.pk
    assert queue.claim(ME).session_id == other.pk
    with django_assert_max_num_queries(2):
        assert queue.claim(ME) is None


def test_a_team_runs_no_more_than_it_may(world):
    world.alpha.max_running = 1
    world.alpha.save()
    _launch(world), _launch(world, _second_repo(world))
    foreign = actions.launch(user=world.charlie, repo=world.other_repo)
    queue.claim(ME)
    assert queue.claim(ME).session_id == foreign.pk
    assert queue.claim(ME) is None


def test_a_freed_slot_is_taken_again(world):
    world.repo.max_running = 2
    world.repo.save()
    for _ in range(3):
        _launch(world)
    first, second = queue.claim(ME), queue.claim(ME)
    assert {_row(world.repo.sessions.get(pk=f.session_id)).slot for f in (first, second)} == {0, 1}
    recording.record(first, [e.SessionEnded(outcome="finished", reason="done")])
    assert Session.objects.get(pk=queue.claim(ME).session_id).slot == 0


def test_the_database_itself_refuses_a_second_holder_of_a_slot(world):
    _launch(world)
    queue.claim(ME)
    other = _launch(world)
    with pytest.raises(IntegrityError), transaction.atomic():
        Session.objects.filter(pk=other.pk).update(status="running", slot=0)


def test_renewing_extends_only_what_is_asked_for_and_tells_what_is_still_ours(world):
    world.repo.max_running = 2
    world.repo.save()
    _launch(world), _launch(world)
    first, second = queue.claim(ME), queue.claim(ME)
    old = timezone.now() - dt.timedelta(minutes=5)
    Session.objects.update(lease_until=old)
    Session.objects.filter(pk=second.session_id).update(owner="x:y:1:z")
    beat = queue.renew(ME, [first.session_id, second.session_id])
    assert beat.mine == {first}
    assert Session.objects.get(pk=first.session_id).lease_until > timezone.now()
    assert Session.objects.get(pk=second.session_id).lease_until == old
    actions.request_cancel(user=world.mia, session=Session.objects.get(pk=first.session_id))
    assert queue.look(ME).cancelled == {first.session_id}


def _dead_owner():
    done = subprocess.Popen([sys.executable, "-c", "pass"])
    start = processes.start_time(done.pid) or "0"
    done.wait()
    return str(processes.Owner(*processes.machine(), done.pid, start))


def _held(world, owner, lease_seconds):
    session = _launch(world)
    queue.claim(owner)
    until = timezone.now() + dt.timedelta(seconds=lease_seconds)
    Session.objects.filter(pk=session.pk).update(lease_until=until)
    return session


def test_a_dead_worker_of_this_machine_is_reaped_before_its_lease_ends(world):
    session = _held(world, _dead_owner(), 30)
    assert queue.reap() == [session.pk]
    row = _row(session)
    assert (row.status, row.slot, row.owner, row.lease_until) == ("interrupted", None, "", None)
    assert row.ended is not None
    assert "Resume" in row.events.get().body["advice"]
    assert queue.reap() == []


def test_a_living_worker_keeps_its_claim_through_a_clock_jump_but_not_when_stuck(world, settings):
    session = _held(world, ME, -60)
    assert queue.reap() == []
    Session.objects.update(
        lease_until=timezone.now() - dt.timedelta(seconds=settings.LIMITS.STUCK_SECONDS + 1)
    )
    assert queue.reap() == [session.pk]


def test_a_reused_process_number_does_not_pass_for_the_old_worker(world):
    owner = processes.me()
    session = _held(world, str(processes.Owner(owner.boot, owner.space, owner.pid, "1")), 30)
    assert queue.reap() == [session.pk]


def test_a_worker_in_another_container_goes_by_its_lease(world):
    owner = processes.me()
    session = _held(world, str(processes.Owner(owner.boot, "elsewhere", 1, "1")), 30)
    assert queue.reap() == []
    Session.objects.update(lease_until=timezone.now() - dt.timedelta(seconds=1))
    assert queue.reap() == [session.pk]


def test_an_owner_of_an_earlier_boot_is_gone_at_once_where_only_one_machine_can_be(world):
    session = _held(world, str(processes.Owner("earlier", "space", 1, "1")), 30)
    assert queue.reap() == ([session.pk] if connection.vendor == "sqlite" else [])


def test_text_that_is_no_owner_goes_by_its_lease(world):
    session = _held(world, "somebody", 30)
    assert queue.reap() == []
    Session.objects.update(lease_until=timezone.now() - dt.timedelta(seconds=1))
    assert queue.reap() == [session.pk]


def test_reaping_ends_what_ran_and_a_wish_to_cancel_is_honoured(world):
    session = _held(world, "somebody", 30)
    fence = queue.Fence(session.pk, "somebody", 1)
    recording.record(fence, [*facts.opening(), *facts.discard(1)][:-1])
    actions.request_cancel(user=world.mia, session=session)
    Session.objects.update(lease_until=timezone.now() - dt.timedelta(seconds=1))
    assert queue.reap() == [session.pk]
    row = _row(session)
    assert row.status == "cancelled"
    assert row.experiments.get().status == "crash"
    with pytest.raises(recording.Fenced):
        recording.record(fence, [e.NoteLogged(source="engine", text="late")])


def test_a_stated_end_stands_when_the_worker_dies_before_the_row_knew(world):
    session = _held(world, "somebody", -1)
    fence = queue.Fence(session.pk, "somebody", 1)
    recording.record(fence, [e.SessionEnded(outcome="failed", reason="no tests")])
    Session.objects.update(
        status="running", owner="somebody", slot=0, lease_until=timezone.now() - dt.timedelta(days=1)
    )
    assert queue.reap() == [session.pk]
    assert (_row(session).status, _row(session).end_reason) == ("failed", "no tests")
    assert session.events.count() == 1


def test_releasing_a_claim_that_is_not_ours_does_nothing(world):
    session = _held(world, ME, 30)
    assert not queue.release(queue.Fence(session.pk, ME, 99), status="failed", reason="x")
    assert _row(session).status == "preparing"
    assert not session.events.exists()


@pytest.mark.django_db(transaction=True)
def test_claims_from_many_threads_never_exceed_repo_or_team(world):
    second = _second_repo(world)
    world.alpha.max_running, world.repo.max_running, second.max_running = 3, 2, 2
    world.alpha.save(), world.repo.save(), second.save()
    for repo in (world.repo, second):
        for _ in range(4):
            _launch(world, repo)
    ready, won = threading.Barrier(8), []

    def work(name):
        ready.wait()
        try:
            for _ in range(3):
                fence = queue.claim(f"owner-{name}")
                won.extend([fence] if fence else [])
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({fence.session_id for fence in won}) == len(won) == 3
    for repo in (world.repo, second):
        assert Session.objects.held().filter(repo=repo).count() <= 2


def test_this_process_is_alive_and_a_gone_one_is_not():
    assert processes.parse(ME).alive
    assert processes.parse(ME).pid == os.getpid()
    assert not processes.parse(_dead_owner()).alive
    assert processes.parse("odd") is None
    assert processes.parse("a:b:c:d") is None
