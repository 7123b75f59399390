"""Pass 5: the change reads like the code around it and is worth its lines."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from engine import events as e
from engine.agents.review.verdict import state_of
from engine.run import Attempt, Run
from engine.values import PassResult, ReviewFinding
from engine.workspace.history import parent

NAME = "quality"
LONG_LINE, MANY_LINES, SMALL_GAIN = 120, 10, 1.05


def run_pass(run: Run, _before: list[PassResult]) -> Generator[e.Event, None, PassResult]:
    yield from ()
    diff = run.workspace.diff(run.workspace.base, run.workspace.head)
    added = [line[1:] for line in diff.splitlines() if line.startswith("+") and not line.startswith("+++")]
    removed = [line for line in diff.splitlines() if line.startswith("-") and not line.startswith("---")]
    findings = [*_style(added), *(f for a in run.kept for f in _worth(run, a))]
    summary = f"+{len(added)} −{len(removed)} lines" if added or removed else "No change"
    return PassResult(name=NAME, state=state_of(findings), summary=summary, findings=tuple(findings))


def _style(added: list[str]) -> Iterator[ReviewFinding]:
    long = [line for line in added if len(line) > LONG_LINE]
    if long:
        yield _finding(
            "low", f"{len(long)} added lines are longer than {LONG_LINE} characters", long[0].strip()[:160]
        )
    if any(line != line.rstrip() for line in added):
        yield _finding("low", "Added lines end in white space", "")


def _worth(run: Run, attempt: Attempt) -> Iterator[ReviewFinding]:
    diff = run.workspace.diff(parent(run.workspace, attempt.commit), attempt.commit)
    lines = sum(1 for line in diff.splitlines() if line.startswith("+") and not line.startswith("+++"))
    ratio = attempt.measurement.ratio if attempt.measurement else None
    if ratio is not None and lines > MANY_LINES and ratio < SMALL_GAIN:
        title = f"Experiment {attempt.number} adds {lines} lines for {ratio:.3f}x"
        yield _finding("medium", title, attempt.title, attempt.target.path, attempt.target.line)


def _finding(severity: str, title: str, text: str, path: str = "", line: int | None = None) -> ReviewFinding:
    return ReviewFinding(review_pass=NAME, severity=severity, title=title, text=text, path=path, line=line)
