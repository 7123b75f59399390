"""The session row is the queue item, the lease, the heartbeat, the fence and the cancel flag.

Times of leases are database time. A claim is one conditional update under the team's row lock; the slot of a repo is
guarded by a partial unique index; every later write carries owner and token, so a worker that lost its claim writes
nothing. The reaper brings sessions of dead workers to their end.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import (
    Count,
    DateTimeField,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
)
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Coalesce, Now

from sessions_app import processes, recording
from sessions_app.fences import Fence
from sessions_app.models import HELD, Session, Status, Team

__all__ = ["Beat", "Fence", "claim", "look", "reap", "release", "renew"]
LOOKED_AT = 50


@dataclass(frozen=True)
class Beat:
    """One answer of the database to a renewal: claims that are still ours, and those a person wants stopped."""

    mine: frozenset[Fence]
    cancelled: frozenset[int]


def claim(worker: str, *, only: int | None = None) -> Fence | None:
    """Take the next queued session for ``worker`` (an owner text), or only session ``only``; None when none is free.

    Highest priority first, then oldest. Skips repos and teams that already run as many as they may.
    """
    waiting = _startable().order_by("-priority", "pk")
    if only is not None:
        waiting = waiting.filter(pk=only)
    tried: list[int] = []
    while len(tried) < LOOKED_AT:
        # A fresh look each time: what another claim just filled must not cost a transaction for each that waits there.
        next_up = waiting.exclude(pk__in=tried).values_list("pk", "repo__team_id").first()
        if next_up is None:
            return None
        fence = _try(worker, *next_up)
        if fence is not None:
            return fence
        tried.append(next_up[0])
    return None


def _startable() -> QuerySet[Session]:
    """Queued sessions whose repo and team have room. Only a look: it keeps the many that wait for a full repo from
    hiding what could start, and from costing a transaction each; the claim itself checks again under its lock."""
    held = Session.objects.held().order_by()
    of_repo = held.filter(repo=OuterRef("repo")).values("repo").annotate(n=Count("pk")).values("n")
    of_team = held.filter(repo__team=OuterRef("repo__team")).values("repo__team").annotate(n=Count("pk"))
    return Session.objects.filter(
        Q(repo__max_running__gt=Coalesce(Subquery(of_repo), 0)),
        Q(repo__team__max_running__gt=Coalesce(Subquery(of_team.values("n")), 0)),
        status=Status.QUEUED,
        run_after__lte=Now(),
    )


def _try(worker: str, pk: int, team_id: int) -> Fence | None:
    try:
        with transaction.atomic():
            return _claim_one(worker, pk, team_id)
    except IntegrityError:
        return None  # another claim took the slot between our look and our update


def _claim_one(worker: str, pk: int, team_id: int) -> Fence | None:
    # The team's row is the lock under which its limit is counted (SQLite: the transaction itself is).
    team = Team.objects.select_for_update().get(pk=team_id)
    if Session.objects.held().filter(repo__team=team).count() >= team.max_running:
        return None
    slot = _free_slot(pk)
    if slot is None:
        return None
    won = Session.objects.filter(pk=pk, status=Status.QUEUED).update(
        status=Status.PREPARING,
        owner=worker,
        token=F("token") + 1,
        attempts=F("attempts") + 1,
        slot=slot,
        lease_until=lease_end(),
        started=Coalesce(F("started"), Now()),
    )
    if not won:
        return None
    return Fence(pk, worker, Session.objects.values_list("token", flat=True).get(pk=pk))


def _free_slot(pk: int) -> int | None:
    """The lowest slot of the session's repo that nobody holds, or None when the repo runs as many as it may."""
    repo_id, limit = Session.objects.values_list("repo_id", "repo__max_running").get(pk=pk)
    taken = set(Session.objects.held().filter(repo_id=repo_id).values_list("slot", flat=True))
    return next((slot for slot in range(limit) if slot not in taken), None)


