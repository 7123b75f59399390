"""In a real Chromium: what a reviewer does on a review before deciding, and the decision form."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from sessions_app.models import Session
from tests.pages.browser import Reader
from tests.pages.conftest import Filled

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


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


def test_a_finding_in_the_diff_leads_to_its_pass_and_opens_it(reader: Reader, filled: Filled) -> None:
    page = reader.open(f"/sessions/{filled.done.pk}/review/")
    link = page.locator(".diff .note a[href^='#pass-']").first
    found = page.locator(link.get_attribute("href") or "")
    found.locator("summary").click()
    expect(found).not_to_have_attribute("open", "")
    link.click()
    expect(found).to_have_attribute("open", "")
    assert reader.said == []
