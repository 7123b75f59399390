"""How the web process answers pages: in threads that keep their database connection and mend a broken one."""

from __future__ import annotations

import asyncio

import pytest
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.db import DatabaseError, connection, connections
from django.db.backends.signals import connection_created

from config.pages import Pages

pytestmark = pytest.mark.django_db(transaction=True)


def _scope(path: str, cookie: str) -> dict[str, object]:
    return {
        "type": "http", "http_version": "1.1", "method": "GET", "path": path, "raw_path": path.encode(),
        "query_string": b"", "scheme": "http", "server": ("127.0.0.1", 80),
        "headers": [(b"host", b"127.0.0.1"), (b"cookie", cookie.encode())],
    }  # fmt: skip


async def _get(pages: Pages, path: str, cookie: str = "") -> int:
    asked = ApplicationCommunicator(pages, _scope(path, cookie))
    await asked.send_input({"type": "http.request", "body": b"", "more_body": False})
    status = (await asked.receive_output(20))["status"]
    while (await asked.receive_output(20)).get("more_body"):
        pass
    await asked.wait(20)
    return int(status)


async def _get_all(pages: Pages, paths: list[str], cookie: str) -> list[int]:
    return [await _get(pages, path, cookie) for path in paths]


@pytest.fixture
def cookie(world, client) -> str:
    client.force_login(world.mia, backend="django.contrib.auth.backends.ModelBackend")
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


@pytest.fixture
def pages():
    made = Pages(threads=1)
    yield made
    made._threads.submit(connections.close_all).result()
    made._threads.shutdown()


@pytest.fixture
def opened():
    made: list[object] = []

    def note(connection, **_: object) -> None:
        made.append(connection)

    connection_created.connect(note)
    yield made
    connection_created.disconnect(note)


def test_a_page_finds_the_connection_of_the_page_before(pages, cookie, opened) -> None:
    found = asyncio.run(_get_all(pages, ["/", "/sessions/", "/reviews/", "/learnings/"], cookie))
    assert found == [200] * 4
    assert len(opened) == 1


def test_a_connection_that_was_left_in_a_transaction_is_not_used_again(pages, cookie, opened) -> None:
    def leave_open() -> None:
        connection.set_autocommit(False)

    assert asyncio.run(_get(pages, "/", cookie)) == 200
    pages._threads.submit(leave_open).result()
    assert asyncio.run(_get(pages, "/", cookie)) == 200
    assert len(opened) == 2


def test_a_connection_that_met_an_error_is_opened_anew(pages, cookie, opened) -> None:
    def fail() -> None:
        with pytest.raises(DatabaseError), connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM nowhere")

    assert asyncio.run(_get(pages, "/", cookie)) == 200
    pages._threads.submit(fail).result()
    assert len(opened) == 1
    assert asyncio.run(_get(pages, "/", cookie)) == 200
    assert len(opened) == 2


def test_signed_out_people_still_come_to_the_sign_in(pages) -> None:
    assert asyncio.run(_get(pages, "/sessions/")) == 302
    assert asyncio.run(_get(pages, "/nowhere/")) in (302, 404)
