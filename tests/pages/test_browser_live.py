"""In a real Chromium: a live page advances by itself, says when it is offline, and leaves its reader in peace."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import expect

from engine import events as e
from sessions_app import recording
from sessions_app.models import Session
from tests import story
from tests.pages import builder
from tests.pages.browser import Reader
from tests.pages.conftest import Filled
from tests.store.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def more(session: Session) -> list[e.Event]:
    """The running experiment is kept, then the next one starts."""
    clock = story.Clock(time.time())
    number = len(story.PLANS) + 1
    best = 1.9
    m = story.measured(7, story.BASELINE_NS / best, 1.05)
    return [
        clock.stamp(
            e.ExperimentKept(
                number=number, commit=story.commit_of(session.pk, number), measurement=m, best=best
            )
        ),
        clock.stamp(e.Reprofiled(commit="c" * 40, targets=(story.target(0, 0.4),), seconds=1.0)),
        *story.running(session.pk, number + 1, clock),
    ]


def fence(session: Session) -> recording.Fence:
    session.refresh_from_db()
    return recording.Fence(session.pk, session.owner, session.token)


def seqs(page) -> list[int]:
    return page.eval_on_selector_all("#feed-rows [data-seq]", "rows => rows.map(r => Number(r.dataset.seq))")


def test_charts_are_drawn_and_their_text_is_text(reader: Reader, filled: Filled) -> None:
    page = reader.open(f"/sessions/{filled.live.pk}/")
    expect(page.locator("#plot-speedup svg.main-svg").first).to_be_visible()
    assert page.locator("#plot-speedup .scatterlayer .trace").count() >= 6
    page.locator("#panel-chart .seg a", has_text="Time").click()
    expect(page.locator("#plot-speedup .ytick text").first).to_contain_text(re.compile("ms|s$"))
    assert reader.said == []


def test_a_live_page_advances_without_a_reload(reader: Reader, filled: Filled) -> None:
    page = reader.open(f"/sessions/{filled.live.pk}/")
    badge = page.locator("#feed [data-stream]")
    expect(badge).to_have_text("Live")
    assert page.locator("#x22 .status").inner_text() == "Running"
    recording.record(fence(filled.live), more(filled.live))
    expect(page.locator("#feed-rows li").first).to_contain_text("Experiment 23 measures")
    expect(page.locator("#x22 .status")).to_have_text("Keep")
    expect(page.locator("#x23 .status")).to_have_text("Running")
    expect(page.locator("#panel-chart .hero")).to_contain_text("1.90×")
    expect(page.locator("#panel-lanes .now-title")).to_contain_text("Experiment 23")
    expect(page.locator("#plot-speedup svg.main-svg").first).to_be_visible()
    found = seqs(page)
    assert found == sorted(set(found), reverse=True)
    assert reader.said == []


def test_state_files_stand_in_one_row_that_opens(reader: Reader, filled: Filled) -> None:
    page = reader.open(f"/sessions/{filled.live.pk}/")
    expect(page.locator("#feed [data-stream]")).to_have_text("Live")
    clock = story.Clock(time.time())
    files = [e.StateFileWritten(name=f"{n}.md", digest=n * 64, content="x") for n in "abcd"]
    recording.record(fence(filled.live), [clock.stamp(each) for each in files[:3]])
    group = page.locator("#feed-rows > li").first
    expect(group.locator("summary")).to_have_text("3 state files: c.md, b.md, a.md")
    recording.record(fence(filled.live), [clock.stamp(files[3])])
    expect(group.locator("summary")).to_have_text("4 state files: d.md, c.md, b.md, a.md")
    expect(group.locator("[data-seq]").first).to_be_hidden()
    group.locator("summary").click()
    expect(group.locator("[data-seq]").first).to_be_visible()
    page.reload()
    expect(page.locator("#feed-rows > li").first.locator("summary")).to_contain_text("4 state files")
    found = seqs(page)
    assert found == sorted(set(found), reverse=True) and reader.said == [] and reader.axe() == []


def test_the_chart_comes_with_the_baseline(reader: Reader, filled: Filled) -> None:
    clock = story.Clock(time.time() - 900)
    opening = list(story.opening(filled.queued.pk, clock))
    builder.tell(filled.queued, opening[:6])
    page = reader.open(f"/sessions/{filled.queued.pk}/")
    expect(page.locator("#feed [data-stream]")).to_have_text("Live")
    expect(page.locator("#panel-chart")).to_contain_text("The chart starts with the baseline")
    assert page.locator("#plot-speedup").count() == 0 and reader.axe() == []
    recording.record(fence(filled.queued), opening[6:])
    expect(page.locator("#plot-speedup svg.main-svg").first).to_be_visible()
    expect(page.locator("#panel-chart .sub-number").first).to_have_text("1,284 ms")
    assert reader.said == []


def test_offline_is_said_and_nothing_is_lost_or_doubled_after_it(
    reader: Reader, filled: Filled, server: Server
) -> None:
    page = reader.open(f"/sessions/{filled.live.pk}/")
    badge = page.locator("#feed [data-stream]")
    expect(badge).to_have_text("Live")
    before = seqs(page)[0]
    server.kill()
    expect(badge).to_contain_text("Offline since", timeout=20_000)
    away = page.locator("[data-away]")
    expect(away).to_contain_text(
        re.compile(rf"up to {before}\. The session may still be running"), timeout=20_000
    )
    assert reader.axe("color-contrast") == []
    recording.record(fence(filled.live), more(filled.live))
    server.start()
    # It may have come back by itself by now: the button is then hidden and still harmless.
    away.locator("button").dispatch_event("click")
    expect(badge).to_have_text("Live", timeout=40_000)
    expect(away).to_be_hidden()
    last = Session.objects.get(pk=filled.live.pk).last_seq
    expect(page.locator(f"#e{last}")).to_be_attached()
    found = seqs(page)
    assert [n for n in found if n > before] == list(range(last, before, -1)) and len(found) == len(set(found))
    expect(page.locator("#x23 .status")).to_have_text("Running")


def test_a_reader_who_scrolled_or_holds_is_left_in_peace(reader: Reader, filled: Filled) -> None:
    page = reader.open(f"/sessions/{filled.live.pk}/")
    expect(page.locator("#feed [data-stream]")).to_have_text("Live")
    page.locator("[data-hold]").click()
    events = more(filled.live)
    recording.record(fence(filled.live), events)
    chip = page.locator("[data-new]")
    expect(chip).to_have_text(f"{len(events)} new events")
    top = seqs(page)[0]
    assert top == filled.live.last_seq
    chip.click()
    expect(page.locator("#feed-rows li").first).to_have_attribute("data-seq", str(top + len(events)))
    expect(chip).to_be_hidden()


def test_a_panel_in_use_is_not_swapped_away(reader: Reader, filled: Filled) -> None:
    page = reader.open(f"/sessions/{filled.live.pk}/")
    expect(page.locator("#feed [data-stream]")).to_have_text("Live")
    page.locator("#x20 a.cover").focus()
    recording.record(fence(filled.live), more(filled.live))
    expect(page.locator("#panel-chart .hero")).to_contain_text("1.90×")
    assert page.evaluate("document.activeElement.closest('tr').id") == "x20"
    assert page.locator("#x23").count() == 0
    page.locator("h1").first.click()
    page.evaluate("document.activeElement.blur()")
    expect(page.locator("#x23")).to_be_attached()


def test_the_feed_filter_holds_for_what_arrives_later(reader: Reader, filled: Filled) -> None:
    page = reader.open(f"/sessions/{filled.live.pk}/")
    expect(page.locator("#feed [data-stream]")).to_have_text("Live")
    page.locator("[data-filter='commits']").click()
    expect(page.locator("#feed-rows li").first).to_have_attribute("data-kind", "experiment_kept")
    recording.record(fence(filled.live), more(filled.live))
    expect(page.locator("#feed-rows li").first).to_contain_text("Kept experiment 22")
    kinds = page.eval_on_selector_all("#feed-rows [data-seq]", "rows => rows.map(r => r.dataset.kind)")
    assert set(kinds) == {"experiment_kept"}


def test_stopping_asks_once_more(reader: Reader, filled: Filled) -> None:
    page = reader.open(f"/sessions/{filled.live.pk}/")
    page.locator("[data-open='stop']").click()
    page.locator("#stop").get_by_role("button", name="Keep running").click()
    assert Session.objects.get(pk=filled.live.pk).cancel_requested is None
    page.locator("[data-open='stop']").click()
    page.locator("#stop").get_by_role("button", name="Stop session").click()
    expect(page.locator("h1 ~ .badge")).to_have_text("Stopping")
