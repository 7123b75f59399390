"""Every address answers by role: signed out goes to the sign-in, another team's objects are not there."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from django.urls import URLPattern, get_resolver, reverse
from django.utils import timezone

from tests.pages.conftest import Filled

PLAIN = [
    "home", "repos", "repo-new", "session-list", "session-launch", "session-checks", "session-compare", "learnings",
    "reviews", "workers", "more", "patterns", "jump",
]  # fmt: skip
OF_SESSION = [
    "session",
    "session-events",
    "review",
    "review-changes",
    "session-export",
    "session-panel",
    "experiment",
    "state-file",
]
POSTS = ["session-cancel", "session-resume", "decide", "bring-home", "learning-state"]
OPEN = {"sign-in", "sign-in-link", "sign-out"}


def address(name: str, filled: Filled) -> str:
    done = filled.done.pk
    args = {
        "repo": [filled.world.repo.pk], "session": [done], "session-events": [done], "review": [done], "decide": [done],
        "review-changes": [done], "bring-home": [done],
        "session-cancel": [filled.queued.pk], "session-resume": [done], "session-export": [done, "csv"],
        "session-panel": [done, "chart"], "experiment": [done, 12], "state-file": [done, "results.tsv"],
        "learning-state": [filled.done.learnings.first().pk], "session-list-export": ["csv"], "sign-in-link": ["x"],
    }  # fmt: skip
    return reverse(name, args=args.get(name, []))


def test_every_address_is_in_these_tests() -> None:
    named = {
        p.name
        for r in get_resolver().url_patterns
        for p in getattr(r, "url_patterns", [r])
        if isinstance(p, URLPattern)
    }
    ours = {*PLAIN, *OF_SESSION, *POSTS, *OPEN, "repo", "session-list-export"}
    assert {name for name in named if name} <= ours


def test_signed_out_people_are_sent_to_the_sign_in(filled: Filled, client) -> None:
    for name in [*PLAIN, *OF_SESSION, *POSTS, "repo", "session-list-export"]:
        for method in (client.get, client.post):
            answer = method(address(name, filled))
            assert answer.status_code == 302 and answer["Location"].startswith("/sign-in/"), (name, method)


@pytest.mark.parametrize("role", ["vic", "mia", "bob", "alice"])
def test_every_page_opens_for_every_role_of_the_team(filled: Filled, sign_in, role: str) -> None:
    client = sign_in(getattr(filled.world, role))
    for name in [*PLAIN, *OF_SESSION, "repo", "session-list-export"]:
        answer = client.get(address(name, filled))
        assert answer.status_code == (400 if name == "session-compare" else 200), (name, answer.status_code)
    for name in ("facts", "rail", "lanes", "chart", "experiments", "targets"):
        for one in (filled.live, filled.queued, filled.done):
            assert client.get(reverse("session-panel", args=[one.pk, name])).status_code == 200
    for one in (filled.live, filled.queued, filled.blocked):
        for name in ("session", "review", "session-events"):
            assert client.get(reverse(name, args=[one.pk])).status_code == 200


def test_another_team_sees_nothing_and_cannot_tell_it_exists(filled: Filled, sign_in) -> None:
    client = sign_in(filled.world.charlie)
    for name in [*OF_SESSION, "repo"]:
        assert client.get(address(name, filled)).status_code == 404, name
    for name in POSTS:
        assert client.post(address(name, filled), {"state": "confirmed"}).status_code == 404, name
    for name in ("home", "session-list", "reviews", "learnings", "repos"):
        page = client.get(reverse(name)).content.decode()
        assert "Optimize" not in page and ">shopworks<" not in page, name
    assert (
        client.get(
            reverse("session-compare") + f"?session={filled.done.pk}&session={filled.live.pk}"
        ).status_code
        == 400
    )


def test_a_viewer_may_look_but_not_act(filled: Filled, sign_in) -> None:
    client = sign_in(filled.world.vic)
    client.post(reverse("session-cancel", args=[filled.queued.pk]))
    client.post(reverse("session-resume", args=[filled.done.pk]))
    filled.queued.refresh_from_db()
    assert filled.queued.status == "queued" and filled.done.children.count() == 0
    answer = client.post(reverse("decide", args=[filled.done.pk]), decision(filled.done))
    assert answer.status_code == 403 and filled.done.decisions.count() == 0
    page = client.get(reverse("session", args=[filled.live.pk])).content.decode()
    assert "Stop session" not in page


def decision(session, **changes: str) -> dict[str, str]:
    review = session.reviews.first()
    form = {
        "kind": "changes_requested", "reason": "Name the rounding mode.", "head": session.head,
        "report_digest": review.report_digest, "results_digest": session.results_digest, "request_id": "one",
        "read": "1",
    }  # fmt: skip
    return {**form, **changes}


def test_a_sign_in_link_works_once_and_looking_spends_nothing(world, client) -> None:
    from sessions_app.models import SignInLink

    digest = hashlib.sha256(b"secret").hexdigest()
    SignInLink.objects.create(user=world.alice, digest=digest, expires=timezone.now() + timedelta(minutes=5))
    where = reverse("sign-in-link", args=["secret"])
    assert client.get(where).status_code == 200 and client.get(where).status_code == 200
    assert client.post(where)["Location"] == "/"
    assert client.get("/").status_code == 200
    assert client.get(where).status_code == 410 and client.post(where).status_code == 410
    assert client.get(reverse("sign-in-link", args=["wrong"])).status_code == 410


def test_a_link_that_ran_out_does_not_sign_in(world, client) -> None:
    from sessions_app.models import SignInLink

    digest = hashlib.sha256(b"late").hexdigest()
    SignInLink.objects.create(user=world.alice, digest=digest, expires=timezone.now() - timedelta(seconds=1))
    assert client.post(reverse("sign-in-link", args=["late"])).status_code == 410
    assert client.get("/").status_code == 302


def test_refusals_are_pages_of_the_product(filled: Filled, sign_in, client) -> None:
    assert b"There is no such page" in client.get("/nowhere/").content
    signed = sign_in(filled.world.alice)
    assert b"There is no such page" in signed.get("/sessions/999999/").content
    signed.handler.enforce_csrf_checks = True
    assert b"This form is too old" in signed.post(reverse("repo-new"), {"source": "/x"}).content
