"""Launching, cancelling, resuming, registering, learnings: roles, limits, audit rows, idempotence."""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404

from sessions_app import access, actions
from sessions_app.models import AuditEntry, Learning, LearningUse, Session

VERB_TABLE = {
    "view": ["alice", "bob", "mia", "vic"],
    "register": ["alice", "bob", "mia"],
    "launch": ["alice", "bob", "mia"],
    "cancel": ["alice", "bob", "mia"],
    "resume": ["alice", "bob", "mia"],
    "set_learning_state": ["alice", "bob", "mia"],
    "confirm_learning": ["alice", "bob"],
    "decide": ["alice", "bob"],
    "open_isolation": ["alice"],
    "manage": ["alice"],
}


def test_each_verb_is_for_the_roles_of_the_table_and_for_nobody_of_another_team(world):
    assert set(VERB_TABLE) == set(access.VERBS)
    for verb, allowed in VERB_TABLE.items():
        for name in ("alice", "bob", "mia", "vic", "charlie"):
            assert access.can(getattr(world, name), verb, world.repo) == (name in allowed), (verb, name)


def test_a_deactivated_person_may_do_nothing(world):
    world.alice.is_active = False
    world.alice.save()
    assert not access.can(world.alice, "view", world.repo)
    with pytest.raises(PermissionDenied):
        actions.launch(user=world.alice, repo=world.repo)


def test_a_foreign_object_and_a_missing_one_answer_alike(world, launched):
    for pk in (launched.pk, 999_999):
        with pytest.raises(Http404) as caught:
            access.get_session(world.charlie, pk)
        assert str(caught.value) == "There is no such page, or it belongs to another team."
    assert access.get_session(world.vic, launched.pk) == launched


def test_launch_names_the_branch_fills_the_limits_and_leaves_an_audit_row(world):
    session = actions.launch(user=world.mia, repo=world.repo, domain="cpu", limits={"experiments": 5})
    assert session.status == "queued"
    assert session.branch == f"codeflash/shopworks-{session.pk}"
    assert session.title == "Optimize cpu of shopworks"
    assert session.limits["experiments"] == 5
    assert session.limits["plateau"] == 3
    entry = AuditEntry.objects.get(verb="launch")
    assert (entry.actor, entry.team, entry.object_id) == (world.mia, world.alpha, session.pk)


def test_the_same_request_launches_once(world):
    first = actions.launch(user=world.mia, repo=world.repo, request_id="r1")
    again = actions.launch(user=world.mia, repo=world.repo, request_id="r1")
    assert first == again
    assert Session.objects.count() == 1


def test_a_viewer_and_a_stranger_cannot_launch(world):
    for user in (world.vic, world.charlie):
        with pytest.raises(PermissionDenied):
            actions.launch(user=user, repo=world.repo)
    assert not Session.objects.exists()
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"domain": "quantum"}, "Choose one of"),
        ({"mode": "delete"}, "Choose one of"),
        ({"crew": "robots"}, "Choose one of"),
        ({"mode": "review"}, "name of the branch"),
        ({"mode": "resume"}, "which session"),
        ({"limits": {"fun": 3}}, "no limit called"),
        ({"limits": {"experiments": -1}}, "above 0"),
        ({"limits": {"experiments": True}}, "above 0"),
        ({"limits": {"wall_seconds": float("inf")}}, "above 0"),
    ],
)
def test_a_launch_that_cannot_be_is_refused_with_a_sentence(world, given, words):
    with pytest.raises(actions.LaunchRefused, match=words):
        actions.launch(user=world.mia, repo=world.repo, **given)
    assert not Session.objects.exists()


def test_a_full_queue_and_a_full_disk_refuse_and_name_their_limit(world, settings, monkeypatch):
    monkeypatch.setattr(settings.LIMITS, "QUEUE_PER_TEAM", 1)
    actions.launch(user=world.mia, repo=world.repo)
    with pytest.raises(actions.QueueFull, match="QUEUE_PER_TEAM"):
        actions.launch(user=world.mia, repo=world.repo)
    monkeypatch.setattr(settings.LIMITS, "QUEUE_PER_TEAM", 9)
    monkeypatch.setattr(settings.LIMITS, "DISK_FLOOR_BYTES", 10**18)
    with pytest.raises(actions.DiskFloor, match="DISK_FLOOR_BYTES"):
        actions.launch(user=world.mia, repo=world.repo)


def test_cancelling_a_waiting_session_ends_it_and_says_so_in_the_log(world, launched):
    row = actions.request_cancel(user=world.mia, session=launched)
    assert (row.status, row.cancelled_by) == ("cancelled", world.mia)
    assert row.ended is not None
    assert [event.kind for event in row.events.all()] == ["session_cancelled"]
    actions.request_cancel(user=world.alice, session=launched)
    launched.refresh_from_db()
    assert launched.cancelled_by == world.mia
    assert launched.events.count() == 1


def test_only_an_ended_session_is_resumed_and_the_new_one_keeps_its_choices(world):
    session = actions.launch(user=world.mia, repo=world.repo, domain="memory", limits={"plateau": 5})
    with pytest.raises(actions.LaunchRefused, match="has not ended"):
        actions.resume(user=world.mia, session=session)
    actions.request_cancel(user=world.mia, session=session)
    session.refresh_from_db()
    new = actions.resume(user=world.bob, session=session)
    assert (new.mode, new.parent, new.domain, new.limits["plateau"]) == ("resume", session, "memory", 5)


def _learning(world, session, **fields):
    from django.utils import timezone

    values = {
        "seq": 1,
        "domain": "cpu",
        "pattern": "p",
        "outcome": "keep",
        "claim": "c",
        "created": timezone.now(),
    }
    return Learning.objects.create(session=session, repo=session.repo, **{**values, **fields})


def test_only_confirmed_learnings_are_given_to_a_new_session_and_that_is_recorded(world, launched):
    proposed = _learning(world, launched)
    confirmed = _learning(world, launched, seq=2)
    with pytest.raises(PermissionDenied):
        actions.set_learning_state(user=world.mia, learning=confirmed, state="confirmed")
    actions.set_learning_state(user=world.bob, learning=confirmed, state="confirmed", reason="seen twice")
    actions.set_learning_state(user=world.mia, learning=proposed, state="retired")
    new = actions.launch(user=world.mia, repo=world.repo)
    assert list(LearningUse.objects.filter(session=new).values_list("learning_id", flat=True)) == [
        confirmed.pk
    ]
    confirmed.refresh_from_db()
    assert (confirmed.state_by, confirmed.state_reason) == (world.bob, "seen twice")
    with pytest.raises(actions.Refused, match="Choose one of"):
        actions.set_learning_state(user=world.bob, learning=confirmed, state="holy")


def test_open_isolation_takes_an_admin_and_says_who_and_when(world):
    with pytest.raises(PermissionDenied):
        actions.set_open_isolation(user=world.bob, repo=world.repo, allowed=True)
    repo = actions.set_open_isolation(user=world.alice, repo=world.repo, allowed=True)
    assert repo.open_isolation_by == world.alice
    assert repo.open_isolation_at is not None
    assert actions.set_open_isolation(user=world.alice, repo=repo, allowed=False).open_isolation_by is None
