"""Fills a database with many sessions: one is recorded through the product's own doors, the others are its copies.

What is open is the same however many there are: five sessions are live, three failed of late, eleven reviews wait. A
team's open work does not grow with its history, and pages that print the same rows can be compared.
"""

from __future__ import annotations

import datetime as dt
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import Model
from django.utils import timezone

from reviews_app.models import Decision, Review
from sessions_app import actions, processes, queue, recording
from sessions_app.models import (
    Event,
    Experiment,
    ExperimentDetail,
    Finding,
    Learning,
    Repo,
    Session,
    StateFile,
    Target,
)
from tests import story

AT_ONCE = 25
LIVE, FAILED, WAITING = 6, 9, 19
"""Numbered from the newest, sessions below LIVE are live, then failed, then undecided; from WAITING on decided."""
OLD, FAILED_EVERY, BLOCKED_EVERY = 100, 25, 7
HOURS_APART = 4


def first_session(user: Any, repo: Repo) -> Session:
    """A finished, reviewed session whose every row was projected from recorded events."""
    session = actions.launch(user=user, repo=repo)
    fence = queue.claim(str(processes.me()), only=session.pk)
    assert fence is not None, "the session could not be claimed"
    recording.record(fence, list(story.story(session.pk, time.time() - 9000)))
    session.refresh_from_db()
    return session


class Copier:
    """Copies of one session with all its rows, spread over repos and back in time."""

    def __init__(self, first: Session, repos: Sequence[Repo], user: Any) -> None:
        self.first, self.repos, self.user = first, repos, user
        self.plain: list[list[Any]] = [
            list(model._default_manager.filter(session=first))
            for model in (Event, Target, Finding, Learning, StateFile)
        ]
        self.tries = list(Experiment.objects.filter(session=first))
        self.details = {
            d.experiment_id: d for d in ExperimentDetail.objects.filter(experiment__session=first)
        }
        self.review = Review.objects.get(session=first)
        self.passes = [(each, list(each.findings.all())) for each in self.review.passes.all()]

    def fill(self, until: int) -> None:
        """Until there are that many sessions."""
        numbers = iter(range(Session.objects.count(), until))
        while batch := list(islice(numbers, AT_ONCE)):
            with transaction.atomic():
                self._add(batch)

    def _add(self, numbers: Sequence[int]) -> None:
        sessions = Session.objects.bulk_create([self._session(number) for number in numbers])
        for rows in self.plain:
            _save(_copy(row, session=s, **_repo_of(row, s)) for s in sessions for row in rows)
        tries = _save(_copy(row, session=session) for session in sessions for row in self.tries)
        originals = [row.pk for row in self.tries] * len(sessions)
        pairs = [
            (made, self.details[pk]) for made, pk in zip(tries, originals, strict=True) if pk in self.details
        ]
        _save(_copy(detail, experiment=made) for made, detail in pairs)
        self._add_reviews({s: n for s, n in zip(sessions, numbers, strict=True) if s.status == "finished"})

    def _session(self, number: int) -> Session:
        moved = dt.timedelta(hours=HOURS_APART * number)
        live = number < LIVE
        failed = number < FAILED or (number > OLD and number % FAILED_EVERY == 0)
        status = "running" if live else "failed" if failed else "finished"
        when = {name: getattr(self.first, name) - moved for name in ("created", "started")}
        repo = self.repos[number % len(self.repos)]
        ended = None if live else self.first.ended - moved if self.first.ended else None
        return _copy(self.first, repo=repo, status=status, ended=ended, **when)

    def _add_reviews(self, sessions: Mapping[Session, int]) -> None:
        reviews = _save(_copy(self.review, session=each, filed=each.ended) for each in sessions)
        passes = _save(_copy(old, review=review) for review in reviews for old, _ in self.passes)
        per_pass = [findings for _ in reviews for _, findings in self.passes]
        pairs = zip(passes, per_pass, strict=True)
        _save(_copy(old, review_pass=made) for made, findings in pairs for old in findings)
        _save(self._decision(each, number) for each, number in sessions.items() if number >= WAITING)

    def _decision(self, session: Session, number: int) -> Decision:
        return Decision(
            session=session,
            review_round=self.review.round,
            kind="approved" if number % BLOCKED_EVERY else "blocked",
            actor=self.user,
            actor_name=self.user.username,
            role="admin",
            reason="It was read.",
            head=self.review.head,
            report_digest=self.review.report_digest,
            results_digest=self.review.results_digest,
            request_id=uuid.uuid4().hex,
            created=session.ended or timezone.now(),
            hash=uuid.uuid4().hex,
        )


def _repo_of(row: Model, session: Session) -> dict[str, Any]:
    return {"repo": session.repo} if isinstance(row, Learning) else {}


def _copy(row: Any, **changed: Any) -> Any:
    """A new, unsaved row with the same values but for what is changed."""
    fields = [field for field in row._meta.concrete_fields if not field.primary_key]
    made = type(row)(**{field.attname: getattr(row, field.attname) for field in fields})
    for name, value in changed.items():
        setattr(made, name, value)
    return made


def _save(rows: Iterator[Any]) -> list[Any]:
    listed = list(rows)
    return type(listed[0])._default_manager.bulk_create(listed, batch_size=500) if listed else []
