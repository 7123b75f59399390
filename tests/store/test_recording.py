"""Events and what they project: order, gaps, fences, hostile text, size, and replay giving the same rows."""

from __future__ import annotations

import json

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from engine import events as e
from reviews_app.models import Review, ReviewFinding, ReviewPass
from sessions_app import actions, folders, queue, recording, replaying
from sessions_app.models import Event, Experiment, Learning, Session, StateFile, Target
from tests.store import facts

OWNER = "test-owner"


@pytest.fixture
def fence(launched):
    fence = queue.claim(OWNER)
    assert fence is not None
    return fence


def _whole(fence, **words):
    for fact in facts.whole(**words):
        recording.record(fence, [fact])
    return Session.objects.get(pk=fence.session_id)


def test_sequence_numbers_start_at_one_and_have_no_gap(fence):
    recording.record(fence, list(facts.opening()))
    recording.record(fence, list(facts.keep(1)))
    numbers = list(
        Event.objects.filter(session_id=fence.session_id).order_by("seq").values_list("seq", flat=True)
    )
    assert numbers == list(range(1, len(numbers) + 1))
    assert Session.objects.get(pk=fence.session_id).last_seq == len(numbers)


def test_an_event_and_what_it_projects_land_together_or_not_at_all(fence, monkeypatch):
    recording.record(fence, list(facts.opening()))
    before = Event.objects.count()

    def fail(*args, **kwargs):
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(Experiment.objects, "update_or_create", fail)
    with pytest.raises(DatabaseError):
        recording.record(fence, list(facts.keep(1)))
    assert Event.objects.count() == before
    assert not Experiment.objects.exists()
    assert Session.objects.get(pk=fence.session_id).last_seq == before


def test_events_cannot_be_changed_by_row_by_query_or_in_the_database_itself(fence):
    row = recording.record(fence, [e.NoteLogged(source="engine", text="hello")])[0]
    stored = Event.objects.get(session_id=row.session_id, seq=1)
    for change in (
        stored.save,
        stored.delete,
        Event.objects.all().delete,
        lambda: Event.objects.update(kind="x"),
    ):
        with pytest.raises(TypeError, match="append only"):
            change()
    with pytest.raises((IntegrityError, DatabaseError), match="append only"), transaction.atomic():
        connection.cursor().execute("UPDATE sessions_app_event SET kind = 'forged'")


def test_a_worker_that_lost_its_claim_writes_nothing(fence):
    for stale in (
        queue.Fence(fence.session_id, fence.owner, fence.token - 1),
        queue.Fence(fence.session_id, "somebody else", fence.token),
    ):
        with pytest.raises(recording.Fenced):
            recording.record(stale, [e.NoteLogged(source="engine", text="late")])
    assert not Event.objects.exists()


def test_the_first_event_makes_it_running_and_the_last_one_ends_it_in_the_same_transaction(fence):
    recording.record(fence, [next(facts.opening())])
    assert Session.objects.get(pk=fence.session_id).status == "running"
    recording.record(fence, [e.SessionEnded(outcome="finished", reason="plateau")])
    session = Session.objects.get(pk=fence.session_id)
    assert (session.status, session.end_reason, session.slot, session.lease_until) == (
        "finished",
        "plateau",
        None,
        None,
    )
    with pytest.raises(recording.Fenced):
        recording.record(fence, [e.NoteLogged(source="engine", text="after the end")])


def test_stopped_by_a_person_is_cancelled_and_stopped_by_nobody_is_interrupted(world, fence):
    actions.request_cancel(user=world.mia, session=Session.objects.get(pk=fence.session_id))
    assert Session.objects.get(pk=fence.session_id).status == "stopping"
    recording.record(fence, [e.SessionEnded(outcome="cancelled", reason="stopped")])
    assert Session.objects.get(pk=fence.session_id).status == "cancelled"
    second = actions.launch(user=world.mia, repo=world.repo)
    again = queue.claim(OWNER)
    recording.record(again, [e.SessionEnded(outcome="cancelled", reason="worker went down")])
    assert Session.objects.get(pk=second.pk).status == "interrupted"


def test_a_whole_session_projects_its_rows(fence):
    session = _whole(fence)
    assert (session.status, session.stage, session.verdict) == ("finished", "ended", "APPROVE")
    assert (session.tried, session.kept, session.crashed) == (4, 1, 1)
    assert (session.base, session.head, session.results_digest) == (facts.BASE, facts.HEAD, facts.RESULTS)
    assert (session.baseline, session.floor, session.unit) == (1e6, 0.03, "ns")
    assert session.speedup["ratio"] == 3.0
    assert "samples_before" not in session.speedup
    assert session.now == {}
    states = dict(Experiment.objects.order_by("number").values_list("number", "status"))
    assert states == {1: "keep", 2: "discard", 3: "crash", 4: "keep"}
    first = Experiment.objects.get(number=1)
    assert (first.reverted, first.ratio, first.low, first.evidence) == (
        "adds nothing on top of 4",
        3.0,
        2.8,
        "E2",
    )
    assert first.detail.measurement["samples_before"] == [900.0, 901.0]
    assert Experiment.objects.get(number=2).ratio is None
    hot = Target.objects.get(qualname="total")
    assert (hot.rank, hot.tried, hot.kept, hot.share) == (1, 4, 1, 0.1)
    assert Target.objects.get(qualname="rate").share is None
    assert Learning.objects.count() == 2
    assert StateFile.objects.get().seq > 1


