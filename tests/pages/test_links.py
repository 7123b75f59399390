"""Every link and every form leads somewhere: a walk over all pages from the home page."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urldefrag, urljoin

from django.urls import resolve

from tests.pages.conftest import Filled

MOST = 400


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.posts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.found += [v for v in (given.get("href") if tag == "a" else None, given.get("hx-get")) if v]
        if tag == "form" and (given.get("method") or "get").lower() == "post":
            self.posts.append(given.get("action") or "")


def test_every_link_leads_somewhere(filled: Filled, sign_in) -> None:
    client = sign_in(filled.world.alice)
    waiting, seen, posts = ["/"], {"/"}, set()
    while waiting and len(seen) < MOST:
        page = waiting.pop(0)
        answer = client.get(page)
        assert answer.status_code == 200, page
        if "html" not in answer["Content-Type"]:
            continue
        links = Links()
        links.feed(answer.content.decode())
        posts |= {urljoin(page, one) for one in links.posts}
        for link in links.found:
            where = urldefrag(urljoin(page, link)).url
            assert where.startswith("/"), (page, link)
            if where.split("?")[0] not in {one.split("?")[0] for one in seen} or (
                len(seen) < MOST / 2 and where not in seen
            ):
                seen.add(where)
                waiting.append(where)
    assert len(seen) > 100
    for one in posts:
        assert resolve(one.split("?")[0])
