"""Text of repos, agents and state files is only ever text: no page turns it into markup, wherever it stands."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from django.urls import reverse
from django.utils.html import escape

from engine import events as e
from sessions_app import actions
from sessions_app.diffs import read
from sessions_app.models import Event, Repo
from sessions_app.prose import hits, prose
from sessions_app.rendering import render_event
from tests import story
from tests.conftest import World
from tests.pages import builder

ATTACK = (
    "\"'><script>alert(1)</script><img src=x onerror=alert(2)><a href=javascript:alert(3)>{{7*7}}</a><!--"
)
STRUCTURE = {
    "kind", "outcome", "metric", "unit", "state", "name", "verdict", "domain", "status", "reason_class", "severity",
    "head", "base", "commit", "report_digest", "results_digest", "digest", "level", "stage",
}  # fmt: skip


class Reader(HTMLParser):
    """Collects what a browser could run or load that the product did not write."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if (
            tag == "script"
            and not (given.get("src") or "").startswith("/static/")
            and given.get("type") != "application/json"
        ):
            self.found.append(f"script {given}")
        if tag in ("img", "iframe", "object", "embed", "style", "base"):
            self.found.append(tag)
        self.found += [f"{name} on {tag}" for name in given if name.startswith("on") or name == "style"]
        for name in ("href", "src", "action"):
            if (given.get(name) or "").strip().lower().startswith(("javascript:", "data:")):
                self.found.append(f"{name}={given[name]}")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def poisoned(event: e.Event) -> e.Event:
    return e.from_dict(_poison(json.loads(e.to_json(event))))


def _poison(value, key: str = ""):
    if isinstance(value, str):
        return value if key in STRUCTURE else f"{value}{ATTACK}"
    if isinstance(value, dict):
        return {k: _poison(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [_poison(v, key) for v in value]
    return value


@pytest.fixture
def hostile(world: World):
    Repo.objects.filter(pk=world.repo.pk).update(
        name=f"r{ATTACK}"[:120], conventions=ATTACK, default_ref=ATTACK
    )
    world.mia.first_name, world.mia.last_name = ATTACK[:60], ATTACK[60:120]
    world.mia.save()
    world.repo.refresh_from_db()
    session = actions.launch(user=world.mia, repo=world.repo, goal=ATTACK, reason=ATTACK)
    clock = story.Clock(time.time() - 9000)
    events = [
        *story.opening(session.pk, clock),
        *story.loop(session.pk, clock),
        *story.closing(session.pk, clock),
    ]
    notes = [clock.stamp(e.NoteLogged(source="agent", text="raw", level="error")),
             clock.stamp(e.StageFailed(stage="setup", agent="setup", reason="why", advice="do")),
             clock.stamp(e.Unknown(raw_kind="<b>odd</b>", body={"x": "y"}))]  # fmt: skip
    body = [poisoned(replace(event, at=event.at)) for event in events]
    return builder.tell(session, [*body[:20], *map(poisoned, notes), *body[20:]])


def test_no_page_turns_text_into_markup(world: World, hostile, sign_in) -> None:
    client = sign_in(world.bob)
    pages = [
        reverse(n)
        for n in (
            "home",
            "repos",
            "session-list",
            "session-launch",
            "learnings",
            "reviews",
            "workers",
            "more",
        )
    ]
    pages += [reverse("repo", args=[world.repo.pk]), reverse("learnings") + "?q=" + "%3Cscript%3E"]
    pages += [reverse(n, args=[hostile.pk]) for n in ("session", "session-events", "review")]
    pages += [
        reverse("session-panel", args=[hostile.pk, n])
        for n in ("facts", "lanes", "chart", "experiments", "targets")
    ]
    pages += [reverse("experiment", args=[hostile.pk, n]) for n in (1, 5, 10, 12)]
    pages += [reverse("state-file", args=[hostile.pk, f.name]) for f in hostile.state_files.all()]
    pages += [
        reverse("session-compare") + f"?session={hostile.pk}&session={hostile.pk}",
        reverse("session-list") + "?q=%22%3E%3Cscript%3E",
    ]
    shown = 0
    for page in pages:
        answer = client.get(page)
        reader = Reader()
        reader.feed(answer.content.decode())
        assert reader.found == [], page
        assert "49</a>" not in answer.content.decode()
        shown += any("alert(1)" in text for text in reader.text)
    assert shown > 10  # the text is there, as text


def test_every_stored_event_renders_as_text(hostile) -> None:
    for row in Event.objects.filter(session=hostile):
        reader = Reader()
        reader.feed(render_event(row))
        assert reader.found == [], row.kind


@pytest.mark.parametrize(
    "kind", ["experiment_kept", "review_filed", "tests_ran", "no_such_kind", "note_logged"]
)
@pytest.mark.parametrize(
    "body", [{}, [], None, "text", {"run": 3, "number": ATTACK, "measurement": "x", "verdict": [1]}]
)
def test_a_body_without_what_its_kind_promises_still_prints(db, launched, kind: str, body: object) -> None:
    from django.utils import timezone

    row = Event(session=launched, seq=1, kind=kind, at=timezone.now(), body=body)
    html = render_event(row)
    assert html.startswith("<li") and 'data-seq="1"' in html and "<script>" not in html


def test_markdown_keeps_its_words_and_loses_its_teeth() -> None:
    html = prose(
        f"# Title\n\n**bold** [link](javascript:alert(1)) [ok](https://example.org) <img src=x> {ATTACK}"
    )
    reader = Reader()
    reader.feed(html)
    assert reader.found == [] and "<h3>Title</h3>" in html and "<strong>bold</strong>" in html
    assert 'rel="noopener noreferrer nofollow"' in html
    assert prose("x" * 300_000).startswith("<pre") and prose("> " * 5000)


def test_search_hits_are_marked_in_escaped_text() -> None:
    assert hits("a<b>A", ["a"]) == '<mark class="hit">a</mark>&lt;b&gt;<mark class="hit">A</mark>'
    assert hits(ATTACK, ["script"]).count("<mark") == 3 and "<script" not in hits(ATTACK, ["script"])
    assert hits("İstanbul", ["stan"]) == escape("İstanbul")  # lower case of another length: left alone


def test_a_diff_is_text_and_bounded() -> None:
    diff = read(f"--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-{ATTACK}\n+{ATTACK} more\n")
    html = "".join(row.html for row in diff.files[0].rows)
    assert "<script" not in html and diff.added == diff.removed == 1 and "<mark>" in html
    for name, text in (("x.py", "a <b> c & d"), ("x.unknown", ATTACK)):
        html = "".join(
            row.html for row in read(f"--- a/{name}\n+++ b/{name}\n@@ -0,0 +1 @@\n+{text}\n").files[0].rows
        )
        assert "&lt;" in html and not re.search(r"<(?!/?span\b)", html), name
    assert read("not a diff " + ATTACK).plain and read("+\n" * 50, cap=10).hidden == 40
    many = "--- a/x.py\n+++ b/x.py\n@@ -0,0 +1,6000 @@\n" + "+x = 1\n" * 6000
    assert read(many).added == 6000
