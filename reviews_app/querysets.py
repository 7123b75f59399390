"""Questions about reviews, by name. Floor 1: beside the models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Exists, OuterRef

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

    from reviews_app.models import Review  # noqa: F401

    User = AbstractBaseUser | AnonymousUser


class ReviewQuerySet(models.QuerySet["Review"]):
    def visible_to(self, user: User) -> ReviewQuerySet:
        return self.filter(session__repo__team__memberships__user_id=user.pk)

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
