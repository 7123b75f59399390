"""Pass 4: the session's number measured again, every claim measured again, and what remains without each commit."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace

from engine import events as e
from engine.agents import experiment, leave_one_out, workloads
from engine.agents.review.verdict import state_of
from engine.measure import Arm, Gauge, Workload
from engine.run import Attempt, Run
from engine.values import Measurement, PassResult, ReviewFinding
from engine.workspace.history import parent

NAME = "benchmark verification"
INVISIBLE = 0.001
"""A claim of 450x that is 410x when measured again differs by this part of the time before, or less: nobody sees it."""


def run_pass(run: Run, _before: list[PassResult]) -> Generator[e.Event, None, PassResult]:
    if run.workspace.head == run.workspace.base:
        return PassResult(
            name=NAME, state="clear", summary="Nothing was kept, so there is nothing to measure"
        )
    measured = yield from session_number(run)
    yield e.SessionMeasured(head=run.workspace.head, base=run.workspace.base, measurement=measured)
    run.session_measurement = measured
    findings = list(judge_whole(measured))
    for attempt in run.kept[: leave_one_out.MOST]:
        found = yield from claim_again(run, attempt)
        findings.extend(found)
    yield from _leave_one_out(run)
    return PassResult(
        name=NAME, state=state_of(findings), summary=words(run, measured), findings=tuple(findings)
    )


def session_number(run: Run) -> Generator[e.Event, None, Measurement]:
    """HEAD against the first baseline, 40 fresh pairs, 99% interval, on the workload of most keeps."""
    workload, gauge = workloads.headline(run), run.gauge
    assert gauge is not None
    base = run.workspace.tree("review-base", run.workspace.base)
    head = run.workspace.tree("review", run.workspace.head)
    return (
        yield from run.during(
            lambda: gauge.compare(
                Arm(tree=base, commit=run.workspace.base),
                Arm(tree=head, commit=run.workspace.head),
                workload,
                pairs=40,
                level=0.99,
            )
        )
    )


def judge_whole(measured: Measurement) -> Iterator[ReviewFinding]:
    """HEAD slower is critical; an interval that touches 1 is a note: the gain is real on the recorded calls only."""
    if measured.ratio is None:
        yield _finding("high", "The session's number could not be measured", measured.reason)
    elif measured.high is not None and measured.high < 1:
        yield _finding("critical", "HEAD is slower than the base", experiment.numbers(measured))
    elif measured.low is not None and measured.low <= 1:
        yield _finding("low", "End to end the gain is within noise", experiment.numbers(measured))


def claim_again(run: Run, attempt: Attempt) -> Generator[e.Event, None, list[ReviewFinding]]:
    """One keep's own measurement repeated: its commit against its parent on the calls it was claimed on."""
    workload = leave_one_out.workload_of(run, attempt)
    if workload is None or run.gauge is None:
        title = f"The claim of experiment {attempt.number} could not be measured again"
        return [_finding("medium", title, attempt.title)]
    again = yield from _measure_again(run, run.gauge, attempt, workload)
    run.again[attempt.number] = again
    yield e.ClaimMeasured(number=attempt.number, commit=attempt.commit, measurement=again)
    if again.ratio is None or again.low is None or again.high is None:
        return [_finding("medium", f"Experiment {attempt.number} could not be measured again", again.reason)]
    if again.low <= 1:
        title = f"Experiment {attempt.number} does not hold when measured again"
        return [_finding("high", title, experiment.numbers(again), attempt)]
    if attempt.measurement is None or attempt.measurement.ratio is None:
        # Its commit is all that was left of it: this is its first number on record.
        run.attempts = [replace(a, measurement=again) if a is attempt else a for a in run.attempts]
        title = f"Experiment {attempt.number} was recovered from its commit and measured here"
        return [_finding("note", title, experiment.numbers(again), attempt)]
    return list(judge_claim(attempt, attempt.measurement, again))


def _measure_again(
    run: Run, gauge: Gauge, attempt: Attempt, workload: Workload
) -> Generator[e.Event, None, Measurement]:
    """Twenty fresh pairs, in trees of the review's own."""
    earlier = parent(run.workspace, attempt.commit)
    before = run.workspace.tree("review-base", earlier)
    after = run.workspace.tree("review", attempt.commit)
    return (
        yield from run.during(
            lambda: gauge.compare(
                Arm(tree=before, commit=earlier),
                Arm(tree=after, commit=attempt.commit),
                workload,
                pairs=20,
                level=0.99,
                # The floor of the same calls on the same code, unless this run never measured one (a resumed keep).
                floor=run.floors.get((f"{workload.id}@{earlier}", workload.metric)),
            )
        )
    )


def judge_claim(attempt: Attempt, claim: Measurement, again: Measurement) -> Iterator[ReviewFinding]:
    """A claim above what is measured again is high, unless the time it overstates is invisible; more than claimed is a
    note.
    """
    ratio, low, high = claim.ratio, again.low, again.high
    assert ratio is not None and low is not None and high is not None
    slack = 1 + (again.floor or 0.02)
    words = f"claimed {experiment.numbers(claim)}; measured again {experiment.numbers(again)}"
    least = claim.low or ratio
    if least > high * slack:
        severity = "high" if 1 / high - 1 / least > INVISIBLE else "note"
        title = f"The claim of experiment {attempt.number} is not reached again"
        yield _finding(severity, title, words, attempt)
    elif (claim.high or ratio) * slack < low:
        yield _finding("note", f"Experiment {attempt.number} gains more than it claims", words, attempt)


def _leave_one_out(run: Run) -> Iterator[e.Event]:
    """What each commit adds on top of the others: shown beside the decision."""
    run.without.clear()
    if len(run.kept) < 2:
        return
    for attempt in run.kept[: leave_one_out.MOST]:
        found = yield from leave_one_out.measure_without(run, attempt)
        m = found.measurement
        run.without.append(
            {
                "number": attempt.number,
                "commit": attempt.commit,
                "title": attempt.title,
                "ratio": m.ratio if m else None,
                "low": m.low if m else None,
                "high": m.high if m else None,
                "reason": found.reason,
            }
        )


def words(run: Run, measured: Measurement) -> str:
    if measured.ratio is None:
        return f"Not measured: {measured.reason}"
    again = sum(1 for m in run.again.values() if m.ratio is not None)
    return f"Re-measured {experiment.numbers(measured)}; {again} of {len(run.kept)} claims measured again"


def _finding(severity: str, title: str, text: str, attempt: Attempt | None = None) -> ReviewFinding:
    target = attempt.target if attempt else None
    return ReviewFinding(
        review_pass=NAME,
        severity=severity,
        title=title,
        text=text,
        path=target.path if target else "",
        line=target.line if target else None,
    )
