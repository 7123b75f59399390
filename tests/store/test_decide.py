"""Deciding: bound to what was on the screen, refused when it is not that any more, and what follows from each kind."""

from __future__ import annotations

import threading

import pytest
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, IntegrityError, connection, transaction

from engine import events as e
from engine.workspace import Workspace
from reviews_app import actions, chain, delivery, housekeeping
from reviews_app.gate import GateState, gate_of
from reviews_app.models import Decision, Receipt, Review
from reviews_app.pull_request import prepare
from sessions_app import actions as session_actions
from sessions_app import folders, queue, recording
from sessions_app.models import AuditEntry, Membership, Session
from tests.conftest import git
from tests.store import facts


def reviewed(world, *, verdict="APPROVE", severity="low", head=facts.HEAD, end=True):
    """A session of mia's that has come to its review, with rows from real events."""
    session = session_actions.launch(user=world.mia, repo=world.repo)
    fence = queue.claim("test-owner")
    recording.record(fence, [*facts.opening(), *facts.keep(1, head)])
    recording.record(fence, [e.PlateauReached(cause="plateau", message="[complete]")])
    recording.record(fence, list(facts.review(verdict, severity, head)))
    if end:
        recording.record(fence, list(facts.closing(head=head)))
    session.refresh_from_db()
    return session


def decide(session, user, kind="approved", **changes):
    words = {
        "reason": "" if kind == "approved" else "the name is wrong",
        "head": session.head,
        "report_digest": facts.REPORT,
        "results_digest": facts.RESULTS,
        "request_id": f"{user.username}-{kind}",
    }
    return actions.decide(user=user, session=session, kind=kind, **{**words, **changes})


def _with_clone(session, source, text="def one():\n    return 1 + 0\n"):
    """A real clone with one commit on the session's branch, where the session says it is."""
    workspace = Workspace.create(
        source=str(source), root=folders.work_of(session.pk), branch=session.branch or "codeflash/x"
    )
    tree = workspace.tree("t", workspace.base)
    (tree / "pkg/__init__.py").write_text(text)
    return workspace.commit(
        tree=tree, files={"pkg/__init__.py": text.encode()}, message="Try 1", experiment="u1"
    )


@pytest.fixture
def approved_ready(world, source):
    """A reviewed session whose head is a real commit of a real clone."""
    session = session_actions.launch(user=world.mia, repo=world.repo)
    session.branch = f"codeflash/shopworks-{session.pk}"
    head = _with_clone(session, source)
    fence = queue.claim("test-owner")
    opening = [*facts.opening()]
    recording.record(fence, opening)
    Session.objects.filter(pk=session.pk).update(branch=session.branch)
    recording.record(fence, [*facts.keep(1, head), e.PlateauReached(cause="plateau", message="[complete]")])
    recording.record(fence, [*facts.review(head=head), *facts.closing(head=head)])
    session.refresh_from_db()
    return session


def _everything(source):
    return {p.relative_to(source): p.read_bytes() for p in source.rglob("*") if p.is_file()}


def test_approving_brings_the_branch_home_and_nothing_else_there_changes(world, source, approved_ready):
    session, before = approved_ready, _everything(source)
    decision = decide(session, world.bob)
    receipt = decision.receipts.get()
    assert (receipt.state, receipt.head) == ("done", session.head)
    assert git(source, "rev-parse", session.branch) == session.head
    changed = {str(p) for p, data in _everything(source).items() if before.get(p) != data}
    assert all(
        p.startswith((".git/objects/", ".git/refs/heads/codeflash/", ".git/packed-refs")) for p in changed
    )
    assert set(before) <= set(_everything(source))
    assert (decision.role, decision.self_approved, decision.isolation_level) == ("reviewer", False, "L2")
    assert "1 kept changes" in decision.pull_body
    assert "3.00× faster (2.80 to 3.20)" in decision.pull_body
    assert gate_of(session).state == GateState.APPROVED
    assert AuditEntry.objects.get(verb="decide").detail["hash"] == decision.hash


