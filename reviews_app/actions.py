"""Deciding on a reviewed session: bound to the exact head, report and results that were on the person's screen.

Decisions, their audit row and what follows from them are one transaction; bringing an approved branch home happens
after the commit and leaves a receipt either way.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from reviews_app import chain, delivery, pull_request
from reviews_app.gate import Gate, GateState, blockers_of, gate_of
from reviews_app.models import Decision, DecisionKind, Receipt, Review
from sessions_app import actions as session_actions
from sessions_app.access import Person, require, role_in
from sessions_app.actions import Refused
from sessions_app.models import Membership, Session, Team

REASON_CHARS = 20_000


class DecisionRefused(Refused):
    """A decision that cannot be taken; the message says why and what to do."""


class StaleDecision(DecisionRefused):
    """What the person saw is no longer what is there. ``changes`` are sentences that say what changed."""

    def __init__(self, changes: list[str]) -> None:
        super().__init__(" ".join([*changes, "Look at the page again before deciding."]))
        self.changes = tuple(changes)


class AlreadyDecided(DecisionRefused):
    """Somebody has decided on this head already. ``decision`` is theirs."""

    def __init__(self, decision: Decision) -> None:
        words = decision.get_kind_display().lower()
        super().__init__(f"{decision.actor_name} has already decided on this revision: {words}.")
        self.decision = decision


class ApprovalRefused(DecisionRefused):
    """Approving is not possible now: an open critical finding, a BLOCK verdict, nothing kept, or the own session."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What was on the screen: the head commit and the digests of the report and the results."""

    head: str
    report_digest: str
    results_digest: str


def decide(
    *,
    user: Person,
    session: Session,
    kind: str,
    reason: str = "",
    head: str,
    report_digest: str,
    results_digest: str,
    request_id: str,
) -> Decision:
    """Take a decision (a ``DecisionKind`` value). The same ``request_id`` twice answers the first row.

    Approving brings the branch home; requesting changes launches a session from the hand-off; both other kinds need a
    reason. Raises PermissionDenied, StaleDecision, AlreadyDecided, ApprovalRefused or DecisionRefused.
    """
    person = require(user, "decide", session)
    _check_form(kind, reason, request_id)
    seen = Seen(head=head, report_digest=report_digest, results_digest=results_digest)
    with transaction.atomic():
        # Locks in one order everywhere: the team (its hash chain), then the session.
        team = Team.objects.select_for_update().get(pk=session.repo.team_id)
        row = Session.objects.select_for_update(of=("self",)).select_related("repo__team").get(pk=session.pk)
        known = Decision.objects.filter(request_id=request_id).first()
        if known is not None:
            return _same(known, row, person)
        decision = _take(person, team, row, kind, reason[:REASON_CHARS], seen, request_id)
    if decision.kind == DecisionKind.APPROVED:
        delivery.bring(decision)
    return decision


def bring_home_again(*, user: Person, decision: Decision) -> Receipt:
    """Try once more to bring an approved branch home after a failed receipt. Raises DecisionRefused."""
    require(user, "decide", decision.session)
    if decision.kind != DecisionKind.APPROVED:
        raise DecisionRefused("Only an approved branch is brought home.")
    return delivery.bring(decision)


def _check_form(kind: str, reason: str, request_id: str) -> None:
    if kind not in DecisionKind.values:
        raise DecisionRefused(f"A decision is one of: {', '.join(DecisionKind.values)}.")
    if kind != DecisionKind.APPROVED and not reason.strip():
        raise DecisionRefused(
            "Say why: whoever reads this next, a person or the next session, works from your reason."
        )
    if not request_id or len(request_id) > 64:
        raise DecisionRefused("The form has lost its number. Load the page again.")


def _same(known: Decision, session: Session, person: User) -> Decision:
    if known.session_id != session.pk or known.actor_id != person.pk:
        raise DecisionRefused("This form was used already, for something else. Load the page again.")
    return known


def _take(
    person: User, team: Team, session: Session, kind: str, reason: str, seen: Seen, request_id: str
) -> Decision:
    review = session.reviews.order_by("-round").first()
    if review is None:
        raise DecisionRefused("There is no review to decide on yet.")
    state = gate_of(session)
    _refuse_decided(state, person)
    _refuse_stale(session, review, seen)
    if state.state == GateState.NOT_READY:
        raise DecisionRefused(state.reason)
    alone = kind == DecisionKind.APPROVED and _refuse_approval(person, team, session)
    decision = Decision(
        session=session,
        review_round=review.round,
        kind=kind,
        actor=person,
        actor_name=(person.get_full_name() or person.get_username())[:160],
        role=role_in(person, team) or "",
        self_approved=alone,
        reason=reason,
        head=seen.head,
        report_digest=seen.report_digest,
        results_digest=seen.results_digest,
        isolation_level=str(session.isolation.get("level", ""))[:4],
        request_id=request_id,
        created=timezone.now(),
    )
    return _write(person, team, decision, review)


def _write(person: User, team: Team, decision: Decision, review: Review) -> Decision:
    session = decision.session
    if decision.kind == DecisionKind.APPROVED:
        prepared = pull_request.prepare(session=session, review=review, decision=decision)
        decision.pull_title, decision.pull_body = prepared.title, prepared.body
    if decision.kind == DecisionKind.CHANGES_REQUESTED:
        decision.next_session = _next_session(person, decision)
    decision.previous_hash = chain.last_hash(team)
    decision.hash = chain.digest(decision)
    decision.save()
    session_actions.audit(
        person, "decide", session, kind=decision.kind, head=decision.head, hash=decision.hash
    )
    return decision


def _next_session(person: User, decision: Decision) -> Session:
    """The session that goes on from the hand-off with the person's words in its brief."""
    done = decision.session
    return session_actions.launch(
        user=person,
        repo=done.repo,
        mode="resume",
        domain=done.domain or done.chosen_domain,
        crew=done.crew,
        goal=done.goal,
        base_ref=done.base_ref,
        limits=done.limits,
        reason=decision.reason,
        parent=done,
        request_id=f"decision-{decision.request_id}"[:64],
    )


def _refuse_decided(state: Gate, person: User) -> None:
    """One decision holds per head. Only who blocked may lift what they placed, by deciding anew."""
    taken = state.decision
    if taken is None or (taken.kind == DecisionKind.BLOCKED and taken.actor_id == person.pk):
        return
    raise AlreadyDecided(taken)


def _refuse_stale(session: Session, review: Review, seen: Seen) -> None:
    changes = []
    if seen.head != session.head:
        changes.append(f"The branch moved from {_short(seen.head)} to {_short(session.head)}.")
    if seen.report_digest != review.report_digest:
        changes.append(f"The report was filed again: round {review.round}, verdict {review.verdict}.")
    if seen.results_digest != session.results_digest:
        changes.append("The results changed since you opened the page.")
    if changes:
        raise StaleDecision(changes)


def _refuse_approval(person: User, team: Team, session: Session) -> bool:
    """Raises ApprovalRefused; returns whether this approval is a person's own session (a team of one may)."""
    blockers = blockers_of(session)
    if blockers:
        raise ApprovalRefused(blockers[0])
    if session.launched_by_id != person.pk:
        return False
    if Membership.objects.filter(team=team).count() > 1:
        raise ApprovalRefused("You launched this session. Ask someone else of your team to approve it.")
    return True


def _short(sha: str) -> str:
    return sha[:10] or "nothing"
