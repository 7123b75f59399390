"""Registered repositories: the list, one repo, and a new one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Max, OuterRef, Q, Subquery, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from sessions_app import actions, charts, comparisons, panels
from sessions_app.access import can, get_repo, get_team
from sessions_app.forms import RepoForm
from sessions_app.models import Learning, Repo, Session
from sessions_app.prose import prose
from sessions_app.views.requests import page_of, person

PAGE = 30
LIVE = Q(sessions__status__in=["queued", "preparing", "running", "stopping", "paused", "waiting"])


def repo_list(request: HttpRequest) -> HttpResponse:
    kept = (
        Session.objects.filter(repo=OuterRef("pk"))
        .order_by()
        .values("repo")
        .annotate(n=Sum("kept"))
        .values("n")
    )
    rows = (
        Repo.objects.visible_to(person(request))
        .annotate(total=Count("sessions", distinct=True), live=Count("sessions", filter=LIVE, distinct=True))
        .annotate(last=Max("sessions__created"), kept=Subquery(kept))
        .order_by("name")
    )
    return render(request, "repos/list.html", {"page": page_of(request, rows, PAGE), "section": "repos"})


def new(request: HttpRequest) -> HttpResponse:
    form = RepoForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            repo = actions.register_repo(
                user=person(request), team=get_team(person(request)), source=form.cleaned_data["source"],
                name=form.cleaned_data["name"],
            )  # fmt: skip
            messages.success(request, f"Registered {repo.name}. Nothing was changed in it.")
            return redirect(repo)
        except actions.Refused as error:
            form.add_error("source", str(error))
        except PermissionDenied as error:
            form.add_error(None, str(error))
    context = {"form": form, "section": "repos"}
    return render(request, "repos/new.html", context, status=400 if request.method == "POST" else 200)


def detail(request: HttpRequest, pk: int) -> HttpResponse:
    repo = get_repo(person(request), pk)
    sessions = list(repo.sessions.select_related("launched_by").newest()[:8])
    sparks = panels.bests(sessions)
    rows = [{"session": s, "headline": panels.headline(s), "spark": sparks[s.pk]} for s in sessions]
    figure = comparisons.repo_history(_history(repo))
    last = next((s for s in sessions if s.setup), None)
    context = {
        "repo": repo,
        "current_repo": repo,
        "section": "repos",
        "rows": rows,
        "top": max((v for values in sparks.values() for v in values), default=2.0),
        "totals": _totals(repo),
        "figure": charts.to_json(figure) if figure else None,
        "setup": last,
        "learnings": list(repo.learnings.order_by("-pk")[:4]),
        "learning_count": Learning.objects.filter(repo=repo).count(),
        "conventions": prose(repo.conventions) if repo.conventions else None,
        "may_launch": can(request.user, "launch", repo),
        "targets": list(last.targets.all()[:5]) if last else [],
    }
    return render(request, "repos/detail.html", context)


def _totals(repo: Repo) -> dict[str, Any]:
    found = repo.sessions.aggregate(
        sessions=Count("pk", distinct=True),
        tried=Sum("tried"),
        kept=Sum("kept"),
    )
    approved = repo.sessions.filter(decisions__kind="approved").distinct().count()
    return {**found, "approved": approved, "live": repo.sessions.live().count(), "faster": _faster(repo)}


def _faster(repo: Repo) -> float | None:
    """The product of approved sessions' measured speedups; None when none was approved and measured."""
    product, found = 1.0, False
    rows = repo.sessions.filter(decisions__kind="approved", speedup__isnull=False).distinct()
    for measured in rows.values_list("speedup", flat=True):
        if measured and measured.get("ratio") and measured.get("metric") != "peak":
            product, found = product * float(measured["ratio"]), True
    return product if found else None


def _history(repo: Repo) -> list[comparisons.Finished]:
    rows = repo.sessions.filter(Q(speedup__isnull=False) | Q(best__isnull=False)).for_rows().order_by("pk")
    approved = set(rows.filter(decisions__kind="approved").values_list("pk", flat=True))
    found = []
    for session in rows:
        head = panels.headline(session)
        if head["ratio"]:
            found.append(
                comparisons.Finished(
                    label=f"#{session.pk} {session.title}",
                    when=session.ended or session.created,
                    ratio=head["ratio"],
                    low=head.get("low"),
                    high=head.get("high"),
                    approved=session.pk in approved,
                    live=session.is_live,
                    url=session.get_absolute_url(),
                )
            )
    return found
