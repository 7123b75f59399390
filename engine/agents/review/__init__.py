"""The session's side of a review: brief a process of its own, pass on what it states, take over what it found."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import engine
from engine import events as e
from engine.agents import notebook
from engine.agents.review import brief
from engine.run import Attempt, Cancelled, RoleFailed, Run

FOLDER = "review"
"""Below the session's work folder: the review's brief, clone, trees and scratch; clean-up deletes it."""
ADVICE = "The kept commits are on the session branch. Launch a review of it, or resume the session."


def review(run: Run) -> Iterator[e.Event]:
    """Have the branch reviewed by another process, and bring the state files up to date with its words."""
    path = brief.write(brief.of_run(run), run.work / FOLDER)
    for event in run.during(lambda: _relay(run, path)):
        yield from _take_over(run, event)
        yield event


def _relay(run: Run, path: Path) -> None:
    """Say every event of the reviewing process; raises RoleFailed when it ends without a verdict."""
    with subprocess.Popen(
        [sys.executable, "-m", "engine", "reviewer", str(path)],
        stdin=subprocess.PIPE,  # it ends with us: the pipe closes however we go
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": _import_path()},
    ) as process:
        assert process.stdout is not None
        run.cancel.on_set(process.terminate)
        failure: e.StageFailed | None = None
        filed = False
        for line in process.stdout:
            event = e.from_json(line.decode("utf-8", "replace"))
            if isinstance(event, e.StageFailed):
                failure = event
                continue
            filed = filed or isinstance(event, e.ReviewFiled)
            run.say(event)
    if failure is not None:
        raise _error(failure)
    if not filed:
        raise RoleFailed(
            f"The review ended without a verdict (exit status {process.returncode}).", advice=ADVICE
        )


def _import_path() -> str:
    """The engine's own folder first, so that the reviewer is the same version wherever it starts."""
    own = str(Path(engine.__file__).resolve().parent.parent)
    return os.pathsep.join([own, *filter(None, [os.environ.get("PYTHONPATH")])])


def _error(failure: e.StageFailed) -> Exception:
    if failure.cancelled:
        return Cancelled()
    return RoleFailed(failure.reason, advice=failure.advice or ADVICE, output=failure.output)


def _take_over(run: Run, event: e.Event) -> Iterator[e.Event]:
    """What the review measured joins the session's memory; the state files are up to date before its verdict."""
    if isinstance(event, e.SessionMeasured):
        run.session_measurement = event.measurement
    elif isinstance(event, e.ClaimMeasured):
        run.attempts = [_first_number(attempt, event) for attempt in run.attempts]
    elif isinstance(event, e.ReviewFiled):
        yield from notebook.write_changelog(run)
        yield from notebook.write_hand_off(run)


def _first_number(attempt: Attempt, event: e.ClaimMeasured) -> Attempt:
    """A keep recovered from its commit alone has no number on record until the review measured it."""
    known = attempt.measurement is not None and attempt.measurement.ratio is not None
    if attempt.number != event.number or known or event.measurement.ratio is None:
        return attempt
    return replace(attempt, measurement=event.measurement)
