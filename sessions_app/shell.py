"""What every page's frame needs: counts beside the navigation, the latest repos, how busy the workers are.

Everything is lazy: a page that does not print it (a sign-in page, a fragment) asks the database nothing.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Exists, F, Max, OuterRef, QuerySet, Sum
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from sessions_app.models import Repo, Session, Worker

PINNED = 6
THEMES = ("light", "dark")
WORKER_SEEN = timedelta(minutes=2)


def shell(request: HttpRequest) -> dict[str, Any]:
    """The context processor; signed-out visitors get the theme and no frame."""
    theme = request.COOKIES.get("theme", "")
    frame = {"theme": theme if theme in THEMES else ""}
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return frame
    return {**frame, "shell": SimpleLazyObject(lambda: _shell(request))}


def _shell(request: HttpRequest) -> dict[str, Any]:
    sessions = Session.objects.visible_to(request.user)
    return {
        "reviews": waiting_reviews(request).count(),
        "live": sessions.live().count(),
        "repos": _pinned(request),
        "places": _places(),
        "busy": Session.objects.held().count(),
    }


def waiting_reviews(request: HttpRequest) -> Any:
    """Sessions whose newest review nobody decided for its head yet."""
    decided = Session.objects.filter(pk=OuterRef("pk"), decisions__head=OuterRef("newest_head"))
    newest = Session.objects.visible_to(request.user).filter(reviews__isnull=False).distinct()
    head = Session.objects.filter(pk=OuterRef("pk")).order_by("-reviews__round").values("reviews__head")[:1]
    return newest.annotate(newest_head=head).filter(~Exists(decided))


def _pinned(request: HttpRequest) -> list[Repo]:
    live = Session.objects.live().filter(repo=OuterRef("pk"))
    repos = Repo.objects.visible_to(request.user).annotate(live=Exists(live), last=Max("sessions__pk"))
    return list(repos.order_by(F("last").desc(nulls_last=True), "name")[:PINNED])


def seen_workers() -> QuerySet[Worker]:
    """Workers heard of in the last two minutes, newest first."""
    return Worker.objects.filter(seen__gte=timezone.now() - WORKER_SEEN).order_by("-seen")


def _places() -> int:
    return int(seen_workers().aggregate(n=Sum("places"))["n"] or 0)
