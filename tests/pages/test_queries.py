"""A list asks the database the same number of questions however many rows it prints."""

from __future__ import annotations

import re
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from reviews_app.models import Decision
from sessions_app import actions
from sessions_app.models import Session
from tests.pages import builder

LISTS = ("/", "/sessions/", "/reviews/", "/reviews/?tab=decided", "/learnings/", "/repos/")
AT_MOST = {"/": 17, "/sessions/": 9, "/reviews/": 13, "/learnings/": 10}
"""What a page may ask, with who is asking, what they may see and the frame around it."""
DOCUMENT = '"sessions_app_session"."agents"'
"""A column only a session's own page prints; it can be larger than all that a row of a list prints."""


def _decide(session, user, *, head: str = "") -> None:
    review = session.reviews.first()
    Decision.objects.create(
        session=session, review_round=review.round, kind="approved", actor=user, actor_name="bob", role="reviewer",
        head=head or review.head, report_digest=review.report_digest, results_digest=review.results_digest,
        request_id=uuid.uuid4().hex, hash=uuid.uuid4().hex,
    )  # fmt: skip


def _more(world) -> None:
    """One session each that waits for a decision, is decided, failed, and waits for a worker."""
    builder.finished(world.mia, world.repo)
    _decide(builder.finished(world.mia, world.repo), world.bob)
    failed = builder.finished(world.mia, world.repo)
    Session.objects.filter(pk=failed.pk).update(status="failed")
    actions.launch(user=world.mia, repo=world.repo)


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
    assert {address: few[address] <= most for address, most in AT_MOST.items()} == dict.fromkeys(
        AT_MOST, True
    ), few


@pytest.mark.django_db
def test_a_list_reads_no_document_of_a_session(filled, sign_in):
    client = sign_in(filled.world.bob)
    _more(filled.world)
    with CaptureQueriesContext(connection) as asked:
        for address in LISTS:
            client.get(address)
    assert not [query["sql"] for query in asked if DOCUMENT in query["sql"]]


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "sqlite", reason="another database words its plans in another way")
def test_the_facets_are_counted_from_an_index_alone(filled, sign_in):
    client = sign_in(filled.world.bob)
    with CaptureQueriesContext(connection) as asked:
        client.get("/learnings/")
    [counting] = [query["sql"] for query in asked if "GROUP BY 1, 2, 3" in query["sql"]]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {counting}")
        plan = "\n".join(row[3] for row in cursor.fetchall())
    assert "COVERING INDEX learning_facets" in plan and "TEMP B-TREE" not in plan


@pytest.mark.django_db
def test_the_frame_and_the_tabs_count_the_same_reviews(filled, sign_in):
    world = filled.world
    _more(world)
    moved = builder.finished(world.mia, world.repo)
    _decide(moved, world.bob, head="0" * 40)
    page = sign_in(world.bob).get("/reviews/").content.decode()
    # Waiting: the two of the start, one more, and the one whose decision was on an older head, which is stale too.
    assert _tabs(page) == {"waiting": 5, "running": 0, "stale": 1, "decided": 1}
    assert re.search(r'count warn">(\d+)<span class="sr"> waiting', page)[1] == "5"
    assert _tabs(sign_in(world.charlie).get("/reviews/").content.decode()) == dict.fromkeys(_tabs(page), 0)


def _tabs(page: str) -> dict[str, int]:
    found = re.findall(r'<a href="\?tab=(\w+)".*?<span class="count[^>]*>(\d+)', page)
    return {key: int(n) for key, n in found}


@pytest.mark.django_db
def test_each_facet_counts_what_the_words_leave(filled, sign_in):
    client = sign_in(filled.world.bob)
    done = filled.done
    one = done.learnings.order_by("pk").first()
    done.learnings.filter(pk=one.pk).update(claim="A zebra crossing", state="confirmed", domain="memory")
    done.learnings.exclude(pk=one.pk).filter(domain="memory").update(domain="cpu")
    page = client.get("/learnings/?q=zebra").context
    every = sum(session.learnings.count() for session in (done, filled.blocked, filled.live))
    assert (page["page"].paginator.count, page["without_filters"], page["total"]) == (1, 1, every)
    assert _counts(page, "state") == {"confirmed": 1} and _counts(page, "domain") == {"memory": 1}
    other = client.get("/learnings/?q=zebra&state=proposed").context
    assert (other["page"].paginator.count, other["without_filters"]) == (0, 1)
    narrow = client.get(f"/learnings/?state=confirmed&domain=memory&repo={done.repo_id}").context
    assert [row.pk for row in narrow["page"]] == [one.pk] and narrow["page"].paginator.count == 1
    assert narrow["proposed"] == every - 1


def _counts(context, name: str) -> dict[str, int]:
    [facet] = [facet for facet in context["facets"] if facet["name"] == name]
    return {key: n for key, _, n, _ in facet["options"] if n}


@pytest.mark.django_db
def test_the_places_of_one_question_are_those_of_the_queue(filled, sign_in):
    world = filled.world
    later, first = (actions.launch(user=world.mia, repo=world.repo) for _ in range(2))
    Session.objects.filter(pk=first.pk).update(priority=1)
    live = sign_in(world.bob).get("/").context["live"]
    assert {row["session"].pk: row["place"] for row in live if row["place"]} == {
        first.pk: 1,
        filled.queued.pk: 2,
        later.pk: 3,
    }