def lease_end() -> ExpressionWrapper[CombinedExpression]:
    """Database time plus the length of a lease."""
    length = Value(dt.timedelta(seconds=settings.LIMITS.LEASE_SECONDS))
    return ExpressionWrapper(Now() + length, output_field=DateTimeField())


def renew(worker: str, sessions: Iterable[int]) -> Beat:
    """Extend this worker's leases on ``sessions`` and read which are still its own and which are to stop.

    A database error is not an answer: the caller cannot tell and must neither write nor give up at once.
    """
    mine = Session.objects.filter(owner=worker, status__in=HELD, pk__in=list(sessions))
    mine.update(lease_until=lease_end())
    return look(worker)


def look(worker: str) -> Beat:
    """What ``renew`` reads, without writing."""
    rows = Session.objects.filter(owner=worker, status__in=HELD).values_list(
        "pk", "token", "cancel_requested"
    )
    found = list(rows)
    return Beat(
        mine=frozenset(Fence(pk, worker, token) for pk, token, _ in found),
        cancelled=frozenset(pk for pk, _, wish in found if wish is not None),
    )


def release(fence: Fence, *, status: Status, reason: str, advice: str = "") -> bool:
    """End a session this worker holds without the engine's own end: an event says so. False when it is not ours.

    When the engine had stated its end already, that end stands and nothing is added.
    """
    with transaction.atomic():
        mine = Session.objects.select_for_update().filter(
            pk=fence.session_id, owner=fence.owner, token=fence.token, status__in=HELD
        )
        session = mine.first()
        if session is None:
            return False
        _end(session, Status(status), reason, advice)
    return True


def reap() -> list[int]:
    """End every held session whose worker is gone; returns their ids. Safe to call from any process, at any time."""
    rows = Session.objects.held().values_list("pk", "owner", "token")
    late = set(_expired(seconds=0))
    stuck = set(_expired(seconds=settings.LIMITS.STUCK_SECONDS))
    gone = [(pk, owner, token) for pk, owner, token in rows if _is_gone(owner, pk in late, pk in stuck)]
    return [pk for pk, owner, token in gone if _reap_one(Fence(pk, owner, token))]


def _expired(*, seconds: int) -> Sequence[int]:
    """Held sessions whose lease ran out at least ``seconds`` ago."""
    limit = ExpressionWrapper(Now() - Value(dt.timedelta(seconds=seconds)), output_field=DateTimeField())
    return list(Session.objects.held().filter(lease_until__lt=limit).values_list("pk", flat=True))


def _is_gone(owner_text: str, late: bool, stuck: bool) -> bool:
    """A dead process of this machine is gone at once; one that lives here keeps its claim through a clock jump or a
    locked database and is only given up when stuck; anything elsewhere goes by its lease."""
    owner = processes.parse(owner_text)
    if owner is None:
        return late
    boot, space = processes.machine()
    if owner.boot != boot:
        # A SQLite file is used by one machine only, so another boot means before the last restart.
        return late or connection.vendor == "sqlite"
    if owner.space != space:
        return late
    return not owner.alive or stuck


def _reap_one(fence: Fence) -> bool:
    reason = "The worker that ran this session went away."
    advice = "Kept commits are safe on the session's branch. Resume it to go on from its hand-off."
    return release(fence, status=Status.INTERRUPTED, reason=reason, advice=advice)


def _end(session: Session, status: Status, reason: str, advice: str) -> None:
    ended = session.events.filter(kind="session_ended").order_by("-seq").first()
    if ended is not None:
        recording.finish(session, recording.outcome_of(session, ended), str(ended.body.get("reason") or ""))
        return
    if session.cancel_requested is not None and status == Status.INTERRUPTED:
        status = Status.CANCELLED
    recording.state(session, f"session_{status.value}", {"reason": reason, "advice": advice})
    recording.finish(session, status, reason)
