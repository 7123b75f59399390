"""What a person does on the pages: launch, stop, resume, decide, state a learning, register, filter, take away."""

from __future__ import annotations

import csv
import io
import json
import re

from django.urls import reverse

from sessions_app import folders
from sessions_app.models import Event, Learning, Repo, Session
from tests.conftest import World, git, make_repo
from tests.pages.conftest import Filled
from tests.pages.test_access import decision


def launch_form(repo: Repo, **changes: object) -> dict[str, object]:
    form = {"repo": repo.pk, "mode": "start", "domain": "", "crew": "builtin", "hours": "2", "experiments": "20",
            "plateau": "4", "request_id": "form-1", "goal": "Cut the p95", "base_ref": ""}  # fmt: skip
    return {**form, **changes}


def test_launching_queues_one_session_however_often_the_form_is_sent(world: World, sign_in) -> None:
    client = sign_in(world.mia)
    first = client.post(reverse("session-launch"), launch_form(world.repo))
    again = client.post(reverse("session-launch"), launch_form(world.repo))
    session = Session.objects.get()
    assert first["Location"] == again["Location"] == session.get_absolute_url()
    assert (
        session.limits["wall_seconds"] == 7200
        and session.limits["plateau"] == 4
        and session.goal == "Cut the p95"
    )


def test_a_wrong_launch_keeps_what_was_typed_and_says_which_field(world: World, sign_in) -> None:
    answer = sign_in(world.mia).post(
        reverse("session-launch"), launch_form(world.repo, plateau="0", crew="claude")
    )
    page = answer.content.decode()
    assert answer.status_code == 400 and not Session.objects.exists()
    assert "Use 1 or more" in page and "not set up on this machine" in page and "Cut the p95" in page
    assert 'aria-invalid="true"' in page


def test_launching_on_another_teams_repo_is_refused(world: World, sign_in) -> None:
    answer = sign_in(world.mia).post(reverse("session-launch"), launch_form(world.other_repo))
    assert answer.status_code == 400 and not Session.objects.exists()


def test_resuming_without_a_session_says_so(world: World, sign_in) -> None:
    answer = sign_in(world.mia).post(reverse("session-launch"), launch_form(world.repo, mode="resume"))
    assert b"Say which session to resume" in answer.content


def test_checks_say_what_is_known_and_what_is_not(filled: Filled, sign_in) -> None:
    page = (
        sign_in(filled.world.mia)
        .get(reverse("session-checks") + f"?repo={filled.world.repo.pk}")
        .content.decode()
    )
    assert "Repo can be cloned" in page and "412 tests passed" in page and "Level L2, bubblewrap" in page
    Repo.objects.filter(pk=filled.world.repo.pk).update(source="/nonexistent/repo")
    page = (
        sign_in(filled.world.mia)
        .get(reverse("session-checks") + f"?repo={filled.world.repo.pk}")
        .content.decode()
    )
    assert "Fail" in page


def test_stopping_and_resuming(filled: Filled, sign_in) -> None:
    client = sign_in(filled.world.mia)
    assert client.post(reverse("session-cancel", args=[filled.queued.pk])).status_code == 302
    filled.queued.refresh_from_db()
    assert filled.queued.status == "cancelled"
    answer = client.post(reverse("session-resume", args=[filled.queued.pk]))
    later = filled.queued.children.get()
    assert answer["Location"] == later.get_absolute_url() and later.mode == "resume"


def test_a_running_session_shows_stopping_until_its_worker_confirms(filled: Filled, sign_in) -> None:
    client = sign_in(filled.world.mia)
    client.post(reverse("session-cancel", args=[filled.live.pk]))
    page = client.get(filled.live.get_absolute_url()).content.decode()
    assert "Stopping" in page and "Stop session" not in page


def test_deciding_is_bound_to_what_was_on_the_screen(filled: Filled, sign_in) -> None:
    client = sign_in(filled.world.bob)
    page = client.get(reverse("review", args=[filled.done.pk])).content.decode()
    for value in (filled.done.head, filled.done.results_digest, filled.done.reviews.first().report_digest):
        assert f'value="{value}"' in page
    form = decision(filled.done)
    Session.objects.filter(pk=filled.done.pk).update(results_digest="f" * 64)
    answer = client.post(reverse("decide", args=[filled.done.pk]), form)
    page = answer.content.decode()
    assert answer.status_code == 409 and filled.done.decisions.count() == 0
    assert "The results changed" in page and "Name the rounding mode." in page and "Changed" in page
    assert f'value="{"f" * 64}"' in page  # the next try is bound to what is there now


def test_approving_needs_the_word_that_open_findings_were_read(filled: Filled, sign_in) -> None:
    """Also of a browser that runs no script; the other two decisions do not ask for it."""
    session, client = filled.done, sign_in(filled.world.bob)
    assert session.reviews.first().passes.filter(findings__state="open").exists()
    form = decision(session, kind="approved", read="")
    answer = client.post(reverse("decide", args=[session.pk]), form)
    assert answer.status_code == 400 and session.decisions.count() == 0
    page = answer.content.decode()
    assert "Read the open findings and tick the box" in page and "Name the rounding mode." in page
    assert client.post(reverse("decide", args=[session.pk]), {**form, "kind": "blocked"}).status_code == 302
    assert session.decisions.get().kind == "blocked"


