"""Who may reach what. Every object is found through a person's teams; one table says which role may use which verb.

A missing object and another team's object answer alike (``Http404``), so that nobody can probe for what exists.
"""

from __future__ import annotations

from typing import TypeVar, cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404

from sessions_app.models import Experiment, Learning, Membership, Repo, Role, Session, Team

Person = AbstractBaseUser | AnonymousUser
Row = TypeVar("Row", bound=Model)

RANK: dict[str, int] = {Role.VIEWER: 0, Role.MEMBER: 1, Role.REVIEWER: 2, Role.ADMIN: 3}
VERBS: dict[str, str] = {
    "view": Role.VIEWER,
    "register": Role.MEMBER,
    "launch": Role.MEMBER,
    "cancel": Role.MEMBER,
    "resume": Role.MEMBER,
    "set_learning_state": Role.MEMBER,
    "confirm_learning": Role.REVIEWER,
    "decide": Role.REVIEWER,
    "open_isolation": Role.ADMIN,
    "manage": Role.ADMIN,
}
"""Verb -> the lowest role of the object's team that may use it."""


def signed_in(user: Person) -> User:
    """The user row behind a request; raises PermissionDenied for nobody and for a deactivated account."""
    if not user.is_authenticated or not user.is_active:
        raise PermissionDenied("Sign in first.")
    return cast(User, user)


def team_of(obj: Model) -> Team:
    """The team an object belongs to: every object has exactly one."""
    if isinstance(obj, Team):
        return obj
    if isinstance(obj, Repo):
        return obj.team
    if isinstance(obj, Session | Learning):
        return obj.repo.team
    if isinstance(obj, Experiment):
        return obj.session.repo.team
    raise TypeError(f"{type(obj).__name__} belongs to no team")


def role_in(user: Person, team: Team) -> str | None:
    """The person's role in that team, or None when they are not in it."""
    if not user.is_authenticated or not user.is_active:
        return None
    return Membership.objects.filter(team=team, user_id=user.pk).values_list("role", flat=True).first()


def roles_of(user: Person) -> dict[int, str]:
    """The person's role by team id, for pages that ask ``allows`` for many rows."""
    if not user.is_authenticated or not user.is_active:
        return {}
    return dict(Membership.objects.filter(user_id=user.pk).values_list("team_id", "role"))


def allows(role: str | None, verb: str) -> bool:
    """Whether a role (None: not in the team) may use ``verb``; an unknown verb is a KeyError, never a yes."""
    needed = RANK[VERBS[verb]]
    return role is not None and RANK[role] >= needed


def can(user: Person, verb: str, obj: Model) -> bool:
    """Whether this person may use ``verb`` on ``obj``; an unknown verb is a KeyError, never a yes."""
    return allows(role_in(user, team_of(obj)), verb)


def require(user: Person, verb: str, obj: Model) -> User:
    """Like ``can`` but raises PermissionDenied with the role it takes; returns the signed-in user."""
    person = signed_in(user)
    if not can(person, verb, obj):
        words = verb.replace("_", " ")
        raise PermissionDenied(f"To {words} here, your role must be {VERBS[verb]} or higher.")
    return person


def get_team(user: Person) -> Team:
    """The person's team: the first one they joined. Http404 for someone without a team."""
    team = Team.objects.filter(memberships__user_id=user.pk or 0).order_by("memberships__pk").first()
    return _found(team)


def get_repo(user: Person, pk: int) -> Repo:
    return _found(Repo.objects.visible_to(user).select_related("team").filter(pk=pk).first())


def get_session(user: Person, pk: int) -> Session:
    rows = Session.objects.visible_to(user).select_related("repo__team", "launched_by", "parent")
    return _found(rows.filter(pk=pk).first())


def get_experiment(user: Person, session_pk: int, number: int) -> Experiment:
    rows = Experiment.objects.visible_to(user).select_related("session__repo__team", "detail")
    return _found(rows.filter(session_id=session_pk, number=number).first())


def get_learning(user: Person, pk: int) -> Learning:
    rows = Learning.objects.visible_to(user).select_related("repo__team", "session")
    return _found(rows.filter(pk=pk).first())


def _found(row: Row | None) -> Row:
    if row is None:
        raise Http404("There is no such page, or it belongs to another team.")
    return row
