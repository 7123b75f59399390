"""What a review waits for: a pure function of the session, its newest review, its findings and its decisions.

The reviewing agent's verdict is an input, never a decision: APPROVE grants nothing, BLOCK stops an approval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from reviews_app.models import Decision, DecisionKind, Review, ReviewFinding
from sessions_app.models import Session


class GateState(StrEnum):
    NOT_READY = "not_ready"
    AWAITING = "awaiting"
    CHANGES_REQUESTED = "changes_requested"
    BLOCKED = "blocked"
    APPROVED = "approved"


@dataclass(frozen=True, kw_only=True)
class Gate:
    """``reason`` is one sentence for people; ``blockers`` say, one sentence each, why approving would be refused.

    ``decision`` is the one in effect for this head, or None. ``older`` are those on earlier heads: shown, not counted.
    """

    state: GateState
    reason: str
    blockers: tuple[str, ...] = ()
    decision: Decision | None = None
    older: tuple[Decision, ...] = ()

    @property
    def may_approve(self) -> bool:
        return self.state == GateState.AWAITING and not self.blockers


_STATE = {
    DecisionKind.APPROVED: GateState.APPROVED,
    DecisionKind.CHANGES_REQUESTED: GateState.CHANGES_REQUESTED,
    DecisionKind.BLOCKED: GateState.BLOCKED,
}
_DONE = {
    DecisionKind.APPROVED: "approved this",
    DecisionKind.CHANGES_REQUESTED: "asked for changes",
    DecisionKind.BLOCKED: "blocked this",
}


def gate(
    *,
    session: Session,
    review: Review | None,
    findings: Sequence[ReviewFinding],
    decisions: Sequence[Decision],
) -> Gate:
    """The gate for the session's current head. ``decisions`` in the order they were taken."""
    if review is None:
        return Gate(state=GateState.NOT_READY, reason="No review has been filed for this session yet.")
    older = tuple(each for each in decisions if each.head != session.head)
    current = [each for each in decisions if each.head == session.head]
    if current:
        last = current[-1]
        words = f"{last.actor_name} {_DONE[DecisionKind(last.kind)]}."
        return Gate(state=_STATE[DecisionKind(last.kind)], reason=words, decision=last, older=older)
    if session.is_live:
        words = "The session is still at work; decide when it has ended."
        return Gate(state=GateState.NOT_READY, reason=words, older=older)
    blockers = tuple(_blockers(session, review, findings))
    words = blockers[0] if blockers else "Waiting for a person's decision."
    return Gate(state=GateState.AWAITING, reason=words, blockers=blockers, older=older)


def _blockers(session: Session, review: Review, findings: Sequence[ReviewFinding]) -> list[str]:
    """Why approving would be refused, most weighty first."""
    found = []
    if review.verdict == "BLOCK":
        found.append("The review's verdict is BLOCK. Request changes or block instead.")
    critical = [each for each in findings if each.severity == "critical" and each.state == "open"]
    if critical:
        more = f" and {len(critical) - 1} more" if len(critical) > 1 else ""
        found.append(f"A critical finding is open: {critical[0].title}{more}. Request changes instead.")
    if review.head != session.head:
        found.append("The branch has moved since the review. Ask for a new review.")
    if not session.head or session.head == session.base:
        found.append("There is no kept commit to bring home. Nothing can be approved.")
    return found


def gate_of(session: Session) -> Gate:
    """The gate from the rows in the database, read now."""
    review, findings = _rows(session)
    decisions = list(Decision.objects.filter(session=session).order_by("pk"))
    return gate(session=session, review=review, findings=findings, decisions=decisions)


def blockers_of(session: Session) -> tuple[str, ...]:
    """Why approving would be refused if nobody had decided yet."""
    review, findings = _rows(session)
    return gate(session=session, review=review, findings=findings, decisions=[]).blockers


def _rows(session: Session) -> tuple[Review | None, list[ReviewFinding]]:
    review = session.reviews.order_by("-round").first()
    if review is None:
        return None, []
    return review, list(ReviewFinding.objects.filter(review_pass__review=review))
