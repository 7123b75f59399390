"""A person's first hour in a real Chromium: start, sign in, watch a session work, read, approve, find the branch."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.conftest import git, make_repo
from tests.pages.browser import ARGS, CHROMIUM
from tests.store.conftest import BASE, until
from tests.tiny import TINY, fingerprint

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("journey")]
LINK = re.compile(r"Open (http://127\.0\.0\.1:\d+/sign-in/\S+/)")
STAGES = [
    "Session start",
    "Route",
    "Setup",
    "Validate",
    "Baseline",
    "Experiment loop",
    "Review",
    "Cleanup",
    "End",
]
PATIENCE = 480_000
"""Milliseconds a whole session may take on a machine that is busy with other things."""


@dataclass
class Home:
    """An installation that was just started on the repository ``source``."""

    source: Path
    link: str
    process: subprocess.Popen[bytes]
    log: Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    source = make_repo(tmp_path / "tiny", TINY)
    lived_in(source)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CODEFLASH_")}
    words = ["--port", str(free_port()), "--repo", str(source), "--domain", "cpu", "--experiments", "1"]
    log = tmp_path / "up.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-u", "manage.py", "up", *words],
            cwd=BASE,
            env={**kept, "CODEFLASH_DATA_DIR": str(tmp_path / "var")},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        found = until(lambda: LINK.search(log.read_text()), 120, "a sign-in link")
        yield Home(source, found[1], process, log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(60)
        print(log.read_text()[-4000:])


def lived_in(source: Path) -> None:
    """What a repository in use has: hooks, settings, a tag, a stash, staged, changed and untracked files."""
    hook = source / ".git" / "hooks" / "reference-transaction"
    hook.write_text(f"#!/bin/sh\ntouch {source}/hook-ran\n")
    git(source, "tag", "v1")
    git(source, "branch", "other")
    (source / "tiny" / "words.py").write_text("stashed\n")
    git(source, "stash")
    (source / "staged.txt").write_text("staged\n")
    git(source, "add", "staged.txt")
    (source / "tiny" / "__init__.py").write_text("CHANGED = 1\n")
    (source / "untracked.txt").write_text("mine\n")
    git(source, "config", "user.name", "Ada")
    hook.chmod(0o755)
    (source / "hook-ran").unlink(missing_ok=True)


def test_from_the_first_start_to_the_approved_branch(home: Home) -> None:
    before = fingerprint(home.source)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(60_000)
        complaints: list[str] = []
        page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        sign_in(page, home.link)
        session = watch(page)
        look_at_the_experiment(page, session)
        branch = approve(page, session)
        assert complaints == []
        browser.close()
    check_source(home.source, before, branch)


def sign_in(page: Page, link: str) -> None:
    page.goto(link)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).not_to_contain_text("Sign in")
    other = page.context.browser.new_page()  # type: ignore[union-attr]
    assert other.goto(link).status == 410  # type: ignore[union-attr]
    other.close()


def seqs(page: Page) -> list[int]:
    found: list[int] = page.eval_on_selector_all(
        "#feed-rows [data-seq]", "rows => rows.map(r => Number(r.dataset.seq))"
    )
    return found


def current(page: Page) -> str:
    """The stage that the rail says is at work; empty between two."""
    words: list[str] = page.locator("#panel-rail li[aria-current='step'] .word").all_inner_texts()
    return words[0] if words else ""


def watch(page: Page) -> str:
    """The page of the running session, loaded once, goes through the stages to the end by itself."""
    page.get_by_role("link", name="Optimize cpu of tiny").first.click()
    page.wait_for_url(re.compile(r"/sessions/\d+/$"))
    page.evaluate("window.loadedOnce = true")
    expect(page.locator("#panel-rail .word")).to_have_text(STAGES)
    expect(page.locator("#feed [data-stream]")).to_have_text("Live")
    first = seqs(page)
    seen = [current(page)]
    for stage in ("Experiment loop", "Review"):
        at_work = page.locator("#panel-rail li[aria-current='step'] .word", has_text=stage)
        expect(at_work).to_be_visible(timeout=PATIENCE)
        seen.append(current(page))
    expect(page.locator("#x1 .status")).to_have_text("Keep")
    expect(page.locator("#feed [data-stream]")).to_have_text("Ended", timeout=PATIENCE)
    expect(page.locator("h1 ~ .badge").first).to_have_text("Finished")
    expect(page.locator("#panel-rail li.done")).to_have_count(len(STAGES))
    assert page.evaluate("window.loadedOnce") is True, "the page was loaded again"
    last = seqs(page)
    assert last == sorted(set(last), reverse=True) and last[0] > max(first, default=0) + 20
    assert len(set(seen)) >= 2, seen
    return page.url


def look_at_the_experiment(page: Page, session: str) -> None:
    page.locator("#x1 a.cover").click()
    page.wait_for_url(re.compile(r"/experiments/1/$"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("vocabulary")
    body = page.locator("main")
    expect(body).to_contain_text("tiny/words.py")
    expect(body).to_contain_text(re.compile(r"\d×"))
    assert page.url.startswith(session)


def approve(page: Page, session: str) -> str:
    """Approve in the form; returns the branch the page says has come home."""
    page.goto(f"{session}review/")
    expect(page.locator("body")).to_contain_text("APPROVE")
    page.locator("input[name='kind'][value='approved']").check()
    page.locator("#decision-reason").fill("Read the diff and the intervals.")
    for box in page.locator("input[name='read']").all():
        box.check()
    button = page.locator("[data-decide]")
    expect(button).to_be_enabled()
    button.click()
    decision = page.locator("#decision")
    expect(decision).to_contain_text("The branch is home")
    expect(decision).to_contain_text("Prepared pull request")
    found = re.search(r"The branch (codeflash/\S+) is in", decision.inner_text())
    assert found is not None
    return found[1]


def check_source(source: Path, before: dict[str, str], branch: str) -> None:
    """One new reference and new objects; everything else byte for byte as before."""
    after = fingerprint(source)
    assert {name: after.get(name) for name in before} == before
    new = set(after) - set(before)
    assert {name for name in new if not name.startswith(".git/objects/")} == {f".git/refs/heads/{branch}"}
    assert git(source, "log", "--format=%s", f"main..{branch}").count("\n") == 0
    assert git(source, "diff", "--name-only", f"main...{branch}") == "tiny/words.py"
    message = git(source, "log", "-1", "--format=%B", branch)
    assert re.search(r"^Codeflash-Experiment: \w+$", message, re.MULTILINE)
    assert "set(vocabulary)" in git(source, "show", f"{branch}:tiny/words.py")
    git(source, "fsck", "--strict")
