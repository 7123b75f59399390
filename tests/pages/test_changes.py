"""The changes of a review: each finding at the line it is about, commit by commit or the whole change at once."""

from __future__ import annotations

import re

import pytest

from reviews_app.models import ReviewFinding
from sessions_app import diffs, folders
from sessions_app.models import Experiment, ExperimentDetail, Session
from tests.conftest import git
from tests.pages import builder

OLDER = """--- a/pkg/one.py
+++ b/pkg/one.py
@@ -10,3 +10,3 @@
 def one():
-    return list(x for x in y)
+    return [x for x in y]
 # the end
"""
NEWER = """--- a/pkg/one.py
+++ b/pkg/one.py
@@ -1,2 +1,4 @@
 import os
+import re
+import sys
 import time
"""
SHOWING = """--- a/pkg/one.py
+++ b/pkg/one.py
@@ -9,3 +11,3 @@
-# start
+# begin
 def one():
     return [x for x in y]
"""


def _reviewed(world) -> Session:
    """A finished session whose last two kept changes are OLDER and NEWER, and one open finding."""
    session = builder.finished(world.mia, world.repo)
    keeps = list(Experiment.objects.filter(session=session, status="keep").order_by("-number")[:2])
    for experiment, diff in zip(keeps, (NEWER, OLDER), strict=True):
        ExperimentDetail.objects.filter(experiment=experiment).update(diff=diff)
    return session


def _at(session: Session, **where: object) -> str:
    """Moves the one open finding there; its title."""
    finding = ReviewFinding.objects.get(review_pass__review__session=session, state="open")
    ReviewFinding.objects.filter(pk=finding.pk).update(**{"path": "pkg/one.py", **where})
    return finding.title


def _page(client, session: Session) -> str:
    return client.get(f"/sessions/{session.pk}/review/").content.decode()


def _commits(page: str) -> dict[str, str]:
    """The text of each commit's part of the page, by experiment number."""
    parts = re.split(r'<details class="pass commit" id="commit-(\d+)"', page)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


@pytest.mark.django_db
def test_a_finding_stands_under_the_commit_that_wrote_its_line(world, sign_in):
    session = _reviewed(world)
    finding = ReviewFinding.objects.get(review_pass__review__session=session, state="open")
    ReviewFinding.objects.filter(pk=finding.pk).update(path="pkg/one.py", line=13)
    page = sign_in(world.bob).get(f"/sessions/{session.pk}/review/").content.decode()
    holding = {n: text for n, text in _commits(page).items() if finding.title in text}
    assert list(holding) == ["16"], "the newer change only moved the line from 11 to 13"
    before, after = holding["16"].split(finding.title)
    assert before.rindex('class="add"') > before.rindex('class="del"') and "# the end" in after


@pytest.mark.django_db
def test_a_finding_without_a_shown_line_stands_at_the_head_of_its_file(world, sign_in):
    session = _reviewed(world)
    finding = ReviewFinding.objects.get(review_pass__review__session=session, state="open")
    ReviewFinding.objects.filter(pk=finding.pk).update(path="pkg/one.py", line=400)
    page = sign_in(world.bob).get(f"/sessions/{session.pk}/review/").content.decode()
    holding = {n: text for n, text in _commits(page).items() if finding.title in text}
    assert list(holding) == ["19"]
    assert holding["19"].index("file-note") < holding["19"].index(finding.title) < holding["19"].index("@@")


