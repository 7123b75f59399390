"""The first page: what waits on a person, what runs, what the team gained."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from django.db.models import Count, OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from engine.order import RAIL
from reviews_app.models import Decision, DecisionKind, Review, ReviewFinding
from sessions_app import panels, shell
from sessions_app.access import allows, roles_of
from sessions_app.models import Repo, Session, Status
from sessions_app.views.live import places_in_queue
from sessions_app.views.requests import person

WEEKS = 6
SHOWN = 8
FAILED_FOR = timedelta(days=14)
SEVERITIES = ("critical", "high", "medium", "low", "note")


def home(request: HttpRequest) -> HttpResponse:
    if request.GET.get("part") == "live":
        return render(request, "pages/live_sessions.html", _live_context(request))
    reviews = list(waiting(request)[:SHOWN])
    open_ = open_findings(reviews)
    count, failed = shell.counts(request)["reviews"], _failed(request)
    context = {
        "section": "home",
        "reviews": [
            {"review": r, "headline": panels.headline(r.session), "open": open_[r.pk]} for r in reviews
        ],
        "review_count": count,
        "failed": failed,
        "needs": count + len(failed),
        "team": _team(request),
        "wins": _wins(request),
        "any_repo": Repo.objects.visible_to(person(request)).exists(),
        **_live_context(request),
    }
    return render(request, "pages/home.html", context)


def _live_context(request: HttpRequest) -> dict[str, Any]:
    """The list of live sessions, which asks for itself again every few seconds."""
    live = _live(request)
    queued = sum(row["session"].status == Status.QUEUED for row in live)
    best = max((value for row in live for value in row["spark"]), default=2.0)
    return {"live": live, "live_running": len(live) - queued, "live_queued": queued, "top": best}


def waiting(request: HttpRequest) -> QuerySet[Review]:
    """Newest reviews nobody decided on, oldest first, with what a row prints."""
    return Review.objects.visible_to(person(request)).waiting().for_rows()


def open_findings(reviews: Sequence[Review]) -> dict[int, list[tuple[str, int]]]:
    """Open findings of each review by severity, worst first: counted in one question, no finding is read."""
    rows = ReviewFinding.objects.filter(review_pass__review__in=reviews, state="open").order_by()
    counted = rows.values_list("review_pass__review", "severity").annotate(n=Count("pk"))
    found: dict[int, list[tuple[str, int]]] = {review.pk: [] for review in reviews}
    for review, severity, n in counted:
        if severity in SEVERITIES:
            found[review].append((severity, n))
    return {review: sorted(pairs, key=_worst_first) for review, pairs in found.items()}


def _worst_first(pair: tuple[str, int]) -> int:
    return SEVERITIES.index(pair[0])


def _failed(request: HttpRequest) -> list[dict[str, Any]]:
    """Sessions that came to a bad end lately and have no later one."""
    rows = Session.objects.visible_to(person(request)).filter(
        status__in=[Status.FAILED, Status.INTERRUPTED],
        ended__gte=timezone.now() - FAILED_FOR,
        children__isnull=True,
    )
    found, roles = rows.for_rows().order_by("-ended")[:SHOWN], roles_of(request.user)
    return [{"session": s, "may_resume": allows(roles.get(s.repo.team_id), "resume")} for s in found]


def _live(request: HttpRequest) -> list[dict[str, Any]]:
    rows = list(Session.objects.visible_to(person(request)).live().for_rows().order_by("pk")[:20])
    sparks, places = panels.bests(rows), places_in_queue(rows)
    words = {stage.value: word for _, word, stages in RAIL for stage in stages}
    return [
        {"session": s, "spark": sparks[s.pk], "stage": words.get(s.stage, ""), "headline": panels.headline(s),
         "place": places.get(s.pk), "doing": _doing(s)}
        for s in rows
    ]  # fmt: skip


def _doing(session: Session) -> str:
    now = session.now or {}
    if now.get("round"):
        return f"{now.get('step')}, round {now['round']} of {now.get('rounds') or '?'}"
    return str(now.get("step") or now.get("task") or "")


def _team(request: HttpRequest) -> dict[str, Any]:
    """Sums of the last weeks. Of a decision only what is printed is read, never the session or its texts."""
    start = timezone.now() - timedelta(weeks=WEEKS)
    sessions = Session.objects.visible_to(person(request)).filter(created__gte=start)
    totals = sessions.aggregate(count=Count("pk"), tried=Sum("tried"), kept=Sum("kept"))
    filed = Review.objects.filter(session=OuterRef("session"), round=OuterRef("review_round"))
    decisions = Decision.objects.visible_to(person(request)).filter(created__gte=start).order_by()
    rows = decisions.annotate(filed=Subquery(filed.order_by().values("filed")[:1]))
    found = list(rows.values_list("kind", "created", "filed", "session__speedup__ratio"))
    approved = [row for row in found if row[0] == DecisionKind.APPROVED]
    ratios = [ratio for *_, ratio in approved if ratio]
    waits = [(made - filed).total_seconds() for _, made, filed, _ in found if filed]
    return {
        "approved": len(approved),
        "sessions": totals["count"],
        "tried": totals["tried"] or 0,
        "kept": totals["kept"] or 0,
        "kept_share": (totals["kept"] or 0) / totals["tried"] if totals["tried"] else None,
        "median": median(ratios) if ratios else None,
        "wait": median(waits) if waits else None,
        "weeks": _weeks([created for _, created, *_ in approved]),
    }


def _weeks(moments: list[datetime]) -> list[tuple[str, int]]:
    """Approvals in each of the last weeks, named by their Monday."""
    today = timezone.now().date()
    monday = today - timedelta(days=today.weekday())
    found = []
    for back in range(WEEKS - 1, -1, -1):
        first = monday - timedelta(weeks=back)
        count = sum(first <= m.date() < first + timedelta(weeks=1) for m in moments)
        found.append((f"{first.day} {first:%b}", count))
    return found


def _wins(request: HttpRequest) -> list[dict[str, Any]]:
    rows = Decision.objects.visible_to(person(request)).filter(kind=DecisionKind.APPROVED).order_by("-pk")
    # The newest are found by key alone; the sessions' wide rows are read for the few that are shown.
    found = Decision.objects.filter(pk__in=rows.values("pk")[:5]).for_rows().order_by("-pk")
    return [{"decision": d, "session": d.session, "headline": panels.headline(d.session)} for d in found]
