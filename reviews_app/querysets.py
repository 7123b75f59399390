"""Questions about reviews, by name. Floor 1: beside the models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Exists, OuterRef

from sessions_app.querysets import HEAVY

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

    from reviews_app.models import Decision, Review  # noqa: F401

    User = AbstractBaseUser | AnonymousUser


class ReviewQuerySet(models.QuerySet["Review"]):
    def visible_to(self, user: User) -> ReviewQuerySet:
        return self.filter(session__repo__team__memberships__user_id=user.pk or 0)

    def for_rows(self) -> ReviewQuerySet:
        """With what a row of a list prints of its session, and without that session's long texts and documents."""
        heavy = [f"session__{name}" for name in HEAVY]
        return self.select_related("session__repo", "session__launched_by").defer(*heavy)

    def newest_rounds(self) -> ReviewQuerySet:
        """Only the newest round of each session."""
        from reviews_app.models import Review as Model

        later = Model.objects.filter(session=OuterRef("session"), round__gt=OuterRef("round"))
        return self.filter(~Exists(later))

    def waiting(self) -> ReviewQuerySet:
        """Newest rounds on which nobody has decided for that head yet, oldest first."""
        from reviews_app.models import Decision

        decided = Decision.objects.filter(session=OuterRef("session"), head=OuterRef("head"))
        return self.newest_rounds().filter(~Exists(decided)).order_by("filed")


class DecisionQuerySet(models.QuerySet["Decision"]):
    def visible_to(self, user: User) -> DecisionQuerySet:
        return self.filter(session__repo__team__memberships__user_id=user.pk or 0)

    def for_rows(self) -> DecisionQuerySet:
        """With what a row of a list prints, and without the pull request's text and the session's documents."""
        heavy = [f"session__{name}" for name in HEAVY]
        return self.select_related("session__repo").defer("pull_body", *heavy)

    def on(self, session_id: int, head: str) -> DecisionQuerySet:
        """Decisions taken on one exact head, oldest first."""
        return self.filter(session_id=session_id, head=head).order_by("pk")

    def update(self, **kwargs: Any) -> int:
        raise TypeError("decisions are append only")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise TypeError("decisions are append only")
