"""One experiment: its hypothesis, its change, what was measured, and why it was kept or not."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from sessions_app import charts, comparisons, diffs
from sessions_app.access import get_experiment
from sessions_app.models import Experiment, ExperimentDetail, LearningUse
from sessions_app.prose import prose
from sessions_app.views.requests import person

OUTPUT_CHARS = 60_000


def detail(request: HttpRequest, session_pk: int, number: int) -> HttpResponse:
    found = get_experiment(person(request), session_pk, number)
    more = getattr(found, "detail", None) or ExperimentDetail(experiment=found)
    return render(request, "sessions/experiment.html", _context(found, more))


def _context(found: Experiment, more: ExperimentDetail) -> dict[str, Any]:
    measured = more.measurement or {}
    siblings = found.session.experiments
    figure = comparisons.before_after(
        measured.get("samples_before") or [],
        measured.get("samples_after") or [],
        str(measured.get("unit", "")),
    )
    return {
        "experiment": found,
        "detail": more,
        "session": found.session,
        "section": "sessions",
        "current_repo": found.session.repo,
        "hypothesis": prose(found.hypothesis) if found.hypothesis else None,
        "m": measured,
        "whole": more.end_to_end or {},
        "figure": charts.to_json(figure) if figure else None,
        "diff": diffs.read(more.diff) if more.diff else None,
        "output": more.output[:OUTPUT_CHARS],
        "output_cut": max(0, len(more.output) - OUTPUT_CHARS),
        "newer": siblings.filter(number__gt=found.number).order_by("number").first(),
        "older": siblings.filter(number__lt=found.number).order_by("-number").first(),
        "tried_here": _tried_here(found),
        "findings": found.session.findings.filter(target=f"{found.path}::{found.qualname}")[:3],
        "given": LearningUse.objects.filter(session=found.session).count(),
    }


def _tried_here(found: Experiment) -> list[Experiment]:
    """What else was tried on the same function, newest first, in any session of the repo."""
    rows = Experiment.objects.filter(
        session__repo=found.session.repo_id, path=found.path, qualname=found.qualname
    )
    return list(rows.exclude(pk=found.pk).order_by("-pk")[:8])