def test_requesting_changes_opens_the_next_session(filled: Filled, sign_in) -> None:
    client = sign_in(filled.world.bob)
    answer = client.post(reverse("decide", args=[filled.done.pk]), decision(filled.done))
    later = filled.done.children.get()
    assert answer["Location"] == later.get_absolute_url() and later.reason == "Name the rounding mode."
    page = client.get(reverse("review", args=[filled.done.pk])).content.decode()
    assert "Changes requested by bob" in page and f"session {later.pk}" in page


def test_a_branch_that_could_not_come_home_is_brought_again(filled: Filled, sign_in, source) -> None:
    session, client = filled.done, sign_in(filled.world.bob)
    git(source, "checkout", "-q", "-b", session.branch)
    git(source, "commit", "-q", "--allow-empty", "-m", "Try 1")
    head = git(source, "rev-parse", "HEAD")
    clone = folders.clone_of(session.pk)
    clone.parent.mkdir(parents=True, exist_ok=True)
    git(source, "clone", "-q", "--bare", str(source), str(away := clone.with_name("away.git")))
    git(source, "checkout", "-q", "main")
    git(source, "branch", "-q", "-D", session.branch)
    Session.objects.filter(pk=session.pk).update(head=head)
    session.reviews.update(head=head)
    session.refresh_from_db()
    client.post(reverse("decide", args=[session.pk]), decision(session, kind="approved"))
    review = reverse("review", args=[session.pk])
    page = client.get(review).content.decode()
    assert "no branch there has moved." in page and "<summary>What was said</summary>" in page
    assert "git fetch" not in page.split("<details")[0] and page.count("Bring it home again") == 1
    away.rename(clone)
    for who, status in ((filled.world.vic, 403), (filled.world.bob, 302)):
        assert sign_in(who).post(reverse("bring-home", args=[session.pk])).status_code == status
    assert git(source, "rev-parse", session.branch) == head
    page = client.get(review).content.decode()
    assert "The branch is home" in page and "could not be brought home" not in page
    assert "Bring it home again" not in page


def test_nothing_comes_home_that_nobody_approved(filled: Filled, sign_in) -> None:
    client = sign_in(filled.world.bob)
    where = reverse("bring-home", args=[filled.done.pk])
    answer = client.post(where)
    assert answer.status_code == 409 and b"Nobody has approved this head yet." in answer.content
    client.post(reverse("decide", args=[filled.done.pk]), decision(filled.done, kind="blocked"))
    answer = client.post(where)
    assert answer.status_code == 409 and b"Only an approved branch is brought home." in answer.content


def test_a_decision_needs_a_reason_and_a_choice(filled: Filled, sign_in) -> None:
    client = sign_in(filled.world.bob)
    where = reverse("decide", args=[filled.done.pk])
    assert b"Say why" in client.post(where, decision(filled.done, reason="")).content
    assert b"Choose approve" in client.post(where, decision(filled.done, kind="")).content
    assert filled.done.decisions.count() == 0


def test_approve_is_off_while_something_critical_is_open(filled: Filled, sign_in) -> None:
    client = sign_in(filled.world.alice)
    page = client.get(reverse("review", args=[filled.blocked.pk])).content.decode()
    assert re.search(r'value="approved"[^>]*disabled', page)
    answer = client.post(
        reverse("decide", args=[filled.blocked.pk]), decision(filled.blocked, kind="approved")
    )
    assert answer.status_code == 400 and filled.blocked.decisions.count() == 0


def test_an_approval_shows_its_pull_request_and_what_became_of_the_branch(filled: Filled, sign_in) -> None:
    client = sign_in(filled.world.bob)
    client.post(reverse("decide", args=[filled.done.pk]), decision(filled.done, kind="approved"))
    page = client.get(reverse("review", args=[filled.done.pk])).content.decode()
    assert "Approved by bob" in page and "Prepared pull request" in page
    assert "could not be brought home" in page  # this session never had a clone


def test_a_learning_gets_a_persons_word(filled: Filled, sign_in) -> None:
    learning = filled.done.learnings.first()
    client = sign_in(filled.world.bob)
    form = {"state": "confirmed", "reason": "seen twice", "next": "/learnings/?q=x"}
    assert client.post(reverse("learning-state", args=[learning.pk]), form)["Location"] == "/learnings/?q=x"
    learning.refresh_from_db()
    assert learning.state == "confirmed" and learning.state_by == filled.world.bob
    for bad in ("https://evil.example/", "//evil.example", "javascript:alert(1)"):
        answer = client.post(reverse("learning-state", args=[learning.pk]), {**form, "next": bad})
        assert answer["Location"] == reverse("learnings")


