"""Databases filled by real sessions, and a real Chromium against a real server."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.conftest import World
from tests.pages import builder


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
