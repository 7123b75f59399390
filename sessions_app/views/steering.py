"""Launching, stopping and resuming, and what a person sees before they do."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from engine.brief import CREWS, DOMAIN_CHOICES
from sessions_app import actions
from sessions_app.access import can, get_session
from sessions_app.forms import CREW_WORDS, CREWS_READY, MODE_WORDS, LaunchForm
from sessions_app.models import ENDED, Repo, Session
from sessions_app.preflight import Preflight, preflight
from sessions_app.views.requests import person, whole


def launch(request: HttpRequest) -> HttpResponse:
    """The form with its checks; a good form queues the session and opens its page."""
    form = _form(request)
    if request.method == "POST" and form.is_valid():
        try:
            return redirect(_launch(request, form))
        except actions.Refused as error:
            form.add_error(None, str(error))
    status = 400 if request.method == "POST" else 200
    return render(request, "sessions/launch.html", _context(request, form), status=status)


def _form(request: HttpRequest) -> LaunchForm:
    repos = Repo.objects.visible_to(person(request)).order_by("name")
    ended = Session.objects.visible_to(person(request)).filter(status__in=ENDED).newest()
    if request.method == "POST":
        return LaunchForm(request.POST, repos=repos, parents=ended)
    chosen = (
        repos.filter(pk=whole(request.GET.get("repo")) or 0).first()
        or repos.order_by("-sessions__pk").first()
    )
    initial: dict[str, Any] = {
        "repo": chosen,
        "mode": request.GET.get("mode", "start"),
        "domain": request.GET.get("domain", ""),
    }
    initial["parent"] = ended.filter(pk=whole(request.GET.get("parent")) or 0).first()
    return LaunchForm(initial=initial, repos=repos, parents=ended)


def _launch(request: HttpRequest, form: LaunchForm) -> Session:
    data = form.cleaned_data
    return actions.launch(
        user=person(request),
        repo=data["repo"],
        mode=data["mode"],
        domain=data["domain"],
        crew=data["crew"],
        goal=data["goal"],
        base_ref=data["base_ref"],
        limits=form.limits(),
        parent=data["parent"] if data["mode"] == "resume" else None,
        review_branch=data["review_branch"],
        request_id=data["request_id"],
    )


def _context(request: HttpRequest, form: LaunchForm) -> dict[str, Any]:
    repo = _chosen(form)
    resumable = _resumable(repo)
    return {
        "form": form,
        "section": "sessions",
        "repo": repo,
        "repos_known": form.fields["repo"].queryset.exists(),  # type: ignore[attr-defined]
        "modes": [
            (key, title, said, key == "resume" and not resumable) for key, (title, said) in MODE_WORDS.items()
        ],
        "resumable": resumable,
        "domains": [(d, d or "Router's choice") for d in DOMAIN_CHOICES],
        "crews": [(c, CREW_WORDS[c], c not in CREWS_READY) for c in CREWS],
        "may_launch": repo is None or can(request.user, "launch", repo),
        **_preflight(repo, form["base_ref"].value() or ""),
    }


def _chosen(form: LaunchForm) -> Repo | None:
    value = form["repo"].value()
    if isinstance(value, Repo):
        return value
    rows = form.fields["repo"].queryset  # type: ignore[attr-defined]
    found: Repo | None = rows.filter(pk=whole(str(value or "")) or 0).first()
    return found


def _resumable(repo: Repo | None) -> list[Session]:
    return (
        list(repo.sessions.filter(status__in=ENDED, mode__in=["start", "resume"]).newest()[:20])
        if repo
        else []
    )


def _preflight(repo: Repo | None, base_ref: str) -> dict[str, Any]:
    found: Preflight | None = preflight(repo, base_ref=base_ref) if repo else None
    return {"preflight": found}


def checks(request: HttpRequest) -> HttpResponse:
    """The checks of one repo as a fragment: asked for again when another repo or ref is chosen."""
    repo = Repo.objects.visible_to(person(request)).filter(pk=whole(request.GET.get("repo")) or 0).first()
    context = _preflight(repo, request.GET.get("base_ref", "")[:200])
    return render(request, "sessions/checks.html", {**context, "repo": repo})


@require_POST
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_session(person(request), pk)
    try:
        actions.request_cancel(user=person(request), session=found)
    except PermissionDenied as error:
        messages.error(request, str(error))
    except actions.Refused as error:
        messages.error(request, str(error))
    return redirect(found)


@require_POST
def resume(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_session(person(request), pk)
    try:
        later = actions.resume(
            user=person(request), session=found, request_id=request.POST.get("request_id") or None
        )
    except (PermissionDenied, actions.Refused) as error:
        messages.error(request, str(error))
        return redirect(found)
    return redirect(later)
