"""In a real Chromium: no page breaks its own policy, scrolls sideways or shuts anybody out, and live pages live."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from engine import events as e
from sessions_app import recording
from sessions_app.models import Session
from tests import story
from tests.pages import builder
from tests.pages.browser import ARGS, CHROMIUM, Reader
from tests.pages.conftest import Filled
from tests.store.test_stream import Server

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def one_server(django_db_setup: None) -> Iterator[Server]:
    one = Server()
    one.start()
    yield one
    one.kill()


@pytest.fixture
def server(one_server: Server, transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Server:
    # The browser's own event loop lives in this thread; the database calls between its steps are plain ones.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    if not one_server.answers():
        one_server.kill()
        one_server.start()
    return one_server


@pytest.fixture
def reader(browser: Browser, server: Server, filled: Filled) -> Iterator[Reader]:
    window = Reader(browser, server, filled.world.alice, viewport={"width": 1440, "height": 900})
    yield window
    window.context.close()


def paths(filled: Filled) -> list[str]:
    done, live = filled.done.pk, filled.live.pk
    return [
        "/", "/repos/", "/repos/new/", f"/repos/{filled.world.repo.pk}/", "/sessions/", "/sessions/launch/",
        f"/sessions/compare/?session={live}&session={done}", f"/sessions/{live}/", f"/sessions/{done}/",
        f"/sessions/{filled.queued.pk}/", f"/sessions/{done}/review/", f"/sessions/{filled.blocked.pk}/review/",
        f"/sessions/{live}/experiments/12/", f"/sessions/{live}/experiments/10/", f"/sessions/{live}/experiments/22/",
        f"/sessions/{done}/events/", f"/sessions/{done}/files/review-report.md/",
        f"/sessions/{done}/files/results.tsv/",
        "/reviews/", "/reviews/?tab=decided", "/learnings/?q=bundle", "/learnings/?q=zebra", "/workers/", "/more/",
        "/patterns/",
    ]  # fmt: skip


def test_every_page_keeps_its_policy_fits_and_can_be_read_by_everybody(
    reader: Reader, filled: Filled
) -> None:
    for path in paths(filled):
        page = reader.open(path)
        assert reader.axe() == [], path
        page.emulate_media(color_scheme="dark")
        assert reader.axe("color-contrast") == [], (path, "dark")
        page.emulate_media(color_scheme="light")
        for width in (320, 800, 1440):
            assert reader.sideways(width) <= 0, (path, width)
        assert len(page.query_selector_all("h1")) == 1, path
        assert reader.said == [], (path, reader.said)


def test_small_screens_can_be_read_by_everybody(reader: Reader, filled: Filled) -> None:
    reader.page.set_viewport_size({"width": 390, "height": 844})
    for path in (
        f"/sessions/{filled.live.pk}/",
        f"/sessions/{filled.done.pk}/review/",
        "/",
        "/sessions/",
        "/learnings/",
    ):
        page = reader.open(path)
        assert reader.axe() == [], path
        assert page.locator(".tabs-bar").is_visible() and not page.locator(".side").is_visible()
    assert reader.said == []


def test_an_open_menu_stays_on_the_screen(reader: Reader, filled: Filled) -> None:
    for width in (320, 390, 800, 1440):
        reader.page.set_viewport_size({"width": width, "height": 844})
        page = reader.open("/sessions/")
        for menu in page.locator(".chips details.menu").all():
            menu.locator("summary").click()
            box = menu.locator(".pop").bounding_box()
            assert box and box["x"] >= 0 and box["x"] + box["width"] <= width, (width, menu.inner_text())
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_an_open_menu_lies_above_the_rows_it_covers(reader: Reader, filled: Filled) -> None:
    page = reader.open("/learnings/")
    menu = page.locator(".learning details.menu").first
    menu.locator("summary").click()
    covered = menu.locator(".pop").evaluate("""(pop) => {
      const box = pop.getBoundingClientRect(), hits = [];
      for (let x = box.left + 4; x < box.right; x += 16)
        for (let y = box.top + 4; y < Math.min(box.bottom, innerHeight); y += 8)
          if (!pop.contains(document.elementFromPoint(x, y))) hits.push([x, y]);
      return hits;
    }""")
    assert covered == []


def test_signed_out_pages_keep_their_policy_too(browser: Browser, server: Server, filled: Filled) -> None:
    window = Reader(browser, server, None)
    for path in ("/sign-in/", "/sign-in/nothing/", "/nowhere/"):
        window.open(path)
        assert window.axe() == [] and window.sideways(320) <= 0
    assert [text for text in window.said if "404" not in text and "410" not in text] == []
    window.context.close()


def test_charts_are_drawn_and_their_text_is_text(reader: Reader, filled: Filled) -> None:
    page = reader.open(f"/sessions/{filled.live.pk}/")
    expect(page.locator("#plot-speedup svg.main-svg").first).to_be_visible()
    assert page.locator("#plot-speedup .scatterlayer .trace").count() >= 6
    page.locator("#panel-chart .seg a", has_text="Time").click()
    expect(page.locator("#plot-speedup .ytick text").first).to_contain_text(re.compile("ms|s$"))
    assert reader.said == []


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


def test_the_decision_button_waits_for_a_choice_and_a_reason(reader: Reader, filled: Filled) -> None:
    page = reader.open(f"/sessions/{filled.done.pk}/review/")
    button = page.locator("[data-decide]")
    expect(button).to_be_disabled()
    page.locator("input[value='changes_requested']").check()
    expect(page.locator("[data-why]")).to_have_text("Say why first")
    page.locator("#decision-reason").fill("Name the rounding mode.")
    expect(button).to_be_enabled()
    expect(button).to_have_text(f"Request changes on {filled.done.head[:7]}")
    Session.objects.filter(pk=filled.done.pk).update(results_digest="f" * 64)
    button.click()
    expect(page.locator("#decision .alert")).to_contain_text("Nothing was recorded")
    assert page.locator("#decision-reason").input_value() == "Name the rounding mode."
    page.locator("[data-decide]").click()
    page.wait_for_url(re.compile(r"/sessions/\d+/$"))
    assert filled.done.decisions.get().reason == "Name the rounding mode."


def test_a_viewed_file_folds_and_is_remembered(reader: Reader, filled: Filled) -> None:
    page = reader.open(f"/sessions/{filled.done.pk}/review/")
    first = page.locator("[data-file]").first
    expect(first.locator(".diff .note")).to_contain_text("Cache survives a rolled-back batch")
    first.locator("[data-viewed]").check()
    expect(first.locator(".diff-wrap")).to_be_hidden()
    page.reload()
    expect(page.locator("[data-file]").first.locator(".diff-wrap")).to_be_hidden()
    expect(page.locator("[data-viewed-count]")).to_contain_text("viewed")
    page.locator("[data-viewed]").first.uncheck()
    expect(page.locator("[data-file]").first.locator(".diff-wrap")).to_be_visible()
    assert reader.said == []


def test_brackets_walk_through_commits_and_files(reader: Reader, filled: Filled) -> None:
    page = reader.open(f"/sessions/{filled.done.pk}/review/")
    where = "document.activeElement.closest('details').id + ' ' + document.activeElement.className"
    walked = []
    for key in ("]", "]", "]", "["):
        page.keyboard.press(key)
        walked.append(page.evaluate(where))
    assert walked == [
        "commit-19 commit-line",
        "commit-19 diff-wrap",
        "commit-16 commit-line",
        "commit-19 diff-wrap",
    ]


def test_a_review_shows_its_open_findings_alone(reader: Reader, filled: Filled) -> None:
    page = reader.open(f"/sessions/{filled.done.pk}/review/")
    expect(page.locator("#pass-2")).to_be_visible()
    page.locator(".passes .seg label", has_text="Open").click()
    expect(page.locator("#pass-2")).to_be_hidden()
    expect(page.locator("#pass-3")).to_be_visible()


def test_stopping_asks_once_more(reader: Reader, filled: Filled) -> None:
    page = reader.open(f"/sessions/{filled.live.pk}/")
    page.locator("[data-open='stop']").click()
    page.locator("#stop").get_by_role("button", name="Keep running").click()
    assert Session.objects.get(pk=filled.live.pk).cancel_requested is None
    page.locator("[data-open='stop']").click()
    page.locator("#stop").get_by_role("button", name="Stop session").click()
    expect(page.locator("h1 ~ .badge")).to_have_text("Stopping")


def test_keys_move_search_and_jump(reader: Reader, filled: Filled) -> None:
    page = reader.open("/sessions/")
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.href").endswith(f"/sessions/{filled.live.pk}/")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("[data-compare]")).to_contain_text("Compare #")
    page.keyboard.press("/")
    page.keyboard.type("g r x")
    assert page.locator("[data-search]").input_value() == "g r x"
    page.keyboard.press("Control+k")
    expect(page.locator("#command")).to_be_visible()
    page.keyboard.type("review")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/reviews/")
    page.keyboard.press("g")
    page.keyboard.press("l")
    page.wait_for_url("**/learnings/")


def test_the_command_bar_finds_what_the_database_has(reader: Reader, filled: Filled) -> None:
    page = reader.open("/")
    page.keyboard.press("Control+k")
    page.keyboard.type("bitmask")
    found = page.locator("#jump-found a", has_text="Test rule tags with one bitmask").first
    expect(found).to_be_visible()
    assert reader.axe() == []
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/experiments/12/$"))
    assert reader.said == []


def test_the_theme_is_remembered(reader: Reader, filled: Filled) -> None:
    page = reader.open("/")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator(".side [data-theme-switch]").click()
    after = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert before != after
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == after


def test_pages_work_without_script(browser: Browser, server: Server, filled: Filled) -> None:
    window = Reader(browser, server, filled.world.bob, java_script_enabled=False)
    page = window.open(f"/sessions/{filled.live.pk}/")
    expect(page.locator("#x12")).to_contain_text("1.111×")
    page.locator("#panel-experiments .seg a", has_text="Crash").click()
    assert page.locator("#panel-experiments tbody tr").count() == 2
    page.goto(f"/sessions/{filled.done.pk}/review/")
    page.locator("input[value='changes_requested']").check()
    page.locator("#decision-reason").fill("Without script.")
    page.locator("[data-decide]").click()
    assert filled.done.decisions.get().reason == "Without script."
    window.context.close()
