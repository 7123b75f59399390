"""What a resumed session knows of the commits it finds on its branch.

The hand-off says most. A worker that died right after a commit had not written it yet: then results.tsv may have the
row, and at the least the commit itself names the function and the file. A number nobody wrote down is measured in the
review.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from engine.run import Attempt, Run
from engine.state.handoff import Handoff, Kept
from engine.state.results import Results, Row
from engine.values import DOMAINS, Measurement, RecoveredKeep, Target
from engine.workspace import CommitInfo
from engine.workspace.history import changed_files, parent

SUBJECT = re.compile(r"perf\((?P<words>[^)]+)\): (?P<title>.*)")
DOMAIN_OF = {"cpu": "cpu", "peak": "memory", "wall": "async", "import": "structure"}
"""What was measured names the domain when no row does."""


@dataclass
class Restored:
    """``attempts`` are the keeps on the branch, oldest first; ``notes`` say what the hand-off did not know."""

    attempts: list[Attempt] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    recovered: list[RecoveredKeep] = field(default_factory=list)


def keeps(run: Run, hand_off: Handoff, table: Results) -> Restored:
    """One attempt for every commit on the branch, from the best source that tells of it."""
    found = Restored()
    lost = sum(row.status != "baseline" for row in table.rows)
    for commit in run.workspace.log():
        row = next((r for r in table.rows if r.kind == "keep" and _names(r.commit, commit)), None)
        kept = next((k for k in hand_off.kept if _names(k.commit, commit)), None)
        if kept is not None:
            found.attempts.append(_attempt(commit, kept, row))
            continue
        lost += row is None
        attempt = _attempt(commit, _from_row(row) if row else _from_commit(run, commit, lost), row)
        found.notes.append(f"Commit {commit.sha[:7]} had no row in the hand-off and was recovered")
        found.attempts.append(attempt)
        found.recovered.append(_told(attempt))
    return found


def _told(attempt: Attempt) -> RecoveredKeep:
    names = ("number", "commit", "target", "agent", "pattern", "title", "hypothesis", "metric", "measurement")
    return RecoveredKeep(experiment=attempt.uid, **{name: getattr(attempt, name) for name in names})


def _names(short: str, commit: CommitInfo) -> bool:
    return bool(short) and commit.sha.startswith(short)


def _from_row(row: Row) -> Kept:
    return Kept(
        experiment=str(number_of(row.experiment)),
        commit=row.commit,
        pattern=row.pattern,
        target=row.target,
        ratio=row.ratio,
        low=row.low,
        high=row.high,
        metric=row.metric,
        title=row.hypothesis,
    )


def _from_commit(run: Run, commit: CommitInfo, number: int) -> Kept:
    """A keep changes one file, and its subject names the function; the rest is not known."""
    paths = changed_files(run.workspace, parent(run.workspace, commit.sha), commit.sha)
    said = SUBJECT.fullmatch(commit.subject)
    target = _said_target(paths[0], said["words"]) if said and len(paths) == 1 else ""
    title = said["title"] if said else commit.subject
    return Kept(experiment=str(number), commit=commit.sha, target=target, title=title)


def _said_target(path: str, words: str) -> str:
    module = Target(path=path, qualname="<module>", line=1, domain="structure")
    return module.id if words == module.words else f"{path}::{words}"


def _attempt(commit: CommitInfo, kept: Kept, row: Row | None) -> Attempt:
    path, _, qualname = kept.target.partition("::")
    domain = row.domain if row and row.domain in DOMAINS else DOMAIN_OF.get(kept.metric, "cpu")
    return Attempt(
        number=number_of(kept.experiment),
        uid=commit.experiment,
        target=Target(path=path, qualname=qualname, line=1, domain=domain),
        agent=(row.agent if row else "") or "deep",
        pattern=kept.pattern,
        title=kept.title,
        hypothesis=commit.subject,
        tier="guarded",
        metric=kept.metric or "cpu",
        status="keep",
        commit=commit.sha,
        measurement=_claimed(kept),
        restored=True,
    )


def _claimed(kept: Kept) -> Measurement | None:
    if kept.ratio is None:
        return None
    return Measurement(
        metric=kept.metric or "cpu",
        unit="bytes" if kept.metric == "peak" else "ns",
        outcome="keep",
        ratio=kept.ratio,
        low=kept.low,
        high=kept.high,
    )


def number_of(text: str) -> int:
    """The number in ``cpu-exp007``; 0 when there is none."""
    digits = "".join(ch for ch in text if ch.isdigit())
    return int(digits) if digits else 0


def last_number(table: Results, attempts: Sequence[Attempt]) -> int:
    """Where numbering goes on: behind every row and every keep."""
    return max([sum(row.status != "baseline" for row in table.rows), *_numbers(attempts)])


def _numbers(attempts: Sequence[Attempt]) -> Iterator[int]:
    return (attempt.number for attempt in attempts)