def test_a_member_cannot_confirm(filled: Filled, sign_in) -> None:
    learning = filled.done.learnings.first()
    client = sign_in(filled.world.mia)
    client.post(reverse("learning-state", args=[learning.pk]), {"state": "confirmed"})
    learning.refresh_from_db()
    assert learning.state == "proposed"


def test_learnings_are_found_by_words_and_facets(filled: Filled, sign_in) -> None:
    client = sign_in(filled.world.mia)
    page = client.get(reverse("learnings") + "?q=bitmask+PAYS").content.decode()
    assert '<mark class="hit">bitmask</mark>' in page and "Vectorise" not in page
    assert "No learning matches" in client.get(reverse("learnings") + "?q=zebra").content.decode()
    assert client.get(reverse("learnings") + "?domain=structure").context["page"].paginator.count == 3
    assert Learning.objects.count() == client.get(reverse("learnings")).context["total"]


def test_registering_a_repo(world: World, sign_in, tmp_path) -> None:
    client = sign_in(world.mia)
    source = make_repo(tmp_path / "second")
    answer = client.post(reverse("repo-new"), {"source": str(source), "name": "acme/second"})
    assert answer["Location"] == Repo.objects.get(name="acme/second").get_absolute_url()
    answer = client.post(reverse("repo-new"), {"source": str(tmp_path / "nothing"), "name": ""})
    assert answer.status_code == 400 and str(tmp_path / "nothing") in answer.content.decode()


def test_sessions_filter_sort_and_page(filled: Filled, sign_in) -> None:
    client, where = sign_in(filled.world.mia), reverse("session-list")

    def found(query: str) -> list[int]:
        return [s.pk for s in client.get(where + query).context["page"]]

    assert found("?status=finished") == [filled.blocked.pk, filled.done.pk]
    assert found("?verdict=BLOCK") == [filled.blocked.pk]
    assert found(f"?q=%23{filled.live.pk}") == [filled.live.pk]
    assert found("?domain=deep&sort=number")[0] == filled.done.pk
    assert len(found("?status=nonsense&repo=abc&page=99")) == 4
    assert found("?q=zebra") == []


def test_two_sessions_side_by_side(filled: Filled, sign_in) -> None:
    query = f"?session={filled.live.pk}&session={filled.done.pk}"
    answer = sign_in(filled.world.mia).get(reverse("session-compare") + query)
    assert answer.status_code == 200 and b"1,284 ms" in answer.content
    roles = [t["meta"]["role"] for t in answer.context["figure"]["data"]]
    assert {"a", "b"} == set(roles)


def test_exports_are_true_and_safe_in_a_spreadsheet(filled: Filled, sign_in) -> None:
    filled.done.experiments.filter(number=1).update(title='=HYPERLINK("http://x")', reason="+1")
    client = sign_in(filled.world.vic)
    rows = list(
        csv.DictReader(
            io.StringIO(client.get(reverse("session-export", args=[filled.done.pk, "csv"])).content.decode())
        )
    )
    assert len(rows) == 21 and rows[0]["title"].startswith("'=") and rows[0]["reason"].startswith("'+")
    assert rows[9]["status"] == "crash" and rows[9]["ratio"] == ""
    data = json.loads(client.get(reverse("session-export", args=[filled.done.pk, "json"])).content)
    assert data[9]["ratio"] is None and abs(data[11]["ratio"] - 1.111) < 1e-9
    assert client.get(f"/sessions/{filled.done.pk}/export.exe").status_code == 404
    assert (
        client.get(reverse("session-list-export", args=["csv"]) + "?status=finished").content.count(b"\n")
        == 3
    )


def test_state_files_are_shown_and_taken_away_as_text(filled: Filled, sign_in) -> None:
    client = sign_in(filled.world.vic)
    where = reverse("state-file", args=[filled.done.pk, "results.tsv"])
    assert b"<td>quote_bundle</td>" in client.get(where).content
    answer = client.get(where + "?download")
    assert answer["Content-Type"].startswith("text/plain") and "attachment" in answer["Content-Disposition"]
    assert client.get(reverse("state-file", args=[filled.done.pk, "nothing.md"])).status_code == 404


def test_the_log_pages_by_seq_both_as_page_and_as_fragment(filled: Filled, sign_in) -> None:
    client, where = sign_in(filled.world.vic), reverse("session-events", args=[filled.done.pk])
    page = client.get(where, headers={"HX-Request": "true"}).content.decode()
    seqs = [int(n) for n in re.findall(r'data-seq="(\d+)"', page)]
    assert seqs == sorted(seqs, reverse=True) and "<html" not in page
    seen, before = set(seqs), seqs[-1]
    while True:
        page = client.get(f"{where}?before={before}").content.decode()
        seqs = [int(n) for n in re.findall(r'data-seq="(\d+)"', page)]
        if not seqs:
            break
        assert not seen & set(seqs)
        seen |= set(seqs)
        before = seqs[-1]
    assert seen == set(range(1, Event.objects.filter(session=filled.done).count() + 1))
    only = client.get(f"{where}?kind=commits").content.decode()
    assert set(re.findall(r'data-kind="(\w+)"', only)) == {"experiment_kept"}
