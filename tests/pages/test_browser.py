"""In a real Chromium: no page breaks its own policy, scrolls sideways or shuts anybody out; keys, menus and themes."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.pages.browser import Reader
from tests.pages.conftest import Filled
from tests.store.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


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
