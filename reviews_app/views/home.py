"""The first page: what waits on a person, what runs, what the team gained."""

from __future__ import annotations

from datetime import datetime, timedelta
from statistics import median
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from engine.order import RAIL
from reviews_app.models import Decision, DecisionKind, Review
from sessions_app import panels
from sessions_app.access import allows, roles_of
from sessions_app.models import Repo, Session, Status
from sessions_app.views.live import place_in_queue
from sessions_app.views.requests import person

WEEKS = 6
SHOWN = 8
FAILED_FOR = timedelta(days=14)


def home(request: HttpRequest) -> HttpResponse:
    if request.GET.get("part") == "live":
        return render(request, "pages/live_sessions.html", _live_context(request))
    reviews = list(waiting(request)[:SHOWN])
    failed = _failed(request)
    context = {
        "section": "home",
        "reviews": [
            {"review": r, "headline": panels.headline(r.session), "open": open_findings(r)} for r in reviews
        ],
        "review_count": waiting(request).count(),
        "failed": failed,
        "needs": waiting(request).count() + len(failed),
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
    rows: QuerySet[Review] = Review.objects.visible_to(person(request)).waiting()
    return rows.select_related("session__repo", "session__launched_by").prefetch_related("passes__findings")


def open_findings(review: Review) -> list[tuple[str, int]]:
    """Open findings by severity, worst first."""
    counts: dict[str, int] = {}
    for each in review.passes.all():
        for finding in each.findings.all():
            if finding.state == "open":
                counts[finding.severity] = counts.get(finding.severity, 0) + 1
    order = ("critical", "high", "medium", "low", "note")
    return [(severity, counts[severity]) for severity in order if severity in counts]


def _failed(request: HttpRequest) -> list[dict[str, Any]]:
    """Sessions that came to a bad end lately and have no later one."""
    rows = Session.objects.visible_to(person(request)).filter(
        status__in=[Status.FAILED, Status.INTERRUPTED],
        ended__gte=timezone.now() - FAILED_FOR,
        children__isnull=True,
    )
    found, roles = rows.select_related("repo").order_by("-ended")[:SHOWN], roles_of(request.user)
    return [{"session": s, "may_resume": allows(roles.get(s.repo.team_id), "resume")} for s in found]


def _live(request: HttpRequest) -> list[dict[str, Any]]:
    rows = list(Session.objects.visible_to(person(request)).live().select_related("repo").order_by("pk")[:20])
    sparks = panels.bests(rows)
    words = {stage.value: word for _, word, stages in RAIL for stage in stages}
    return [
        {"session": s, "spark": sparks[s.pk], "stage": words.get(s.stage, ""), "headline": panels.headline(s),
         "place": place_in_queue(s), "doing": _doing(s)}
        for s in rows
    ]  # fmt: skip


def _doing(session: Session) -> str:
    now = session.now or {}
    if now.get("round"):
        return f"{now.get('step')}, round {now['round']} of {now.get('rounds') or '?'}"
    return str(now.get("step") or now.get("task") or "")


def _team(request: HttpRequest) -> dict[str, Any]:
    start = timezone.now() - timedelta(weeks=WEEKS)
    sessions = Session.objects.visible_to(person(request)).filter(created__gte=start)
    decisions = Decision.objects.filter(
        session__in=Session.objects.visible_to(person(request)), created__gte=start
    )
    approved = list(decisions.filter(kind=DecisionKind.APPROVED).select_related("session"))
    totals = sessions.aggregate(tried=Sum("tried"), kept=Sum("kept"))
    measured = [decision.session.speedup or {} for decision in approved]
    ratios = [row["ratio"] for row in measured if row.get("ratio")]
    return {
        "approved": len(approved),
        "sessions": sessions.count(),
        "tried": totals["tried"] or 0,
        "kept": totals["kept"] or 0,
        "kept_share": (totals["kept"] or 0) / totals["tried"] if totals["tried"] else None,
        "median": median(ratios) if ratios else None,
        "wait": _median_wait(decisions),
        "weeks": _weeks([d.created for d in approved]),
    }


def _median_wait(decisions: QuerySet[Decision]) -> float | None:
    filed = Review.objects.filter(session=OuterRef("session"), round=OuterRef("review_round")).values("filed")
    rows = decisions.annotate(filed=Subquery(filed[:1])).filter(filed__isnull=False)
    waits = [(made - filed).total_seconds() for made, filed in rows.values_list("created", "filed")[:200]]
    return median(waits) if waits else None


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
    rows = Decision.objects.filter(
        session__in=Session.objects.visible_to(person(request)), kind=DecisionKind.APPROVED
    )
    found = rows.select_related("session__repo").order_by("-pk")[:5]
    return [{"decision": d, "session": d.session, "headline": panels.headline(d.session)} for d in found]
