"""What each kept commit brings on top of the others: HEAD against HEAD without it."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

from engine import events as e
from engine.agents import workloads
from engine.measure import Arm, Workload
from engine.run import Attempt, Run
from engine.values import Measurement
from engine.workspace.history import without

MOST = 8
"""Keeps measured at the most; the rest are listed as not measured."""


@dataclass(frozen=True)
class Without:
    """HEAD against HEAD without one commit: ratio above 1 means the commit helps."""

    attempt: Attempt
    measurement: Measurement | None
    reason: str = ""


def tree_without(run: Run, attempt: Attempt, name: str) -> Path | None:
    """A work tree of HEAD with one commit taken out, or None when later commits build on its lines."""
    files = without(run.workspace, attempt.commit)
    if files is None:
        return None
    tree = run.workspace.tree(name, run.workspace.head)
    for path, text in files.items():
        (tree / path).write_bytes(text)
    return tree


def workload_of(run: Run, attempt: Attempt) -> Workload | None:
    """The recorded calls that the keep was measured on, as recorded before it."""
    return workloads.micro(
        run, attempt.target, recordings=Path(attempt.recordings) if attempt.recordings else None
    )


def measure_without(run: Run, attempt: Attempt) -> Generator[e.Event, None, Without]:
    """Twenty fresh pairs on the keep's own workload."""
    tree, workload, gauge = tree_without(run, attempt, "without"), workload_of(run, attempt), run.gauge
    if tree is None:
        return Without(attempt, None, "later commits build on it")
    if workload is None or gauge is None:
        return Without(attempt, None, "nothing that reaches it can be replayed")
    head = run.workspace.tree("head", run.workspace.head)
    measured = yield from run.during(
        lambda: gauge.compare(
            Arm(tree=tree, commit=f"without {attempt.commit[:12]}"),
            Arm(tree=head, commit=run.workspace.head),
            workload,
            pairs=20,
            level=0.95,
        )
    )
    return Without(attempt, measured)


def drop_useless(run: Run) -> Iterator[e.Event]:
    """Revert a keep whose removal loses nothing; needs at least two keeps to compare."""
    if len(run.kept) < 2:
        return
    for attempt in run.kept[:MOST]:
        found = yield from measure_without(run, attempt)
        if found.measurement is not None and loses_nothing(found.measurement):
            yield from _revert(run, attempt, found.measurement)


def loses_nothing(measured: Measurement) -> bool:
    """The interval of "with ÷ without" lies at or below 1 plus the noise floor: nothing is gained by keeping it."""
    return measured.high is not None and measured.high <= 1.0 + (measured.floor or 0.02) / 2


def _revert(run: Run, attempt: Attempt, measured: Measurement) -> Iterator[e.Event]:
    files = without(run.workspace, attempt.commit)
    if not files:
        return
    reason = (
        f"Without it nothing is lost: {measured.ratio:.3f}× with it"
        if measured.ratio
        else "It brings nothing"
    )
    tree = run.workspace.tree("head", run.workspace.head)
    for path, text in files.items():
        (tree / path).write_bytes(text)
    head = run.workspace.commit(
        tree=tree,
        files=files,
        message=f"Revert: {attempt.title}\n\n{reason}.",
        experiment=attempt.uid,
    )
    run.mark_reverted(attempt.number, reason)
    yield e.KeepReverted(number=attempt.number, commit=attempt.commit, head=head, reason=reason)
