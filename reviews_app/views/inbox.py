"""Reviews: those that wait for a person, those still running, those that became stale, those decided."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Page
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from engine.values import VERDICTS
from reviews_app.models import Decision, Review, ReviewFinding
from reviews_app.views.home import open_findings
from sessions_app import panels, shell
from sessions_app.models import Session
from sessions_app.querysets import SessionQuerySet
from sessions_app.views.requests import choice, page_of, person

PAGE = 25
TABS = ("waiting", "running", "stale", "decided")


def inbox(request: HttpRequest) -> HttpResponse:
    tab = choice(request, "tab", TABS, "waiting")
    counts = _counts(request)
    page = _page(request, tab, counts)
    listed = _rows(list(page))
    context = {
        "section": "reviews",
        "tab": tab,
        "tabs": [(key, _word(key), counts[key]) for key in TABS],
        "page": page,
        "rows": listed,
        "first": _first(listed[0]) if listed and tab != "running" else None,
        "verdicts": VERDICTS,
        "verdict_chosen": choice(request, "verdict", VERDICTS),
        "q": request.GET.get("q", "")[:200],
        "likely": _likely(request) if not listed and tab == "waiting" else None,
    }
    return render(request, "reviews/inbox.html", context)


def _word(key: str) -> str:
    return "Review running" if key == "running" else key.capitalize()


def _states() -> dict[str, Any]:
    """Tab -> what is true of a newest review that stands under it."""
    decisions = Decision.objects.filter(session=OuterRef("session"))
    decided = Exists(decisions.filter(head=OuterRef("head")))
    older = Exists(decisions.exclude(head=OuterRef("head")))
    moved = ~Q(head=F("session__head"))
    return {"waiting": ~decided, "stale": older & ~decided | moved, "decided": decided}


def _counts(request: HttpRequest) -> dict[str, int]:
    """How many stand under each tab; what waits is counted in the frame of the page already."""
    newest = Review.objects.visible_to(person(request)).newest_rounds().order_by()
    counted = {tab: Count("pk", filter=state) for tab, state in _states().items() if tab != "waiting"}
    found: dict[str, int] = newest.aggregate(**counted)
    return {**found, "waiting": shell.counts(request)["reviews"], "running": _running(request).count()}


def _running(request: HttpRequest) -> SessionQuerySet:
    return Session.objects.visible_to(person(request)).live().filter(stage="review").order_by("pk")


def _page(request: HttpRequest, tab: str, counts: dict[str, int]) -> Page[Any]:
    if tab == "running":
        return page_of(request, _running(request).for_rows(), PAGE, counts[tab])
    order = "-filed" if tab == "decided" else "filed"
    rows = Review.objects.visible_to(person(request)).newest_rounds().filter(_states()[tab]).order_by(order)
    narrow, shown = _narrow(request, rows), Review.objects.for_rows().order_by(order)
    return page_of(request, narrow, PAGE, counts[tab] if narrow is rows else None, shown)


def _narrow(request: HttpRequest, rows: QuerySet[Review]) -> QuerySet[Review]:
    """The rows of a verdict and with some words; without either the same rows."""
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
    rows = Decision.objects.filter(session__in=[each.session_id for each in reviews]).defer("pull_body")
    return {(row.session_id, row.head): row for row in rows.order_by("-pk")}


def _rows(page: list[Review | Session]) -> list[dict[str, Any]]:
    reviews = [each for each in page if isinstance(each, Review)]
    decisions, open_ = _decisions(reviews), open_findings(reviews)
    return [_row(each, decisions, open_) for each in page]


def _row(
    each: Review | Session,
    decisions: dict[tuple[int, str], Decision],
    open_: dict[int, list[tuple[str, int]]],
) -> dict[str, Any]:
    if isinstance(each, Session):
        return {"session": each, "headline": panels.headline(each)}
    return {
        "review": each,
        "session": each.session,
        "headline": panels.headline(each.session),
        "open": open_[each.pk],
        "decision": decisions.get((each.session_id, each.head)),
    }


def _first(row: dict[str, Any]) -> dict[str, Any]:
    """The row with what the panel beside the list prints of it: only one review's findings are read."""
    found = ReviewFinding.objects.filter(review_pass__review=row["review"], state="open")
    return {**row, "findings": list(found.order_by("review_pass__position", "position")[:3])}


def _likely(request: HttpRequest) -> Session | None:
    """The live session closest to its review: what an empty inbox can point at."""
    rows = Session.objects.visible_to(person(request)).live().exclude(status="queued")
    return rows.order_by("-consecutive", "-pk").first()
