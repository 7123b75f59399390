"""The verbs people use on sessions, repos and learnings: the only writes behind pages, terminal and interfaces.

Each checks the role, does its write and its audit row in one transaction, returns the object, and refuses with a
``Refused`` whose message says what to do.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Model
from django.utils import timezone

from engine import brief as briefs
from sessions_app import recording
from sessions_app.access import Person, require, signed_in, team_of
from sessions_app.models import (
    ENDED,
    HELD,
    AuditEntry,
    Learning,
    LearningState,
    LearningUse,
    Repo,
    Session,
    Status,
    Team,
)

RUNNABLE_MODES = ("start", "resume", "scan", "review")


class Refused(ValueError):
    """An action that cannot be done; the message says why and what to do."""


class LaunchRefused(Refused):
    """A session that cannot be queued as asked."""


class QueueFull(LaunchRefused):
    """The team has as many sessions waiting as it may."""


class DiskFloor(LaunchRefused):
    """The disk has less free space than the floor."""


class RegisterRefused(Refused):
    """A repository that cannot be registered as asked."""


def launch(
    *,
    user: Person,
    repo: Repo,
    mode: str = "start",
    domain: str = "",
    crew: str = "builtin",
    goal: str = "",
    base_ref: str = "",
    limits: Mapping[str, float] | None = None,
    reason: str = "",
    parent: Session | None = None,
    request_id: str | None = None,
    review_branch: str = "",
) -> Session:
    """Queue a session; the same ``request_id`` twice answers the first one. Raises LaunchRefused, PermissionDenied.

    ``limits`` are names of ``engine.brief.BriefLimits`` in its units; those not given keep their default.
    """
    person = require(user, "launch", repo)
    if request_id and (known := _launched(repo, request_id)):
        return known
    _check_words(mode, domain, crew, review_branch, parent, repo)
    _check_room(repo.team)
    session = Session(
        repo=repo, mode=mode, domain=domain, crew=crew, parent=parent, launched_by=person,
        title=_title(repo, mode, domain, review_branch), goal=goal[:20_000], reason=reason[:20_000],
        limits=_limits(limits or {}), base_ref=base_ref[:200], review_branch=review_branch[:200],
        request_id=request_id or None,
    )  # fmt: skip
    return _queue_once(session, person)


def _queue_once(session: Session, person: User) -> Session:
    """Of two copies of one request at once, the one that came second answers the session of the first."""
    try:
        return _queue(session, person)
    except IntegrityError:
        if session.request_id and (known := _launched(session.repo, session.request_id)):
            return known
        raise


def _launched(repo: Repo, request_id: str) -> Session | None:
    known = Session.objects.filter(request_id=request_id).first()
    if known is not None and known.repo_id != repo.pk:
        raise LaunchRefused(
            "This form was already used for another repository. Load the page again and launch anew."
        )
    return known


def _queue(session: Session, person: User) -> Session:
    with transaction.atomic():
        session.save()
        session.branch = f"codeflash/{_ref_word(session.repo.slug)}-{session.pk}"
        session.save(update_fields=["branch"])
        given = Learning.objects.given_to(session.repo)[: settings.LIMITS.LEARNINGS_GIVEN]
        LearningUse.objects.bulk_create([LearningUse(learning=each, session=session) for each in given])
        audit(person, "launch", session, mode=session.mode, domain=session.domain, crew=session.crew)
    return session


def _check_words(
    mode: str, domain: str, crew: str, review_branch: str, parent: Session | None, repo: Repo
) -> None:
    _one_of("mode", mode, RUNNABLE_MODES)
    _one_of("domain", domain, briefs.DOMAIN_CHOICES)
    _one_of("crew", crew, briefs.CREWS)
    if mode == "review" and not review_branch:
        raise LaunchRefused("A review needs the name of the branch to review.")
    if mode == "resume" and parent is None:
        raise LaunchRefused(
            "Say which session to resume: only an earlier session has a hand-off to go on from."
        )
    if parent is not None and parent.repo_id != repo.pk:
        raise LaunchRefused("A session can only go on from one of the same repository.")


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        words = ", ".join(choice or "(automatic)" for choice in choices)
        raise LaunchRefused(f"The {name} {value[:40]!r} is not known. Choose one of: {words}.")


def _check_room(team: Team) -> None:
    limit = settings.LIMITS.QUEUE_PER_TEAM
    if Session.objects.filter(repo__team=team, status=Status.QUEUED).count() >= limit:
        raise QueueFull(
            f"{limit} sessions are waiting already (QUEUE_PER_TEAM). Cancel one or wait for one to start."
        )
    free, floor = free_bytes(), settings.LIMITS.DISK_FLOOR_BYTES
    if free < floor:
        raise DiskFloor(
            f"Only {free / 1e9:.1f} GB are free and {floor / 1e9:.1f} GB must be (DISK_FLOOR_BYTES). "
            "Free some space, then launch again."
        )


def free_bytes() -> int:
    """Free space where sessions work, in bytes."""
    return shutil.disk_usage(settings.DATA_DIR).free


def _limits(given: Mapping[str, float]) -> dict[str, float]:
    """Checked limits with every default filled in, so that the row shows what the session was launched with."""
    known = {field.name: field.type for field in fields(briefs.BriefLimits)}
    values: dict[str, Any] = asdict(briefs.BriefLimits())
    for name, value in given.items():
        if name not in known:
            raise LaunchRefused(f"There is no limit called {name[:40]!r}. Known: {', '.join(known)}.")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 2**53:
            raise LaunchRefused(f"The limit {name} takes a number above 0, not {str(value)[:40]!r}.")
        values[name] = int(value) if isinstance(values[name], int) else float(value)
    return values


def _title(repo: Repo, mode: str, domain: str, review_branch: str) -> str:
    what = f"{domain} of {repo.slug}" if domain and domain != "deep" else repo.slug
    words = {
        "start": f"Optimize {what}",
        "resume": f"Go on with {what}",
        "scan": f"Scan {what}",
        "review": f"Review {review_branch} of {repo.slug}",
    }
    return words[mode][:200]


def _ref_word(name: str) -> str:
    """A part of a branch name that git takes, from any repo name."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:60] or "repo"


