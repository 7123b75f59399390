"""The live session page, its panels and its event log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from sessions_app import feeds, panels
from sessions_app.access import can, get_session
from sessions_app.models import Session, Status
from sessions_app.rendering import render_event
from sessions_app.views.requests import person

OUTPUT_CHARS = 6000


def session(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_session(person(request), pk)
    context = _base(request, found)
    for name, build in panels.PANELS.items():
        context[name] = build(found, request.GET.dict())
    context["feed"] = _feed(request, found)
    context["review"] = found.reviews.first()
    context["files"] = list(found.state_files.order_by("name").values("name", "digest", "cut"))
    context["place"] = place_in_queue(found)
    context["failure"] = _last_output(found)
    return render(request, "sessions/session.html", context)


def _last_output(found: Session) -> str:
    """The end of what the failed step printed; empty for a session that did not fail or said nothing."""
    if found.status != Status.FAILED:
        return ""
    rows = found.events.filter(kind="stage_failed").order_by("-seq").values_list("body", flat=True)
    body = rows.first()
    return str(body.get("output") or "")[-OUTPUT_CHARS:] if isinstance(body, dict) else ""


def panel(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """One panel as a fragment, for the refresh while a session is live."""
    if name not in panels.PANELS:
        raise Http404("There is no such panel.")
    found = get_session(person(request), pk)
    context = {**_base(request, found), name: panels.PANELS[name](found, request.GET.dict())}
    return render(request, f"sessions/panels/{name}.html", context)


def events(request: HttpRequest, pk: int) -> HttpResponse:
    """The event log: a fragment for the feed, a page of its own for everybody else."""
    found = get_session(person(request), pk)
    context = {**_base(request, found), "feed": _feed(request, found, whole=not _fragment(request))}
    return render(
        request, "sessions/panels/feed_rows.html" if _fragment(request) else "sessions/log.html", context
    )


def _fragment(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"


def _base(request: HttpRequest, found: Session) -> dict[str, Any]:
    return {
        "session": found,
        "section": "sessions",
        "current_repo": found.repo,
        "may_cancel": found.is_live
        and found.status != Status.STOPPING
        and can(request.user, "cancel", found),
        "may_resume": not found.is_live and can(request.user, "resume", found),
    }


def _feed(request: HttpRequest, found: Session, *, whole: bool = False) -> dict[str, Any]:
    feed = feeds.feed(found, {**request.GET.dict(), **({"whole": "1"} if whole else {})})
    return {**feed, "html": [render_event(row) for row in feed["events"]]}


def place_in_queue(found: Session) -> int | None:
    """1 for the next to start; None for a session that no longer waits."""
    return places_in_queue([found]).get(found.pk)


def places_in_queue(rows: Sequence[Session]) -> dict[int, int]:
    """The place of each of these that waits, in its team's queue, 1 for the next to start: one question for all."""
    teams = {session.repo.team_id for session in rows if session.status == Status.QUEUED}
    if not teams:
        return {}
    waiting = Session.objects.filter(status=Status.QUEUED, repo__team__in=teams).order_by("-priority", "pk")
    queues: dict[int, list[int]] = {}
    for pk, team in waiting.values_list("pk", "repo__team_id"):
        queues.setdefault(team, []).append(pk)
    return {pk: place for queue in queues.values() for place, pk in enumerate(queue, start=1)}
