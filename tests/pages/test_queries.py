"""A list asks the database the same number of questions however many rows it prints."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from reviews_app.models import Decision, Review
from sessions_app.models import Session
from tests.pages import builder

LISTS = ("/", "/sessions/", "/reviews/", "/reviews/?tab=decided", "/learnings/", "/repos/")


def _decide(session, user) -> None:
    review = Review.objects.get(session=session)
    Decision.objects.create(
        session=session, review_round=review.round, kind="approved", actor=user, actor_name="bob", role="reviewer",
        head=review.head, report_digest=review.report_digest, results_digest=review.results_digest,
        request_id=uuid.uuid4().hex, hash=uuid.uuid4().hex,
    )  # fmt: skip


def _more(world) -> None:
    """One session each that waits for a decision, is decided, and failed."""
    builder.finished(world.mia, world.repo)
    _decide(builder.finished(world.mia, world.repo), world.bob)
    failed = builder.finished(world.mia, world.repo)
    Session.objects.filter(pk=failed.pk).update(status="failed")


def _asked(client, address: str) -> int:
    with CaptureQueriesContext(connection) as asked:
        assert client.get(address).status_code == 200
    return len(asked)


@pytest.mark.django_db
def test_more_rows_cost_no_more_questions(filled, sign_in):
    client = sign_in(filled.world.bob)
    _more(filled.world)
    few = {address: _asked(client, address) for address in LISTS}
    _more(filled.world)
    _more(filled.world)
    assert {address: _asked(client, address) for address in LISTS} == few
    assert few["/learnings/"] < 20, "its page was full from the start, so a question a row shows here"