def test_a_filed_review_becomes_a_round_with_passes_and_findings(fence):
    _whole(fence, verdict="REQUEST_CHANGES", severity="high")
    review = Review.objects.get()
    assert (review.round, review.verdict, review.report_digest) == (1, "REQUEST_CHANGES", facts.REPORT)
    assert list(ReviewPass.objects.values_list("name", "state")) == [
        ("comprehension", "clear"),
        ("quality", "open"),
    ]
    assert ReviewFinding.objects.get().severity == "high"


def test_lanes_and_stage_times_tell_who_did_what_when(fence):
    session = _whole(fence)
    kinds = [span[2] for span in session.agents["cpu"]["spans"]]
    assert kinds == ["keep", "discard", "crash", "keep"]
    assert all(end is not None and end >= start for start, end, _ in session.agents["cpu"]["spans"])
    assert session.agents["router"]["state"] == "done"
    times = session.stage_times
    assert sorted(times, key=lambda key: times[key][0]) == [
        "start",
        "route",
        "setup",
        "validate",
        "baseline",
        "loop",
        "review",
        "cleanup",
        "end",
    ]
    assert all(times[key][1] is not None for key in times)
    assert times["route"][1] == times["setup"][0]


def test_what_is_happening_now_is_on_the_row(fence):
    recording.record(fence, [*facts.opening(), *facts.discard(1)][:-1])
    now = Session.objects.get(pk=fence.session_id).now
    assert (now["experiment"], now["step"], now["round"], now["agent"]) == (1, "benchmark", 2, "cpu")
    assert now["target"] == facts.HOT.id


def test_an_experiment_cut_short_by_a_failure_does_not_stay_running(fence):
    recording.record(fence, [*facts.opening(), *facts.discard(1)][:-1])
    recording.record(fence, [e.StageFailed(stage="experiment", agent="cpu", reason="out of memory")])
    assert Experiment.objects.get().status == "crash"
    session = Session.objects.get(pk=fence.session_id)
    assert (session.crashed, session.failed_stage) == (1, "loop")


def test_replay_gives_the_same_rows_and_keeps_what_people_said(world, fence):
    session = _whole(fence)
    learning = Learning.objects.order_by("pk").first()
    actions.set_learning_state(user=world.bob, learning=learning, state="confirmed", reason="yes")
    assert replaying.replay(session.pk, keep=False) == []
    assert replaying.replay(session.pk, keep=True) == []
    learning.refresh_from_db()
    assert (learning.state, learning.state_by) == ("confirmed", world.bob)
    session.refresh_from_db()
    assert session.status == "finished"


def test_replay_finds_and_repairs_a_row_that_was_changed_behind_its_back(fence):
    session = _whole(fence)
    Experiment.objects.filter(number=2).update(status="keep")
    Review.objects.update(verdict="BLOCK")
    Session.objects.update(kept=7)
    found = replaying.replay(session.pk, keep=False)
    assert any(line.startswith("session.kept: stored 7") for line in found)
    assert any(line.startswith("Experiment ") for line in found)
    assert any(line.startswith("Review ") for line in found)
    assert Experiment.objects.get(number=2).status == "keep"
    replaying.replay(session.pk, keep=True)
    assert replaying.replay(session.pk, keep=False) == []
    assert Experiment.objects.get(number=2).status == "discard"


def test_text_no_database_takes_is_made_storable(fence):
    body = {"text": "a\x00b\ud800c", "n": float("nan"), "big": 2**70, "deep": [{"k\x00": "\udfff"}]}
    row = recording.record(fence, [e.Unknown(raw_kind="odd", body=body)])[0]
    stored = Event.objects.get(pk=row.pk).body
    assert stored == {
        "text": "a\ufffdb\ufffdc",
        "n": None,
        "big": "400000000000000000",
        "deep": [{"k\ufffd": "\ufffd"}],
    }


def test_an_event_over_the_cap_spills_to_a_file_and_says_how_much(fence, settings, monkeypatch):
    monkeypatch.setattr(settings.LIMITS, "EVENT_BYTES", 20_000)
    big = "x" * 50_000
    row = recording.record(fence, [e.NoteLogged(source="engine", text=big)])[0]
    stored = Event.objects.get(pk=row.pk).body
    assert len(json.dumps(stored)) <= 20_000
    assert stored["spilled"]["bytes"] > 50_000
    assert "characters cut" in stored["text"]
    path = folders.work_of(fence.session_id) / "spilled" / stored["spilled"]["file"]
    assert json.loads(path.read_text())["text"] == big


def test_an_unknown_kind_is_kept_raw(fence):
    row = recording.record(fence, [e.Unknown(raw_kind="from_the_future", body={"x": [1]})])[0]
    assert (row.kind, row.body) == ("from_the_future", {"x": [1]})
    assert replaying.replay(fence.session_id, keep=False) == []
