"""The list of sessions with its filters, and two or more of them on one axis."""

from __future__ import annotations

from typing import Any

from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from engine.brief import CREWS
from engine.values import DOMAINS, VERDICTS
from sessions_app import charts, comparisons, panels, words
from sessions_app.models import Experiment, Repo, Session, Status
from sessions_app.placing import Point
from sessions_app.views.requests import choice, page_of, person, whole
from sessions_app.vocabulary import mark

PAGE = 25
SORTS = {
    "number": "pk",
    "kept": "kept",
    "best": "best",
    "started": "created",
    "status": "status",
    "title": "title",
}
COMPARED = 4
COLUMNS = (
    ("number", "#", "no"),
    ("title", "Session", ""),
    ("status", "Status", ""),
    ("best", "Best, 95% CI", "num"),
    ("", "", ""),
    ("kept", "Kept", "num"),
    ("", "Verdict", ""),
    ("", "Decision", ""),
    ("started", "Started, took", "num"),
)


def session_list(request: HttpRequest) -> HttpResponse:
    rows = filtered(request)
    page = page_of(request, rows, PAGE)
    context = {
        "section": "sessions",
        "page": page,
        "rows": [{"session": s, "headline": panels.headline(s)} for s in page],
        "columns": COLUMNS,
        "sort": request.GET.get("sort", "-number"),
        "q": request.GET.get("q", "")[:200],
        "filters": _filters(request),
        "any_filter": any(
            request.GET.get(k) for k in ("q", "repo", "status", "verdict", "decision", "domain", "crew")
        ),
        "any_session": bool(page.object_list) or Session.objects.visible_to(person(request)).exists(),
    }
    return render(request, "sessions/list.html", context)


def filtered(request: HttpRequest) -> QuerySet[Session]:
    """Sessions the person may see, by the query's filters and in its order."""
    last = Session.objects.filter(pk=OuterRef("pk")).order_by("-decisions__pk")
    rows: QuerySet[Session] = (
        Session.objects.visible_to(person(request))
        .for_rows()
        .annotate(
            decision=Subquery(last.values("decisions__kind")[:1]),
            decided_by=Subquery(last.values("decisions__actor_name")[:1]),
            decided_at=Subquery(last.values("decisions__created")[:1]),
        )
    )
    return _by_words(_by_choice(request, rows), request.GET.get("q", "")[:200]).order_by(*_order(request))


def _by_choice(request: HttpRequest, rows: QuerySet[Session]) -> QuerySet[Session]:
    wanted = {
        "repo_id": whole(request.GET.get("repo")),
        "status": choice(request, "status", Status.values),
        "verdict": choice(request, "verdict", VERDICTS),
        "decision": choice(request, "decision", ("approved", "changes_requested", "blocked")),
        "crew": choice(request, "crew", CREWS),
    }
    rows = rows.filter(**{name: value for name, value in wanted.items() if value})
    domain = choice(request, "domain", (*DOMAINS, "deep"))
    return rows.filter(Q(domain=domain) | Q(domain="", chosen_domain=domain)) if domain else rows


def _by_words(rows: QuerySet[Session], text: str) -> QuerySet[Session]:
    for word in text.split()[:8]:
        number = whole(word.removeprefix("#"))
        hit = Q(title__icontains=word) | Q(repo__name__icontains=word) | Q(branch__icontains=word)
        hit |= Q(goal__icontains=word) | Q(head__startswith=word.lower())
        rows = rows.filter(hit | Q(pk=number) if number is not None else hit)
    return rows


def _order(request: HttpRequest) -> list[Any]:
    sort = request.GET.get("sort", "-number")
    column = SORTS.get(sort.removeprefix("-"), "pk")
    ordered = F(column).desc(nulls_last=True) if sort.startswith("-") else F(column).asc(nulls_last=True)
    return [ordered, "-pk"]


def _filters(request: HttpRequest) -> list[dict[str, Any]]:
    repos = Repo.objects.visible_to(person(request)).order_by("name")
    return [
        _filter(
            request, "repo", "Repo", [(str(pk), name) for pk, name in repos.values_list("pk", "name")[:50]]
        ),
        _filter(request, "status", "Status", [(s, mark("session", s).word) for s in Status.values]),
        _filter(request, "verdict", "Verdict", [(v, mark("verdict", v).word) for v in VERDICTS]),
        _filter(
            request,
            "decision",
            "Decision",
            [(d, mark("decision", d).word) for d in ("approved", "changes_requested", "blocked")],
        ),
        _filter(request, "domain", "Domain", [(d, d) for d in ("deep", *DOMAINS)]),
        _filter(request, "crew", "Engine", [(c, c) for c in CREWS]),
    ]