def test_the_same_request_decides_once_and_a_second_person_is_told_who_was_first(world, approved_ready):
    first = decide(approved_ready, world.bob)
    assert decide(approved_ready, world.bob) == first
    assert Decision.objects.count() == 1
    with pytest.raises(actions.AlreadyDecided, match="bob has already decided"):
        decide(approved_ready, world.alice, "blocked")
    with pytest.raises(actions.DecisionRefused, match="used already"):
        decide(approved_ready, world.alice, "blocked", request_id="bob-approved")


@pytest.mark.parametrize(
    ("field", "words"),
    [("head", "branch moved"), ("report_digest", "filed again"), ("results_digest", "results changed")],
)
@pytest.mark.parametrize("kind", ["approved", "changes_requested", "blocked"])
def test_a_stale_page_is_refused_with_what_changed(world, field, words, kind):
    session = reviewed(world)
    with pytest.raises(actions.StaleDecision, match=words) as caught:
        decide(session, world.bob, kind, **{field: "f" * 40})
    assert len(caught.value.changes) == 1
    assert not Decision.objects.exists()
    assert Session.objects.count() == 1


def test_an_open_critical_finding_and_a_block_verdict_stop_an_approval_but_not_a_block(world):
    critical = reviewed(world, severity="critical")
    with pytest.raises(actions.ApprovalRefused, match="critical finding is open: A name is long"):
        decide(critical, world.bob)
    assert decide(critical, world.bob, "blocked").kind == "blocked"
    blocked = reviewed(world, verdict="BLOCK")
    with pytest.raises(actions.ApprovalRefused, match="verdict is BLOCK"):
        decide(blocked, world.bob, request_id="other")


def test_nothing_kept_cannot_be_approved(world):
    session = reviewed(world, head=facts.BASE)
    with pytest.raises(actions.ApprovalRefused, match="no kept commit"):
        decide(session, world.bob)


def test_a_session_still_at_work_is_not_decided_on(world):
    session = reviewed(world, end=False)
    with pytest.raises(actions.DecisionRefused, match="still at work"):
        decide(session, world.bob)


def test_who_may_decide(world, approved_ready):
    for user in (world.mia, world.vic, world.charlie):
        with pytest.raises(PermissionDenied):
            decide(approved_ready, user)
    assert not Decision.objects.exists()


def test_nobody_approves_their_own_session_unless_they_are_alone_and_then_the_row_says_so(
    world, approved_ready
):
    Session.objects.update(launched_by=world.bob)
    with pytest.raises(actions.ApprovalRefused, match="You launched this session"):
        decide(approved_ready, world.bob)
    Membership.objects.filter(team=world.alpha).exclude(user=world.bob).delete()
    decision = decide(approved_ready, world.bob, request_id="again")
    assert decision.self_approved
    assert "self-approved" in decision.pull_body


def test_requesting_changes_needs_a_reason_and_launches_a_session_that_has_it(world):
    session = reviewed(world)
    with pytest.raises(actions.DecisionRefused, match="Say why"):
        decide(session, world.bob, "changes_requested", reason="  ")
    decision = decide(session, world.bob, "changes_requested")
    following = decision.next_session
    assert (following.mode, following.parent, following.reason) == ("resume", session, "the name is wrong")
    assert following.launched_by == world.bob
    assert decide(session, world.bob, "changes_requested") == decision
    assert Session.objects.count() == 2


def test_who_blocked_may_lift_it_and_nobody_else(world, approved_ready):
    decide(approved_ready, world.bob, "blocked")
    with pytest.raises(actions.AlreadyDecided):
        decide(approved_ready, world.alice)
    lifted = decide(approved_ready, world.bob, "approved", request_id="lifted")
    assert gate_of(approved_ready).decision == lifted


