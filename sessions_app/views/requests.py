"""What several pages share: the signed-in person, page numbers, choices from a query, refusals as messages."""

from __future__ import annotations

from collections.abc import Container
from typing import Any, cast

from django.contrib.auth.models import User
from django.core.paginator import Page, Paginator
from django.http import HttpRequest


def person(request: HttpRequest) -> User:
    """The signed-in person; every page but the sign-in ones has one."""
    return cast(User, request.user)


def choice(request: HttpRequest, name: str, allowed: Container[str], default: str = "") -> str:
    """A value of the query when it is one of ``allowed``; anything else is the default."""
    value = request.GET.get(name, "")
    return value if value in allowed else default


def page_of(
    request: HttpRequest, rows: Any, size: int, count: int | None = None, shown: Any = None
) -> Page[Any]:
    """The asked-for page; a bad or too large number answers the nearest page that exists.

    ``count`` saves the question how many rows there are to those who know. Only keys go through the sort; the rows,
    which may be wide, are read for the page alone. ``shown`` is what to read by those keys, in the same order, when
    ``rows`` is filtered in ways that cost much to ask twice.
    """
    keys = Paginator(rows.values("pk"), size)
    if count is not None:
        keys.count = count
    page = keys.get_page(request.GET.get("page"))
    page.object_list = list((rows if shown is None else shown).filter(pk__in=page.object_list))
    return page


def whole(value: str | None) -> int | None:
    """A whole number of a query or form, or None: never an error page for a mistyped address."""
    text = (value or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
