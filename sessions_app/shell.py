"""What every page's frame needs: counts beside the navigation, the latest repos, how busy the workers are.

Everything is lazy: a page that does not print it (a sign-in page, a fragment) asks the database nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from sessions_app.access import signed_in
from sessions_app.models import HELD, Membership, Repo, Session, Worker

PINNED = 6
THEMES = ("light", "dark")
WORKER_SEEN = timedelta(minutes=2)
COUNTS: dict[str, Callable[[User], int]] = {}
"""Name beside the navigation -> its count. Apps above this one add theirs at start-up."""


def shell(request: HttpRequest) -> dict[str, Any]:
    """The context processor; signed-out visitors get the theme and no frame."""
    theme = request.COOKIES.get("theme", "")
    frame = {"theme": theme if theme in THEMES else ""}
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return frame
    return {**frame, "shell": SimpleLazyObject(lambda: counts(request))}


def counts(request: HttpRequest) -> dict[str, Any]:
    """The frame of a signed-in person's page. Asked for once a request: a page may print one of its numbers again."""
    known: dict[str, Any] | None = request.__dict__.get("_shell")
    if known is None:
        known = request.__dict__["_shell"] = _counts(signed_in(request.user))
    return known


def _counts(user: User) -> dict[str, Any]:
    return {
        **{name: count(user) for name, count in COUNTS.items()},
        **_sessions(user),
        "repos": _pinned(user),
        "places": _places(),
    }


def _sessions(user: User) -> dict[str, int]:
    """How many live sessions this person may see, and how many of all hold a worker's place, in one question."""
    mine = Exists(Membership.objects.filter(team=OuterRef("repo__team"), user=user))
    found: dict[str, int] = Session.objects.live().aggregate(
        live=Count("pk", filter=mine), busy=Count("pk", filter=Q(status__in=HELD))
    )
    return found


def _pinned(user: User) -> list[Repo]:
    """The repos with the latest sessions. Each repo's newest is the first entry of an index, not a maximum over all."""
    newest = Session.objects.filter(repo=OuterRef("pk")).newest().values("pk")[:1]
    live = Q(pk__in=Session.objects.live().values("repo"))
    rows = Repo.objects.visible_to(user).annotate(live=live, last=Subquery(newest)).only("name")
    return list(rows.order_by(F("last").desc(nulls_last=True), "name")[:PINNED])


def seen_workers() -> QuerySet[Worker]:
    """Workers heard of in the last two minutes, newest first."""
    return Worker.objects.filter(seen__gte=timezone.now() - WORKER_SEEN).order_by("-seen")


def _places() -> int:
    return int(seen_workers().aggregate(n=Sum("places"))["n"] or 0)
