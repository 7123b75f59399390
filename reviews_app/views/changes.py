"""The changes of a review: its kept commits one by one or all together, and each finding at the line it is about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from reviews_app.models import Review, ReviewFinding
from sessions_app import diffs, folders
from sessions_app.access import get_session
from sessions_app.models import Experiment, Session
from sessions_app.views.requests import choice, person

SHOWS = ("commits", "all")
GONE = (
    "The session's clone is not on this machine any more. Each commit's own change is stored; see By commit."
)
UNREADABLE = (
    "Git could not read the whole change from the session's clone. Each commit's own is under By commit."
)


@dataclass(frozen=True)
class Note:
    """A finding as it is printed in a diff: with the pass it comes from, and where that pass stands on the page."""

    finding: ReviewFinding
    name: str
    number: int


@dataclass
class Commit:
    """One kept experiment and its change; ``diff`` is None where the change was not stored."""

    experiment: Experiment
    diff: diffs.Diff | None


def panel(request: HttpRequest, session_pk: int) -> HttpResponse:
    """The panel alone, for the switch between its two views."""
    session = get_session(person(request), session_pk)
    context = {"session": session, **changes_of(request, session, session.reviews.first())}
    return render(request, "reviews/changes.html", context)


def changes_of(request: HttpRequest, session: Session, review: Review | None) -> dict[str, Any]:
    """What the panel prints. The whole change is read from the session's clone only when it is asked for."""
    commits, notes = _commits(session), _notes(review)
    on_branch = [each for each in commits if each.diff and not each.experiment.reverted]
    context: dict[str, Any] = {
        "commits": commits,
        "changes_show": choice(request, "changes", SHOWS, "commits"),
        "size": _size([each.diff for each in on_branch if each.diff]),
    }
    if context["changes_show"] == "all":
        whole, problem = _whole(session)
        _put_all(whole, notes)
        return {**context, "whole": whole, "whole_problem": problem}
    for note in notes:
        _put_by_commit(on_branch, note)
    return context


def _commits(session: Session) -> list[Commit]:
    """Kept commits, newest first."""
    rows = session.experiments.filter(status="keep").exclude(commit="").select_related("detail")
    return [
        Commit(row, diffs.read(row.detail.diff) if row.detail.diff else None)
        for row in rows.order_by("-number")
    ]


def _notes(review: Review | None) -> list[Note]:
    """Findings that name a file, in the order of the report; a mere note without a line stays in its pass."""
    if review is None:
        return []
    passes = enumerate(review.passes.prefetch_related("findings"), start=1)
    found = [Note(f, each.name, number) for number, each in passes for f in each.findings.all() if f.path]
    return [note for note in found if note.finding.line or note.finding.severity != "note"]


def _size(found: Sequence[diffs.Diff]) -> dict[str, int]:
    paths = {file.path for diff in found for file in diff.files}
    return {
        "added": sum(d.added for d in found),
        "removed": sum(d.removed for d in found),
        "files": len(paths),
    }


def _whole(session: Session) -> tuple[diffs.Diff | None, str]:
    """Base to head as one diff, or why there is none, in one sentence."""
    from engine.workspace import WorkspaceError
    from engine.workspace.git import Git, check_sha

    clone = folders.clone_of(session.pk)
    if not clone.is_dir():
        return None, GONE
    options = ("--no-ext-diff", "--no-textconv", "--no-color", "--src-prefix=a/", "--dst-prefix=b/")
    try:
        ends = check_sha(session.base), check_sha(session.head)
        return diffs.read(Git(git_dir=clone).text("diff", *options, *ends, "--")), ""
    except (WorkspaceError, OSError, ValueError):
        return None, UNREADABLE


def _put_all(whole: diffs.Diff | None, notes: Iterable[Note]) -> None:
    for note in notes:
        file = _file(whole, note.finding.path)
        if file is not None:
            row = _row(file, note.finding.line)
            (row or file).notes.append(note)


def _put_by_commit(commits: Sequence[Commit], note: Note) -> None:
    """Under the commit that wrote the line; else under the newest that shows it; else at the head of its file.

    A finding counts lines of the head. Going back through the commits, each newer one's change shifts the line.
    """
    line, shown = note.finding.line, None
    files = [file for each in commits if (file := _file(each.diff, note.finding.path))]
    for file in files:
        row = _row(file, line)
        if row is not None and row.kind == "add":
            row.notes.append(note)
            return
        shown = shown or row
        line = row.before if row is not None else _line_before(file, line)
    if files:
        (shown or files[0]).notes.append(note)


def _file(diff: diffs.Diff | None, path: str) -> diffs.File | None:
    return next((file for file in diff.files if file.path == path), None) if diff else None


def _row(file: diffs.File, line: int | None) -> diffs.Row | None:
    return next((row for row in file.rows if line is not None and row.after == line), None)


def _line_before(file: diffs.File, line: int | None) -> int | None:
    """Which line it was before this change, for a line the change does not show."""
    if line is None:
        return None
    shift = 0
    for row in file.rows:
        if row.after is not None and row.after > line:
            break
        shift += {"add": 1, "del": -1}.get(row.kind, 0)
    return line - shift
