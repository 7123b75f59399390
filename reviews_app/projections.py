"""Review rows that follow from ``review_filed``: one round with its passes and findings."""

from __future__ import annotations

from typing import Any

from django.db.models import Max

from reviews_app.models import Review, ReviewFinding, ReviewPass
from sessions_app import replaying
from sessions_app.models import Event, Session
from sessions_app.projections import count, number, register, text

PASSES_KEPT = 20
FINDINGS_KEPT = 500


def install() -> None:
    """Called once when the apps are ready."""
    register("review_filed", file_review)
    replaying.register_rows(ReviewFinding, "review_pass__review__session")
    replaying.register_rows(ReviewPass, "review__session")
    replaying.register_rows(Review, "session")


def file_review(session: Session, row: Event) -> None:
    """A filed report becomes the session's next round."""
    body = row.body
    last = session.reviews.aggregate(last=Max("round"))["last"] or 0
    review = Review.objects.create(
        session=session,
        round=last + 1,
        seq=row.seq,
        verdict=text(body, "verdict", 16),
        head=text(body, "head", 64),
        base=text(body, "base", 64),
        summary=text(body, "summary", None),
        report_digest=text(body, "report_digest", 64),
        results_digest=text(body, "results_digest", 64),
        filed=row.at,
        seconds=number(body, "seconds"),
        without=body.get("without") or [],
    )
    for position, each in enumerate((body.get("passes") or [])[:PASSES_KEPT]):
        _file_pass(review, position, each)


def _file_pass(review: Review, position: int, body: dict[str, Any]) -> None:
    made = ReviewPass.objects.create(
        review=review,
        position=position,
        name=text(body, "name", 40),
        state=text(body, "state", 10),
        summary=text(body, "summary", None),
    )
    findings = (body.get("findings") or [])[:FINDINGS_KEPT]
    ReviewFinding.objects.bulk_create(_finding(made, i, each) for i, each in enumerate(findings))


def _finding(made: ReviewPass, position: int, body: dict[str, Any]) -> ReviewFinding:
    return ReviewFinding(
        review_pass=made,
        position=position,
        severity=text(body, "severity", 10),
        title=text(body, "title", 300),
        text=text(body, "text", None),
        path=text(body, "path", 500),
        line=count(body, "line") or None,
        state=text(body, "state", 10) or "open",
        resolution=text(body, "resolution", None),
    )