def register_repo(*, user: Person, team: Team, source: str, name: str = "") -> Repo:
    """Register a repository by path or address. Raises RegisterRefused with a sentence; the same source is one Repo."""
    person = require(user, "register", team)
    where = _source(source)
    known = Repo.objects.filter(team=team, source=where).first()
    if known is not None:
        return known
    facts = _describe(where)
    title = (name or _name_of(where)).strip()[:120]
    try:
        with transaction.atomic():
            repo = Repo.objects.create(
                team=team, name=title, source=where, default_ref=facts.default_ref[:200], created_by=person
            )
            audit(person, "register", repo, source=where)
    except IntegrityError:
        raise RegisterRefused(
            f"A repository named {title!r} exists already. Give this one another name."
        ) from None
    return repo


def _source(source: str) -> str:
    text = source.strip()
    if not text or len(text) > 1000 or any(ord(c) < 32 for c in text):
        raise RegisterRefused(
            "Give the path of a git repository on this machine, or its https or ssh address."
        )
    if "://" in text or re.match(r"^[\w.-]+@[\w.-]+:", text):
        return text
    return str(Path(text).expanduser().resolve())


def _describe(source: str) -> Any:
    import engine.workspace as workspace

    try:
        return workspace.describe_source(source, allowed_roots=settings.ALLOWED_ROOTS)
    except workspace.WorkspaceError as error:
        raise RegisterRefused(str(error)) from error


def _name_of(source: str) -> str:
    """The last part of a path; the last two of an address, ``owner/name``."""
    parts = [part for part in re.split(r"[/:]+", source.removesuffix("/").removesuffix(".git")) if part]
    return "/".join(parts[-2:]) if "://" in source or "@" in source else (parts or ["repo"])[-1]


def request_cancel(*, user: Person, session: Session) -> Session:
    """Ask a session to stop: a waiting one ends at once, a running one within seconds. An ended one stays as it is."""
    person = require(user, "cancel", session)
    with transaction.atomic():
        row = Session.objects.select_for_update().get(pk=session.pk)
        if row.status in ENDED or row.cancel_requested is not None:
            return row
        row.cancel_requested, row.cancelled_by = timezone.now(), person
        row.save(update_fields=["cancel_requested", "cancelled_by"])
        _stop(row, person)
        audit(person, "cancel", row)
    return row


def _stop(session: Session, person: User) -> None:
    name = person.get_full_name() or person.get_username()
    if session.status in HELD:
        session.status = Status.STOPPING
        session.save(update_fields=["status"])
        recording.state(session, "cancel_requested", {"by": name})
        return
    reason = f"Cancelled by {name} before a worker took it."
    recording.state(session, "session_cancelled", {"reason": reason, "advice": ""})
    recording.finish(session, Status.CANCELLED, reason)


def resume(*, user: Person, session: Session, request_id: str | None = None) -> Session:
    """Queue a new session that goes on from the hand-off of an ended one, with the same choices."""
    require(user, "resume", session)
    if session.status not in ENDED:
        raise LaunchRefused("This session has not ended yet. Stop it first, or wait for its end.")
    return launch(
        user=user,
        repo=session.repo,
        mode="resume",
        domain=session.domain or session.chosen_domain,
        crew=session.crew,
        goal=session.goal,
        base_ref=session.base_ref,
        limits=session.limits,
        parent=session,
        request_id=request_id,
    )


def set_learning_state(*, user: Person, learning: Learning, state: str, reason: str = "") -> Learning:
    """A person's word on a learning. Confirming lets later sessions read it, so that takes a reviewer."""
    if state not in LearningState.values:
        raise Refused(
            f"A learning cannot be {state[:40]!r}. Choose one of: {', '.join(LearningState.values)}."
        )
    verb = "confirm_learning" if state == LearningState.CONFIRMED else "set_learning_state"
    person = require(user, verb, learning)
    with transaction.atomic():
        row = Learning.objects.select_for_update().get(pk=learning.pk)
        before, row.state = row.state, state
        row.state_by, row.state_at, row.state_reason = person, timezone.now(), reason[:300]
        row.save(update_fields=["state", "state_by", "state_at", "state_reason"])
        audit(person, "set_learning_state", row, before=before, after=state, reason=reason[:300])
    return row


def set_open_isolation(*, user: Person, repo: Repo, allowed: bool) -> Repo:
    """Let sessions of this repo run target code without walls (level L0), or take that back. Who and when is kept."""
    person = require(user, "open_isolation", repo)
    with transaction.atomic():
        repo.open_isolation_by = person if allowed else None
        repo.open_isolation_at = timezone.now() if allowed else None
        repo.save(update_fields=["open_isolation_by", "open_isolation_at"])
        audit(person, "open_isolation", repo, allowed=allowed)
    return repo


def audit(user: Person | None, verb: str, obj: Model, **detail: Any) -> AuditEntry:
    """One line of who did what, in the transaction of the deed itself."""
    return AuditEntry.objects.create(
        actor=signed_in(user) if user is not None else None,
        team=team_of(obj),
        verb=verb,
        object_kind=obj._meta.model_name or "",
        object_id=obj.pk,
        detail=recording.scrub(detail),
    )
