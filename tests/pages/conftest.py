"""Databases filled by real sessions, and a real Chromium against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.conftest import World
from tests.pages import builder
from tests.pages.browser import ARGS, CHROMIUM, Reader
from tests.store.server import Server


@dataclass
class Filled:
    """The world with a finished, a blocked and a live session of alpha's repo, and a queued one."""

    world: World
    done: object
    blocked: object
    live: object
    queued: object


@pytest.fixture
def filled(world: World) -> Filled:
    from sessions_app import actions
    from sessions_app.models import Repo

    Repo.objects.filter(pk=world.repo.pk).update(max_running=4, conventions="- Money stays `Decimal`")
    type(world.alpha).objects.filter(pk=world.alpha.pk).update(max_running=9)
    builder.worker()
    done = builder.finished(world.mia, world.repo)
    blocked = builder.finished(world.bob, world.repo, verdict="BLOCK")
    live = builder.live(world.mia, world.repo)
    queued = actions.launch(user=world.mia, repo=world.repo, goal="Cut the p95")
    return Filled(world=world, done=done, blocked=blocked, live=live, queued=queued)


@pytest.fixture
def sign_in(client):
    """Signs a user in on the test client and returns the client."""

    def into(user: object):
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return into


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def one_server(django_db_setup: None) -> Iterator[Server]:
    one = Server()
    one.start()
    yield one
    one.kill()


@pytest.fixture
def server(one_server: Server, transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Server:
    # The browser's own event loop lives in this thread; the database calls between its steps are plain ones.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    if not one_server.answers():
        one_server.kill()
        one_server.start()
    return one_server


@pytest.fixture
def reader(browser: Browser, server: Server, filled: Filled) -> Iterator[Reader]:
    window = Reader(browser, server, filled.world.alice, viewport={"width": 1440, "height": 900})
    yield window
    window.context.close()
