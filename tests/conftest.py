"""Fixtures every test of the apps may use: two teams, their people, a repo and a session of each."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

GIT_ENV = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_AUTHOR_DATE": "2026-01-05T10:00:00Z",
    "GIT_COMMITTER_DATE": "2026-01-05T10:00:00Z",
}


def git(where: Path, *args: str) -> str:
    """Run git for a test's own set-up; returns what it printed."""
    done = subprocess.run(["git", *args], cwd=where, env=GIT_ENV, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def make_repo(where: Path, files: dict[str, str] | None = None) -> Path:
    """A real git repository with one commit on ``main``."""
    where.mkdir(parents=True)
    git(where, "init", "-q", "-b", "main")
    for name, text in (files or {"pkg/__init__.py": "def one():\n    return 1\n"}).items():
        path = where / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    git(where, "add", "-A")
    git(where, "commit", "-q", "-m", "First commit")
    return where


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_repo(tmp_path / "shopworks")


@dataclass
class World:
    """Team alpha: alice (admin), bob (reviewer), mia (member), vic (viewer). Team beta: charlie (admin)."""

    alpha: object
    beta: object
    alice: object
    bob: object
    mia: object
    vic: object
    charlie: object
    repo: object
    other_repo: object


@pytest.fixture
def world(db: None, source: Path) -> World:
    from django.conf import settings
    from django.contrib.auth.models import User

    from sessions_app.models import Membership, Repo, Team

    # Rolled-back databases give the same session numbers again; their folders must not meet.
    shutil.rmtree(Path(settings.DATA_DIR) / "sessions", ignore_errors=True)
    alpha = Team.objects.create(name="Alpha", slug="alpha")
    beta = Team.objects.create(name="Beta", slug="beta")
    people = {}
    for name, team, role in [
        ("alice", alpha, "admin"),
        ("bob", alpha, "reviewer"),
        ("mia", alpha, "member"),
        ("vic", alpha, "viewer"),
        ("charlie", beta, "admin"),
    ]:
        people[name] = User.objects.create_user(name, password=None)
        Membership.objects.create(team=team, user=people[name], role=role)
    repo = Repo.objects.create(team=alpha, name="shopworks", source=str(source), default_ref="main")
    other = Repo.objects.create(team=beta, name="other", source=str(source), default_ref="main")
    return World(alpha=alpha, beta=beta, repo=repo, other_repo=other, **people)


@pytest.fixture
def launched(world: World):
    """A queued session of alpha's repo, launched by mia."""
    from sessions_app import actions

    return actions.launch(user=world.mia, repo=world.repo)
