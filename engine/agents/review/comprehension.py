"""Pass 1: every commit is one experiment, holds exactly its change, and says what it claims."""

from __future__ import annotations

from collections.abc import Generator

from engine import events as e
from engine.agents import notebook
from engine.agents.review.verdict import state_of
from engine.run import Attempt, Run
from engine.values import PassResult, ReviewFinding
from engine.workspace.history import changed_files, parent

NAME = "comprehension"


def run_pass(run: Run, _before: list[PassResult]) -> Generator[e.Event, None, PassResult]:
    yield from ()
    commits = run.workspace.log()
    known = {a.uid: a for a in run.attempts if a.status == "keep"}
    findings: list[ReviewFinding] = []
    for commit in commits:
        attempt = known.get(commit.experiment)
        if attempt is None and run.brief.mode != "review":
            findings.append(
                _finding("critical", f"Commit {commit.sha[:7]} belongs to no experiment", commit.subject)
            )
        elif attempt is None:
            findings.append(_finding("note", f"Commit {commit.sha[:7]} names no experiment", commit.subject))
        elif not attempt.hypothesis.strip():
            findings.append(
                _finding("medium", f"Experiment {attempt.number} has no hypothesis", attempt.title)
            )
        else:
            findings.extend(_own_files_only(run, commit.sha, attempt.target.path))
    missing = [a for a in known.values() if a.commit not in {c.sha for c in commits}]
    findings.extend(
        _finding("critical", f"Experiment {a.number} is kept but its commit is not on the branch", a.title)
        for a in missing
    )
    findings.extend(_without_row(run, list(known.values())))
    words = _summary(run, len(commits), len(known))
    return PassResult(name=NAME, state=state_of(findings), summary=words, findings=tuple(findings))


def _summary(run: Run, commits: int, kept: int) -> str:
    if not commits:
        return "No commit to explain"
    if run.brief.mode == "review":
        return f"{commits} commits of the branch, read one by one"
    return f"{commits} commits, {kept} kept experiments" + (", one to one" if commits == kept else "")


def _without_row(run: Run, kept: list[Attempt]) -> list[ReviewFinding]:
    """Keeps that results.tsv does not tell of, or tells of with another commit. It is read as people will read it."""
    rows = {row.commit for row in notebook.rows(run) if row.kind == "keep" and row.commit}
    return [
        _finding("medium", f"Experiment {a.number} has no row of its commit in results.tsv", a.title)
        for a in kept
        if not a.restored and not any(a.commit.startswith(commit) for commit in rows)
    ]


def _own_files_only(run: Run, sha: str, path: str) -> list[ReviewFinding]:
    """A kept commit may change only the file that its experiment names."""
    foreign = [p for p in changed_files(run.workspace, parent(run.workspace, sha), sha) if p != path]
    return [
        _finding("critical", f"Commit {sha[:7]} also changes {p}", "It is outside its experiment", p)
        for p in foreign
    ]


def _finding(severity: str, title: str, text: str, path: str = "") -> ReviewFinding:
    return ReviewFinding(review_pass=NAME, severity=severity, title=title, text=text, path=path)
