"""How many reviews wait for a person: a count in the frame of every page, which is below this app and so told of it."""

from __future__ import annotations

from django.contrib.auth.models import User

from reviews_app.models import Review
from sessions_app import shell


def count(user: User) -> int:
    """The same question the inbox asks, so that the two never differ."""
    return Review.objects.visible_to(user).waiting().order_by().count()


def install() -> None:
    shell.COUNTS["reviews"] = count