@pytest.mark.django_db
def test_the_whole_change_comes_from_the_session_clone(world, sign_in, source):
    session = builder.finished(world.mia, world.repo)
    base = git(source, "rev-parse", "HEAD")
    (source / "pkg" / "__init__.py").write_text("def one():\n    return 2\n", encoding="utf-8")
    git(source, "commit", "-q", "-am", "Second")
    head = git(source, "rev-parse", "HEAD")
    client, address = sign_in(world.bob), f"/sessions/{session.pk}/review/changes/?changes=all"
    Session.objects.filter(pk=session.pk).update(base=base, head=head)
    gone = client.get(address).content.decode()
    assert "not on this machine any more" in gone and "diff-wrap" not in gone
    clone = folders.clone_of(session.pk)
    clone.parent.mkdir(parents=True, exist_ok=True)
    git(source, "clone", "-q", "--bare", str(source), str(clone))
    title = _at(session, line=2, path="pkg/__init__.py")
    found = client.get(address).content.decode()
    assert "pkg/__init__.py" in found and found.count("data-file=") == 1
    assert found.index('class="add"') < found.index(title)
    _at(session, line=200, path="pkg/__init__.py")
    found = client.get(address).content.decode()
    assert found.index("file-note") < found.index(title) < found.index('class="add"')
    Session.objects.filter(pk=session.pk).update(base="f" * 40)
    found = client.get(address).content.decode()
    assert "Git could not read the whole change" in found and "fatal" not in found


@pytest.mark.django_db
def test_a_newer_commit_that_only_shows_a_line_does_not_take_the_finding(world, sign_in):
    session, client = _reviewed(world), sign_in(world.bob)
    newer = Experiment.objects.filter(session=session, status="keep").order_by("-number")[0]
    ExperimentDetail.objects.filter(experiment=newer).update(diff=SHOWING)
    title = _at(session, line=13)
    assert [n for n, text in _commits(_page(client, session)).items() if title in text] == ["16"]
    _at(session, line=12)  # no commit wrote it: it stands where the newest shows it
    holding = {n: text for n, text in _commits(_page(client, session)).items() if title in text}
    assert list(holding) == ["19"] and "file-note" not in holding["19"]


@pytest.mark.django_db
def test_a_mere_note_about_a_file_stays_in_its_pass(world, sign_in):
    session, client = _reviewed(world), sign_in(world.bob)
    title = _at(session, line=None, severity="low")
    assert any(title in text for text in _commits(_page(client, session)).values())
    _at(session, line=None, severity="note")
    page = _page(client, session)
    assert title in page and not any(title in text for text in _commits(page).values())


@pytest.mark.django_db
def test_a_commit_that_was_taken_off_counts_for_nothing(world, sign_in):
    session, client = _reviewed(world), sign_in(world.bob)
    title = _at(session, line=13)
    before = re.search(r'id="changes-title".*?</span></span>', _page(client, session))
    Experiment.objects.filter(session=session, number=16).update(reverted="3" * 40)
    page = _page(client, session)
    after = re.search(r'id="changes-title".*?</span></span>', page)
    assert before and after and before[0] != after[0]
    holding = [n for n, text in _commits(page).items() if title in text]
    assert "16" not in holding and "taken off" in _commits(page)["16"]


@pytest.mark.django_db
def test_a_long_change_of_a_file_is_folded(world, sign_in):
    session = _reviewed(world)
    rows = "".join(f"+line {i}\n" for i in range(diffs.LONG_ROWS + 5))
    long = f"--- a/pkg/one.py\n+++ b/pkg/one.py\n@@ -1,0 +1,{diffs.LONG_ROWS + 5} @@\n{rows}"
    newer = Experiment.objects.filter(session=session, status="keep").order_by("-number")[0]
    ExperimentDetail.objects.filter(experiment=newer).update(diff=long)
    page = _page(sign_in(world.bob), session)
    assert page.count('<details class="long">') == 1 and f"Show {diffs.LONG_ROWS + 6} lines" in page


def test_text_that_is_no_diff_is_bounded_in_every_direction() -> None:
    wide = "x" * (diffs.LINE_CHARS * 50)
    assert len(diffs.read(wide).plain) == diffs.LINE_CHARS
    cut = diffs.read(f"{wide}\n" * 10, cap=4)
    assert len(cut.plain) <= 4 * (diffs.LINE_CHARS + 1) and cut.hidden == 6