def _filter(request: HttpRequest, name: str, label: str, options: list[tuple[str, str]]) -> dict[str, Any]:
    value = request.GET.get(name, "")
    chosen = next((word for key, word in options if key == value), "")
    return {
        "name": name,
        "label": label,
        "options": options,
        "value": value if chosen else "",
        "chosen": chosen,
    }


def compare(request: HttpRequest) -> HttpResponse:
    """Up to four sessions side by side; with fewer than two the page says how to choose them."""
    numbers = [n for n in (whole(v) for v in request.GET.getlist("session")) if n is not None]
    rows = (
        Session.objects.visible_to(person(request))
        .select_related("repo", "launched_by")
        .filter(pk__in=numbers)
    )
    found = sorted(rows, key=lambda s: numbers.index(s.pk))[:COMPARED]
    context: dict[str, Any] = {"section": "sessions", "sessions": found}
    if len(found) >= 2:
        context.update(_compared(found))
    return render(request, "sessions/compare.html", context, status=200 if len(found) >= 2 else 400)


def _compared(found: list[Session]) -> dict[str, Any]:
    points = {s.pk: panels.points_of(s) for s in found}
    heads = [{"session": s, "headline": panels.headline(s, points[s.pk]), **_firsts(s)} for s in found]
    # One absolute axis needs one thing that all of them measured; else each stands on its own baseline.
    shared = len({(s.repo_id, s.metric, s.unit) for s in found}) == 1
    series = [
        comparisons.Series(
            label=f"#{s.pk} {_end(points[s.pk])}",
            points=points[s.pk],
            baseline=s.baseline if shared else None,
        )
        for s in found
    ]
    return {
        "shared": shared,
        "figure": charts.to_json(comparisons.compare(series)),
        "rows": heads,
        "unfair": _unfair(found),
        "targets": _same_targets(found),
        "repo": found[0].repo if len({s.repo_id for s in found}) == 1 else None,
    }


def _end(points: list[Point]) -> str:
    """Where the line ends: the last measured best, against the session's own baseline."""
    totals = [point.total for point in points if point.total is not None and not point.reverted]
    return f"{totals[-1]:.2f}×" if totals else "not measured"


def _firsts(session: Session) -> dict[str, Any]:
    first = session.experiments.filter(status="keep", ended__isnull=False).order_by("number").first()
    took = (session.ended - session.started).total_seconds() if session.ended and session.started else None
    after = (
        (first.ended - session.started).total_seconds() if first and first.ended and session.started else None
    )
    return {"took": took, "first_keep": after}


def _unfair(found: list[Session]) -> list[str]:
    """Why a comparison is not fair, in words; empty when nothing known speaks against it."""
    said = []
    if len({s.repo_id for s in found}) > 1:
        said.append("The sessions belong to different repos.")
    if len({(s.metric, s.unit) for s in found if s.metric}) > 1:
        said.append("They measured different things.")
    if len({str((s.setup or {}).get("test_command", "")) for s in found if s.setup}) > 1:
        said.append("They ran different commands.")
    for name, word in (("cpu", "machines"), ("python", "interpreters")):
        if len({s.fingerprint.get(name) for s in found if s.fingerprint.get(name)}) > 1:
            said.append(f"They ran on different {word}.")
    return said


def _same_targets(found: list[Session]) -> list[dict[str, Any]]:
    """The best keep on each function, by session: what one found and the other did not."""
    keeps = Experiment.objects.filter(session__in=found, status="keep", reverted="", ratio__isnull=False)
    best: dict[tuple[str, str], dict[int, Experiment]] = {}
    for row in keeps.order_by("ratio"):
        best.setdefault((row.path, row.qualname), {})[row.session_id] = row
    rows: list[dict[str, Any]] = [
        {
            "name": words.target(path, name),
            "path": path,
            "cells": [by.get(s.pk) for s in found],
            "top": max(e.ratio or 0 for e in by.values()),
        }
        for (path, name), by in best.items()
    ]
    return sorted(rows, key=lambda r: -r["top"])[:20]
