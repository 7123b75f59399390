"""Clean-up and the session's end: reached after every start, whatever happened in between."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator

from engine import events as e
from engine.agents import notebook
from engine.run import Run

log = logging.getLogger("engine.clean_up")
PRESERVED = ("learnings.md", "results.tsv", "changelog.md", "HANDOFF.md", "review-report.md", "setup.md")
TEMPORARY = ("trees", "scratch", "profile", "review")


def clean_up(run: Run, failure: e.StageFailed | None) -> Iterator[e.Event]:
    """Preserve the state files, delete temporary folders, state the end."""
    yield from _hand_off_quietly(run)
    yield e.CleanedUp(preserved=_preserved(run), removed=tuple(_remove(run)))
    run.pool.shutdown(wait=False, cancel_futures=True)
    yield e.SessionEnded(
        outcome=_outcome(failure),
        reason=failure.reason if failure else _reason(run),
        head=run.workspace.head,
        kept=len(run.kept),
        tried=len(run.attempts),
        seconds=round(run.seconds, 3),
    )


def _hand_off_quietly(run: Run) -> Iterator[e.Event]:
    """The hand-off is what a resume starts from; failing to write it must not hide the end."""
    if run.brief.mode in ("scan", "review"):
        return
    try:
        written = list(notebook.write_hand_off(run))
    except Exception as error:
        log.exception("the hand-off could not be written")
        written = [
            e.NoteLogged(source="router", text=f"The hand-off could not be written: {error}", level="warning")
        ]
    yield from written


def _preserved(run: Run) -> tuple[str, ...]:
    return tuple(name for name in PRESERVED if (run.state_folder / name).is_file())


def _remove(run: Run) -> Iterator[str]:
    for name in TEMPORARY:
        folder = run.work / name
        if folder.exists():
            shutil.rmtree(folder, ignore_errors=True)
            yield name


def _outcome(failure: e.StageFailed | None) -> str:
    if failure is None:
        return "finished"
    return "cancelled" if failure.cancelled else "failed"


def _reason(run: Run) -> str:
    if run.brief.mode == "scan":
        return "Scan finished; nothing was changed"
    if run.brief.mode == "review":
        return "Review finished"
    return f"{len(run.kept)} of {len(run.attempts)} experiments kept"
