"""Pages, each answered from start to end in one of a few threads that keep their database connections.

Django's own handler gives every request a new thread, a new database connection in it, and a change of threads for
each middleware. The product's views are all plain functions, so nothing is lost by staying in one thread.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import django
from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.db import connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class Pages(ASGIHandler):
    """``threads`` is how many requests are answered at a time; a thread is made when the others are busy."""

    def __init__(self, threads: int) -> None:
        super().__init__()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="page")

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        answer = sync_to_async(self._answer, thread_sensitive=False, executor=self._threads)
        return await answer(request)

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        _keep_connections()
        return self.get_response(request)


def _keep_connections() -> None:
    """Let this thread's connections outlive the request; one that met an error or was left in a transaction is closed.

    The setting that does this for all threads would leave the sockets' connections open, whose threads come and go.
    """
    for connection in connections.all(initialized_only=True):
        connection.close_at = None
        if connection.errors_occurred:
            connection.close()
        connection.close_if_unusable_or_obsolete()


def pages(threads: int) -> Pages:
    """The application, with its apps loaded."""
    django.setup(set_prefix=False)
    return Pages(threads)
