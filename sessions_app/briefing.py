"""The frozen brief of a session, written for the engine from rows."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from engine import brief as briefs
from sessions_app import folders
from sessions_app.models import Learning, Session


def write(session: Session) -> Path:
    """Make the session's folder (0700) and write ``brief.json`` into it; returns its path. Raises OSError."""
    work = folders.work_of(session.pk)
    for folder in (work, folders.cache()):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = work / "brief.json"
    briefs.write(build(session), path)
    return path


def build(session: Session) -> briefs.Brief:
    """The brief as it follows from the session's rows."""
    repo = session.repo
    return briefs.Brief(
        session=str(session.pk),
        repo=repo.name,
        source=repo.source,
        work=str(folders.work_of(session.pk)),
        cache=str(folders.cache()),
        lock=str(folders.measuring_lock()),
        branch=session.branch,
        base_ref=session.base_ref or repo.default_ref,
        base=session.parent.base if session.parent is not None and session.mode == "resume" else "",
        mode=session.mode,
        domain=session.domain,
        crew=session.crew,
        goal=session.goal,
        reason=session.reason,
        limits=_limits(session.limits),
        resume_from=_resume_from(session),
        review_branch=session.review_branch,
        conventions=tuple(line.strip() for line in repo.conventions.splitlines() if line.strip()),
        learnings=tuple(_learning(each) for each in _given(session)),
        min_isolation="L0" if repo.open_isolation_by_id is not None else "L1",
        allowed_roots=tuple(settings.ALLOWED_ROOTS),
    )


def _limits(stored: dict[str, Any]) -> briefs.BriefLimits:
    known = {field.name for field in fields(briefs.BriefLimits)}
    return briefs.BriefLimits(**{name: value for name, value in stored.items() if name in known})


def _resume_from(session: Session) -> str:
    """The folder of the session this one goes on from, when it is still there."""
    if session.mode != "resume" or session.parent_id is None:
        return ""
    work = folders.work_of(session.parent_id)
    return str(work) if work.is_dir() else ""


def _given(session: Session) -> list[Learning]:
    rows = Learning.objects.filter(uses__session=session, state="confirmed").select_related("repo")
    return list(rows.order_by("-pk")[: settings.LIMITS.LEARNINGS_GIVEN])


def _learning(each: Learning) -> dict[str, Any]:
    """One accepted note with where it comes from, so that whoever reads it can weigh it."""
    return {
        "id": each.pk,
        "repo": each.repo.name,
        "session": each.session_id,
        "commit": each.commit,
        "age_days": (timezone.now() - each.created).days,
        "domain": each.domain,
        "pattern": each.pattern,
        "outcome": each.outcome,
        "claim": each.claim,
        "evidence": each.evidence,
        "target": each.target,
        "ratio": each.ratio,
    }
