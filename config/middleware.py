"""A page met a database that is away: say so and when to try again, instead of an error page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template import TemplateDoesNotExist
from django.template.loader import render_to_string

RETRY_SECONDS = 5
WORDS = "The database is busy or away. Nothing was changed; try again in a few seconds."
Answer = HttpResponseBase | Awaitable[HttpResponseBase]


class DatabaseAway:
    """Turns a database that cannot be reached or stays locked into 503 with Retry-After."""

    sync_capable = async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Answer]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Answer:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Only what the database itself says about being away; any other fault stays a fault."""
        if not isinstance(error, OperationalError | InterfaceError):
            return None
        answer = HttpResponse(_page(), status=503)
        answer["Retry-After"] = str(RETRY_SECONDS)
        return answer


def _page() -> str:
    """The page of that name when there is one. It must not ask the database for anything."""
    try:
        return render_to_string("503.html", {"words": WORDS})
    except (TemplateDoesNotExist, OperationalError, InterfaceError):
        return f"<!doctype html><title>Busy</title><p>{WORDS}</p>"
