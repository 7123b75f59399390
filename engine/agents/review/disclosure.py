"""Pass 6: everything a person must know before deciding is written in the report."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from engine import events as e
from engine.agents.review.verdict import state_of
from engine.run import Run
from engine.values import PassResult, ReviewFinding

NAME = "disclosure"


def run_pass(run: Run, before: list[PassResult]) -> Generator[e.Event, None, PassResult]:
    yield from ()
    findings = list(_notes(run))
    findings.extend(_differences(run))
    discarded = sum(a.status == "discard" for a in run.attempts)
    crashed = sum(a.status == "crash" for a in run.attempts)
    summary = (
        f"{len(run.kept)} kept, {discarded} discarded, {crashed} crashed, {run.dropped} proposals dropped before an "
        f"experiment; isolation {run.isolation.level}; {authors(run)}"
    )
    return PassResult(name=NAME, state=state_of(findings), summary=summary, findings=tuple(findings))


def authors(run: Run) -> str:
    """Who wrote the changes, in words."""
    if run.brief.mode == "review":
        return "the changes are the branch's own, not this engine's"
    return "all changes written by rules"


def _notes(run: Run) -> Iterator[ReviewFinding]:
    """Limits of this session in words: isolation, set-aside tests, noise, weak evidence."""
    if run.isolation.level == "L0":
        yield _finding("medium", "Not isolated: tests ran with your user's rights", run.isolation.reason)
    for note in run.notes:
        severity = "medium" if "set aside" in note else "note"
        yield _finding(severity, note[:280], "")
    for attempt in run.kept:
        if attempt.measurement and attempt.measurement.label.startswith("micro"):
            yield _finding(
                "note",
                f"Experiment {attempt.number} is measured on recorded calls",
                attempt.measurement.label,
                attempt.target.path,
            )
    python = f"Python {run.environment.python_version}" if run.environment else "this Python"
    yield _finding(
        "note",
        f"Figures hold for the recorded calls, this machine and {python}",
        "Evidence is inputs tried, not proof. Tests are not production traffic.",
    )


def _differences(run: Run) -> Iterator[ReviewFinding]:
    """Behaviour outside the observed contract that is known to differ, with the input."""
    for target_id, evidence in run.review_evidence.items():
        path, _, name = target_id.partition("::")
        for words in evidence.disclosed:
            yield _finding("note", f"{name} differs outside its observed use", words, path)


def _finding(severity: str, title: str, text: str, path: str = "") -> ReviewFinding:
    return ReviewFinding(review_pass=NAME, severity=severity, title=title, text=text, path=path)
