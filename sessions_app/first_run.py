"""What a fresh installation starts with: a team, its administrator, a sample repository and a first session."""

from __future__ import annotations

import datetime as dt
import getpass
import hashlib
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from engine.workspace.planting import plant_repository
from sessions_app import actions
from sessions_app.models import Membership, Repo, Role, Session, SignInLink, Team

LINK_MINUTES = 15
SAMPLE = "shopworks"


def ensure_home() -> tuple[Team, User]:
    """The team and administrator that commands on this machine act as; made on first use, without a password."""
    with transaction.atomic():
        admin = Membership.objects.filter(role=Role.ADMIN, user__is_active=True).order_by("pk").first()
        if admin is not None:
            return admin.team, admin.user
        team, _ = Team.objects.get_or_create(slug="home", defaults={"name": "Home"})
        user, made = User.objects.get_or_create(username=_name())
        if made:
            user.set_unusable_password()
            user.save()
        Membership.objects.update_or_create(team=team, user=user, defaults={"role": Role.ADMIN})
        actions.audit(None, "first run", team, admin=user.username)
    return team, user


def _name() -> str:
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = ""  # a container's user may have no name
    kept = "".join(c for c in name if c.isalnum() or c in "@.+-_")[:100]
    return kept or "admin"


def sign_in_secret(user: User) -> str:
    """The secret of a new one-time sign-in link; only its sha256 is stored and it lasts a quarter of an hour."""
    secret = secrets.token_urlsafe(32)
    SignInLink.objects.create(
        user=user,
        digest=hashlib.sha256(secret.encode()).hexdigest(),
        expires=timezone.now() + dt.timedelta(minutes=LINK_MINUTES),
    )
    return secret


def launch_sample(
    team: Team, user: User, *, domain: str = "", limits: Mapping[str, float] | None = None
) -> Session | None:
    """On an empty database: the sample repository, registered, and its first session. None when there is anything."""
    if Repo.objects.exists() or Session.objects.exists():
        return None
    source = plant_sample()
    if source is None:
        return None
    repo = actions.register_repo(user=user, team=team, source=str(source), name=SAMPLE)
    return actions.launch(user=user, repo=repo, domain=domain, limits=limits)


def launch_source(
    team: Team, user: User, source: str, *, domain: str = "", limits: Mapping[str, float] | None = None
) -> Session:
    """Register a path or address (or find it) and launch a session on it. Raises actions.Refused."""
    repo = actions.register_repo(user=user, team=team, source=source)
    return actions.launch(user=user, repo=repo, domain=domain, limits=limits)


def plant_sample() -> Path | None:
    """Copy the bundled sample into the data folder as a repository of its own; None when the bundle is missing."""
    bundle, home = Path(settings.SAMPLE_DIR) / SAMPLE, Path(settings.DATA_DIR) / "sample"
    planted = home / SAMPLE
    if (planted / ".git").is_dir() or not bundle.is_dir():
        return planted if planted.is_dir() else None
    half = home / f".{SAMPLE}.new"
    shutil.rmtree(half, ignore_errors=True)
    shutil.rmtree(planted, ignore_errors=True)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache", "*.pyc", ".git")
    shutil.copytree(bundle, half, ignore=ignored)
    plant_repository(half, message="Shopworks as it stands")
    return half.rename(planted)
