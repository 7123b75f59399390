"""A real Chromium that remembers what the page complained about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page

CHROMIUM = "/usr/bin/chromium"
ARGS = ["--no-sandbox", "--disable-quic", "--disable-background-networking"]
AXE = Path(__file__).parents[1] / "vendor" / "axe-core-4.14.1" / "axe.min.js"
RULES = """
(only) => axe.run(document, {resultTypes: ['violations'], runOnly: only}).then((r) => r.violations
  .filter((v) => ['serious', 'critical'].includes(v.impact))
  .map((v) => v.id + ': ' + v.nodes.slice(0, 3).map((n) => n.target.join(' ') + ' ' + n.failureSummary).join(' | ')))
"""


class Reader:
    """One signed-in browser window. ``said`` collects console errors, page errors and policy violations."""

    def __init__(self, browser: Browser, server: Any, user: object | None, **context: Any) -> None:
        self.origin = server.origin
        self.context: BrowserContext = browser.new_context(base_url=server.origin, **context)
        if user is not None:
            cookie = server.cookie(user)
            name, value = cookie.split("=", 1) if "=" in cookie else (server.cookie_name, cookie)
            self.context.add_cookies([{"name": name, "value": value.split(";")[0], "url": server.origin}])
        self.page: Page = self.context.new_page()
        self.said: list[str] = []
        self.page.on(
            "console", lambda m: self.said.append(m.text) if m.type in ("error", "warning") else None
        )
        self.page.on("pageerror", lambda error: self.said.append(f"page error {error}"))

    def open(self, path: str) -> Page:
        self.page.goto(path)
        return self.page

    def sideways(self, width: int) -> int:
        """How many pixels the page scrolls sideways at this width."""
        self.page.set_viewport_size({"width": width, "height": 900})
        return int(self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))

    def axe(self, *rules: str) -> list[str]:
        """Serious and critical findings; of all accessibility levels, or of the named rules alone."""
        if not self.page.evaluate("typeof axe !== 'undefined'"):
            self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found: list[str] = self.page.evaluate(
            RULES, list(rules) or ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]
        )
        return found
