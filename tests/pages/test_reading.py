"""What a page says about rows that differ: units, folded rows. Read from the rendered page."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from engine import events as e
from reviews_app.models import Review
from sessions_app import actions, panels
from sessions_app.models import Repo, Session
from sessions_app.prose import prose
from tests import story
from tests.conftest import make_repo
from tests.pages import builder
from tests.pages.test_access import decision


def test_names_of_python_are_no_loud_words() -> None:
    found = prose("The package's __dict__ is **not** read before `__init__` ran.")
    assert "package's __dict__ is <strong>not</strong> read" in found and "<code>__init__</code>" in found


def _keep(session: int, number: int, clock: story.Clock, **measured: object) -> list[e.Event]:
    """An experiment that was kept with this measurement."""
    plan = replace(story.PLANS[0], title=f"Change {number}")
    started, *_, kept = (
        event
        for event in story.experiment(session, number, plan, 1.0, 0, clock)
        if isinstance(event, e.ExperimentStarted | e.ExperimentKept)
    )
    assert isinstance(kept, e.ExperimentKept)
    return [started, replace(kept, measurement=replace(kept.measurement, **measured))]


def _row(page: str, number: int) -> str:
    found = re.search(rf'<tr class="keep" id="x{number}".*?</tr>', page, re.DOTALL)
    assert found
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", found[0]))


@pytest.mark.django_db
def test_each_experiment_names_the_unit_of_its_own_numbers(world, sign_in):
    session = actions.launch(user=world.mia, repo=world.repo)
    clock = story.Clock(time.time() - 900)
    events = [*story.opening(session.pk, clock)]
    events += _keep(session.pk, 1, clock, before=868e6, after=781e6)
    events += _keep(session.pk, 2, clock, metric="peak", unit="bytes", before=31.9e6, after=24.7e6)
    events += _keep(session.pk, 3, clock, before=1.36e6, after=11_241)
    builder.tell(session, events)
    page = sign_in(world.mia).get(f"/sessions/{session.pk}/").content.decode()
    assert "868 → 781 ms" in _row(page, 1)
    assert "30.4 → 23.6 MiB" in _row(page, 2)
    assert "1.36 → 0.0112 ms" in _row(page, 3)


@pytest.mark.django_db
def test_the_number_of_a_session_stands_beside_its_own_workload(world, sign_in):
    session = builder.finished(world.mia, world.repo)
    measured = {"metric": "import", "unit": "ns", "before": 40_509_600.0, "after": 98_056.5, "ratio": 413.1,
                "label": "import of shopworks"}  # fmt: skip
    Session.objects.filter(pk=session.pk).update(speedup=measured)
    page = sign_in(world.mia).get(f"/sessions/{session.pk}/").content.decode()
    assert "re-measured on import of shopworks" in page and "was 40.5 ms at baseline" in page
    assert "was measured on import of shopworks; the line shows CPU time" in page


@pytest.mark.django_db
def test_a_compared_line_is_labelled_with_where_it_ends(world, sign_in):
    first, second = builder.finished(world.mia, world.repo), builder.finished(world.mia, world.repo)
    measured = {"metric": "import", "unit": "ns", "before": 40_509_600.0, "after": 98_056.5, "ratio": 413.1,
                "label": "import of shopworks"}  # fmt: skip
    Session.objects.filter(pk=first.pk).update(speedup=measured)
    page = (
        sign_in(world.mia).get(f"/sessions/compare/?session={first.pk}&session={second.pk}").content.decode()
    )
    assert f"#{first.pk} 1.84" in page and f"#{first.pk} 413" not in page
    assert "40.5 ms" in page and "98.1 µs" in page and "import of shopworks" in page
    assert f"Session {first.pk} and session {second.pk}" in page


@pytest.mark.django_db
def test_the_usual_time_is_one_word_until_sessions_differ(world, sign_in):
    client, session = sign_in(world.mia), builder.finished(world.mia, world.repo)
    started = timezone.now() - timedelta(hours=1)
    Session.objects.filter(pk=session.pk).update(started=started, ended=started + timedelta(seconds=181))
    assert re.search(
        r"<dt>Usual time here</dt>\s*<dd[^>]*>3 m 01 s</dd>", client.get("/sessions/launch/").content.decode()
    )
    other = builder.finished(world.mia, world.repo)
    Session.objects.filter(pk=other.pk).update(started=started, ended=started + timedelta(seconds=48))
    assert "48 s to 3 m 01 s" in client.get("/sessions/launch/").content.decode()


@pytest.mark.django_db
def test_stages_a_session_never_reached_are_skipped_and_those_of_a_live_one_are_to_come(world, sign_in):
    client, live = sign_in(world.mia), builder.live(world.mia, world.repo)
    assert [s["state"] for s in panels.rail(live, {})["stages"]][5:] == ["current", "next", "next", "next"]
    times = {**live.stage_times, "route": [100.0, 100.0]}
    Session.objects.filter(pk=live.pk).update(status="cancelled", stage_times=times)
    live.refresh_from_db()
    assert panels.rail(live, {})["stages"][1]["took"] == "under 0.1 s"
    assert [s["state"] for s in panels.rail(live, {})["stages"]][6:] == ["skipped", "skipped", "skipped"]
    assert client.get(f"/sessions/{live.pk}/").content.decode().count('class="skipped"') == 3


@pytest.mark.django_db
def test_sessions_of_different_repos_are_not_put_on_one_baseline(world, sign_in, tmp_path):
    far = Repo.objects.create(team=world.alpha, name="far", source=str(make_repo(tmp_path / "far")))
    first, other = builder.finished(world.mia, world.repo), builder.finished(world.mia, far)
    same = builder.finished(world.mia, world.repo)
    Session.objects.filter(pk__in=[other.pk, same.pk]).update(baseline=first.baseline / 4)
    client = sign_in(world.mia)
    for second, words, start in ((other, "each one's own", 0), (same, f"session {first.pk}'s", 2)):
        page = client.get(f"/sessions/compare/?session={first.pk}&session={second.pk}").content.decode()
        found = re.search(r'<script id="figure-compare"[^>]*>(.*?)</script>', page, re.DOTALL)
        assert found
        figure = json.loads(found[1])
        figure = json.loads(figure) if isinstance(figure, str) else figure
        lines = [trace for trace in figure["data"] if trace["mode"] == "lines"]
        assert [line["y"][0] for line in lines] == [0, start]
        assert f"{words} baseline" in page


@pytest.mark.django_db
def test_a_wrong_password_is_said_in_plain_words(world, client):
    page = client.post("/sign-in/", {"username": "mia", "password": "wrong"}).content.decode()
    assert "User name and password do not match" in page and "Please" not in page


@pytest.mark.django_db
def test_cost_is_unknown_where_a_model_is_asked(world, sign_in):
    session = actions.launch(user=world.mia, repo=world.repo)
    client = sign_in(world.mia)
    assert "no model cost" in client.get(f"/sessions/{session.pk}/").content.decode()
    Session.objects.filter(pk=session.pk).update(crew="claude")
    page = client.get(f"/sessions/{session.pk}/").content.decode()
    assert "cost unknown" in page and "no model cost" not in page


@pytest.mark.django_db
def test_a_review_that_waits_for_more_than_a_day_is_marked(world, sign_in):
    session = builder.finished(world.mia, world.repo)
    client = sign_in(world.bob)
    for address in ("/reviews/", "/"):
        Review.objects.filter(session=session).update(filed=timezone.now() - timedelta(hours=23))
        assert '#i-clock"' not in client.get(address).content.decode(), address
        Review.objects.filter(session=session).update(filed=timezone.now() - timedelta(hours=25))
        assert re.search(
            r'status warn"><svg[^>]*><use href="#i-clock"', client.get(address).content.decode()
        ), address


@pytest.mark.django_db
def test_a_failed_session_shows_what_the_step_printed_last(world, sign_in):
    session = actions.launch(user=world.mia, repo=world.repo)
    clock = story.Clock(time.time() - 900)
    events = list(story.opening(session.pk, clock))[:6]
    output = "x" * 9000 + " <b>no header</b>"
    failed = e.StageFailed(agent="setup", stage="setup", reason="it did not build", output=output)
    ended = e.SessionEnded(
        outcome="failed", reason="it did not build", head="", kept=0, tried=0, seconds=112.0
    )
    builder.tell(session, [*events, clock.stamp(failed), clock.stamp(ended)])
    client = sign_in(world.mia)
    page = client.get(f"/sessions/{session.pk}/").content.decode()
    assert "Last output" in page and "&lt;b&gt;no header&lt;/b&gt;" in page and "x" * 7000 not in page
    live = builder.live(world.mia, world.repo)
    assert "Last output" not in client.get(f"/sessions/{live.pk}/").content.decode()


@pytest.mark.django_db
def test_a_decision_on_an_older_head_is_called_stale_in_the_inbox(world, sign_in):
    session = builder.finished(world.mia, world.repo)
    client = sign_in(world.bob)
    answer = client.post(f"/sessions/{session.pk}/review/decide/", decision(session, kind="blocked"))
    assert answer.status_code == 302
    assert "Stale</span>" not in client.get("/reviews/?tab=decided").content.decode()
    Session.objects.filter(pk=session.pk).update(head="a" * 40)
    page = client.get("/reviews/?tab=stale").content.decode()
    assert "Blocked</span>" in page and "Stale</span>" in page
