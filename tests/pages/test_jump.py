"""The command bar finds what a person may see, by words or by number, and nothing of another team."""

from __future__ import annotations

from html import unescape

import pytest
from django.urls import reverse

from tests.pages.conftest import Filled


def asked(client, text: str) -> str:
    answer = client.get(reverse("jump"), {"q": text})
    assert answer.status_code == 200
    return unescape(answer.content.decode())


@pytest.mark.django_db
def test_words_find_sessions_repos_experiments_and_learnings(filled: Filled, sign_in) -> None:
    client = sign_in(filled.world.mia)
    by_repo = asked(client, "shopw")
    assert (
        f'href="/repos/{filled.world.repo.pk}/"' in by_repo
        and f'href="/sessions/{filled.live.pk}/"' in by_repo
    )
    assert "Launch a session on shopworks" in by_repo
    by_change = asked(client, "bitmask tags")
    assert f'href="/sessions/{filled.live.pk}/experiments/12/"' in by_change
    assert "Test rule tags with one bitmask pays on RuleIndex.match_rules" in by_change
    assert f'href="/sessions/{filled.queued.pk}/"' in asked(client, "p95"), "a goal's words count"


@pytest.mark.django_db
def test_a_number_finds_that_session_first(filled: Filled, sign_in) -> None:
    found = asked(sign_in(filled.world.mia), f"#{filled.done.pk}")
    assert found.index("/sessions/") == found.index(f"/sessions/{filled.done.pk}/")


@pytest.mark.django_db
def test_every_word_must_match_and_none_is_said(filled: Filled, sign_in) -> None:
    client = sign_in(filled.world.mia)
    assert "has these words" in asked(client, "bitmask zebra")
    assert "has these words" not in asked(client, "b") and "href" not in asked(client, "b")


@pytest.mark.django_db
def test_another_team_finds_none_of_it(filled: Filled, sign_in) -> None:
    client = sign_in(filled.world.charlie)
    for text in ("shopw", "bitmask", "quote", str(filled.done.pk), f"#{filled.live.pk}"):
        assert "href" not in asked(client, text), text


@pytest.mark.django_db
def test_a_viewer_is_not_offered_to_launch(filled: Filled, sign_in) -> None:
    assert "Launch a session" not in asked(sign_in(filled.world.vic), "shopw")
