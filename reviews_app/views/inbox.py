"""Reviews: those that wait for a person, those still running, those that became stale, those decided."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from engine.values import VERDICTS
from reviews_app.models import Decision, Review
from reviews_app.views.home import open_findings
from sessions_app import panels
from sessions_app.models import Session
from sessions_app.views.requests import choice, page_of, person

PAGE = 25
TABS = ("waiting", "running", "stale", "decided")


def inbox(request: HttpRequest) -> HttpResponse:
    tab = choice(request, "tab", TABS, "waiting")
    groups = _groups(request)
    rows = groups[tab]
    page = page_of(request, rows if tab == "running" else _narrow(request, rows), PAGE)
    decisions = _decisions([each for each in page if isinstance(each, Review)])
    listed = [_row(each, decisions) for each in page]
    context = {
        "section": "reviews",
        "tab": tab,
        "tabs": [(key, _word(key), groups[key].count()) for key in TABS],
        "page": page,
        "rows": listed,
        "first": listed[0] if listed and tab != "running" else None,
        "verdicts": VERDICTS,
        "verdict_chosen": choice(request, "verdict", VERDICTS),
        "q": request.GET.get("q", "")[:200],
        "likely": _likely(request),
    }
    return render(request, "reviews/inbox.html", context)


def _word(key: str) -> str:
    return "Review running" if key == "running" else key.capitalize()


def _groups(request: HttpRequest) -> dict[str, QuerySet[Any]]:
    mine = Review.objects.visible_to(person(request))
    newest = mine.newest_rounds()
    decided = Decision.objects.filter(session=OuterRef("session"), head=OuterRef("head"))
    older = Decision.objects.filter(session=OuterRef("session")).exclude(head=OuterRef("head"))
    return {
        "waiting": mine.waiting(),
        "running": Session.objects.visible_to(person(request))
        .live()
        .filter(stage="review")
        .order_by("pk")
        .select_related("repo", "launched_by"),
        "stale": newest.filter(Exists(older) & ~Exists(decided) | ~Q(head=F("session__head"))).order_by(
            "filed"
        ),
        "decided": newest.filter(Exists(decided)).order_by("-filed"),
    }


def _narrow(request: HttpRequest, rows: QuerySet[Review]) -> QuerySet[Review]:
    rows = rows.select_related("session__repo", "session__launched_by").prefetch_related("passes__findings")
    verdict = choice(request, "verdict", VERDICTS)
    rows = rows.filter(verdict=verdict) if verdict else rows
    for word in request.GET.get("q", "")[:200].split()[:8]:
        hit = (
            Q(session__title__icontains=word)
            | Q(session__repo__name__icontains=word)
            | Q(head__startswith=word)
        )
        findings = Q(passes__findings__title__icontains=word)
        rows = rows.filter(pk__in=Review.objects.filter(hit | findings).values("pk"))
    return rows


def _decisions(reviews: list[Review]) -> dict[tuple[int, str], Decision]:
    """By session and head: the oldest of several, in one question."""
    rows = Decision.objects.filter(session__in=[each.session_id for each in reviews])
    return {(row.session_id, row.head): row for row in rows.order_by("-pk")}


def _row(each: Review | Session, decisions: dict[tuple[int, str], Decision]) -> dict[str, Any]:
    if isinstance(each, Session):
        return {"session": each, "headline": panels.headline(each)}
    return {
        "review": each,
        "session": each.session,
        "headline": panels.headline(each.session),
        "open": open_findings(each),
        "decision": decisions.get((each.session_id, each.head)),
        "findings": [f for p in each.passes.all() for f in p.findings.all() if f.state == "open"][:3],
    }


def _likely(request: HttpRequest) -> Session | None:
    """The live session closest to its review: what an empty inbox can point at."""
    rows = Session.objects.visible_to(person(request)).live().exclude(status="queued")
    return rows.order_by("-consecutive", "-pk").first()
