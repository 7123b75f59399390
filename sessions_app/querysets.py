"""Questions about repos, sessions, events, experiments and learnings, by name. Floor 1: beside the models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

    from sessions_app.models import Event, Experiment, Learning, Repo, Session  # noqa: F401

    User = AbstractBaseUser | AnonymousUser


HEAVY = ("limits", "stage_times", "isolation", "fingerprint", "setup", "agents", "goal", "reason")


class RepoQuerySet(models.QuerySet["Repo"]):
    def visible_to(self, user: User) -> RepoQuerySet:
        """Repos of the teams this person belongs to; nothing for anyone signed out."""
        return self.filter(team__memberships__user_id=user.pk or 0)


class SessionQuerySet(models.QuerySet["Session"]):
    def visible_to(self, user: User) -> SessionQuerySet:
        return self.filter(repo__team__memberships__user_id=user.pk or 0)

    def live(self) -> SessionQuerySet:
        return self.filter(status__in=["queued", "preparing", "running", "stopping", "paused", "waiting"])

    def held(self) -> SessionQuerySet:
        return self.filter(status__in=["preparing", "running", "stopping"])

    def newest(self) -> SessionQuerySet:
        return self.order_by("-pk")

    def for_rows(self) -> SessionQuerySet:
        """With what a row of a list prints; without the texts and documents that only a session's page reads."""
        return self.select_related("repo", "launched_by").defer(*HEAVY)


class EventQuerySet(models.QuerySet["Event"]):
    def after(self, session_id: int, seq: int, limit: int = 500) -> EventQuerySet:
        """The next ``limit`` events of one session after ``seq``, in order."""
        return self.filter(session_id=session_id, seq__gt=seq).order_by("seq")[:limit]

    def update(self, **kwargs: Any) -> int:
        raise TypeError("events are append only")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise TypeError("events are append only")


class ExperimentQuerySet(models.QuerySet["Experiment"]):
    def visible_to(self, user: User) -> ExperimentQuerySet:
        return self.filter(session__repo__team__memberships__user_id=user.pk or 0)


class LearningQuerySet(models.QuerySet["Learning"]):
    def visible_to(self, user: User) -> LearningQuerySet:
        """Those of a repo this person may see. Without a join, so that counts are read off an index in its order."""
        from sessions_app.models import Repo

        return self.filter(repo__in=Repo.objects.visible_to(user))

    def given_to(self, repo: Repo) -> LearningQuerySet:
        """Accepted learnings a new session on ``repo`` may be told: its own first, then the team's, newest first."""
        own = models.Case(models.When(repo=repo, then=0), default=1)
        team = self.filter(repo__team=repo.team_id, state="confirmed")
        return team.annotate(own=own).order_by("own", "-pk")