def test_decisions_cannot_be_changed_and_the_chain_tells_when_they_were(world):
    for i in range(3):
        decide(reviewed(world), world.bob, "blocked", request_id=f"r{i}")
    assert chain.broken(world.alpha) == []
    row = Decision.objects.order_by("pk")[1]
    for change in (
        row.save,
        row.delete,
        Decision.objects.all().delete,
        lambda: Decision.objects.update(kind="x"),
    ):
        with pytest.raises(TypeError, match="append only"):
            change()
    with pytest.raises((IntegrityError, DatabaseError), match="append only"), transaction.atomic():
        connection.cursor().execute("UPDATE reviews_app_decision SET reason = 'fine'")
    connection.cursor().execute("DELETE FROM reviews_app_decision WHERE id = %s", [row.pk])
    assert len(chain.broken(world.alpha)) == 1
    assert housekeeping.check_chain()


def test_a_branch_that_cannot_come_home_leaves_a_receipt_and_can_be_tried_again(
    world, source, approved_ready
):
    git(source, "branch", approved_ready.branch)
    work = folders.clone_of(approved_ready.pk)
    hidden = work.rename(work.with_name("hidden"))
    decision = decide(approved_ready, world.bob)
    assert decision.receipts.get().state == "failed"
    assert decision.receipts.get().detail
    hidden.rename(work)
    git(source, "branch", "-D", approved_ready.branch)
    assert actions.bring_home_again(user=world.bob, decision=decision).state == "done"
    assert actions.bring_home_again(user=world.bob, decision=decision).state == "done"
    assert decision.receipts.count() == 2


def test_a_crash_between_decision_and_fetch_is_made_good(world, source, approved_ready, monkeypatch):
    monkeypatch.setattr(delivery, "bring", lambda decision: None)
    decide(approved_ready, world.bob)
    monkeypatch.undo()
    assert not Receipt.objects.exists()
    assert len(housekeeping.finish_deliveries()) == 1
    assert git(source, "rev-parse", approved_ready.branch) == approved_ready.head
    assert housekeeping.finish_deliveries() == []


def test_an_address_is_never_pushed_to(world, approved_ready):
    world.repo.source = "https://example.org/a/b.git"
    world.repo.save()
    receipt = decide(approved_ready, world.bob).receipts.get()
    assert receipt.state == "failed"
    assert "git fetch" in receipt.detail


def test_a_resumed_session_lists_what_the_ones_before_it_kept(world):
    first = reviewed(world)
    second = decide(first, world.bob, "changes_requested").next_session
    fence = queue.claim("test-owner")
    recording.record(fence, [*facts.opening(), *facts.keep(1, "9" * 40), *facts.review(head="9" * 40)])
    second.refresh_from_db()
    found = prepare(session=second, review=Review.objects.latest("pk"))
    assert "2 kept changes" in found.body
    assert "`bbbbbbbbbb`" in found.body
    assert "`9999999999`" in found.body


def test_hostile_words_stay_words_in_the_pull_request(world):
    session = reviewed(world)
    experiment = session.experiments.get()
    experiment.title = "x](http://evil) <img src=x> | `a` @everyone\n# big"
    experiment.qualname = "f`|g"
    experiment.save()
    found = prepare(session=session, review=Review.objects.get())
    assert "\n" not in found.title
    for raw in ("<img", "](http", "@everyone", "\n# big"):
        assert raw not in found.body


@pytest.mark.django_db(transaction=True)
def test_an_approval_and_a_block_at_the_same_moment_give_one_decision(world):
    for number in range(5):
        session = reviewed(world)
        answers, ready = [], threading.Barrier(2)

        def work(user, kind, session=session, answers=answers, ready=ready, number=number):
            ready.wait()
            try:
                answers.append(decide(session, user, kind, request_id=f"{number}-{kind}").kind)
            except actions.AlreadyDecided:
                answers.append("late")
            finally:
                connection.close()

        threads = [
            threading.Thread(target=work, args=args)
            for args in ((world.alice, "approved"), (world.bob, "blocked"))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers)[-1] == "late" or "late" in answers, answers
        assert Decision.objects.filter(session=session).count() == 1
    assert chain.broken(world.alpha) == []
