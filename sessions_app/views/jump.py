"""The command bar's search: sessions, repos, experiments and learnings a person may see, by words or a number."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from sessions_app.access import allows, roles_of
from sessions_app.models import Experiment, Learning, Repo, Session
from sessions_app.views.requests import person, whole

SHOWN = 4
SHORTEST = 2
WORDS = 6


def jump(request: HttpRequest) -> HttpResponse:
    """A fragment: what matches every word, some of each kind. One letter asks for too much and finds nothing."""
    text = request.GET.get("q", "")[:100].strip()
    number = whole(text.removeprefix("#"))
    if len(text) < SHORTEST and number is None:
        return render(request, "shell/found.html", {})
    return render(
        request, "shell/found.html", {"asked": text, **_found(request, text.split()[:WORDS], number)}
    )


def _found(request: HttpRequest, words: list[str], number: int | None) -> dict[str, Any]:
    user = person(request)
    sessions = Session.objects.visible_to(user).select_related("repo")
    experiments = Experiment.objects.visible_to(user).select_related("session__repo")
    learnings = Learning.objects.visible_to(user).select_related("repo")
    repos = list(_by_words(Repo.objects.visible_to(user), words, "name").order_by("name")[:SHOWN])
    named = sessions.filter(pk=number) if number is not None else sessions.none()
    found = {
        "sessions": [
            *named,
            *_first(_by_words(sessions, words, "title", "goal", "branch", "repo__name"), named),
        ],
        "repos": repos,
        "launchable": _launchable(request, repos),
        "experiments": _first(_by_words(experiments, words, "title", "qualname", "path")),
        "learnings": _first(_by_words(learnings, words, "claim", "evidence", "pattern")),
    }
    return {**found, "any": any(found.values())}


def _by_words(rows: QuerySet[Any], words: list[str], *columns: str) -> QuerySet[Any]:
    """Rows that hold every word in one of the columns."""
    for word in words:
        rows = rows.filter(reduce(or_, (Q(**{f"{column}__icontains": word}) for column in columns)))
    return rows


def _first(rows: QuerySet[Any], besides: QuerySet[Any] | None = None) -> list[Any]:
    """The newest few, without those that are listed already."""
    return list((rows if besides is None else rows.exclude(pk__in=besides)).order_by("-pk")[:SHOWN])


def _launchable(request: HttpRequest, repos: list[Repo]) -> list[Repo]:
    roles = roles_of(request.user)
    return [repo for repo in repos if allows(roles.get(repo.team_id), "launch")][:2]
