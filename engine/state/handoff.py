"""``HANDOFF.md``: the state of a session, enough for another one to go on from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from engine.state.grammar import Document, Record, fact, lead, section
from engine.state.reader import read
from engine.state.scan_report import RankedTarget
from engine.state.writer import render


@dataclass(frozen=True, kw_only=True)
class Kept(Record):
    """One kept experiment: the commit on the branch, before / after as a ratio with its interval."""

    experiment: str = field(default="", metadata=fact("Experiment"))
    commit: str = field(default="", metadata=fact("Commit"))
    pattern: str = field(default="", metadata=fact("Pattern"))
    target: str = field(default="", metadata=fact("Target"))
    ratio: float | None = field(default=None, metadata=fact("Ratio"))
    low: float | None = field(default=None, metadata=fact("Low"))
    high: float | None = field(default=None, metadata=fact("High"))
    metric: str = field(default="", metadata=fact("Metric"))
    title: str = field(default="", metadata=fact("Change"))


@dataclass(frozen=True, kw_only=True)
class Tried(Record):
    """One try that was not kept, and why. ``key`` is what a later session skips."""

    experiment: str = field(default="", metadata=fact("Experiment"))
    pattern: str = field(default="", metadata=fact("Pattern"))
    target: str = field(default="", metadata=fact("Target"))
    reason_class: str = field(default="", metadata=fact("Class"))
    reason: str = field(default="", metadata=fact("Reason"))
    key: str = field(default="", metadata=fact("Skip key"))


@dataclass(frozen=True, kw_only=True)
class Handoff(Document):
    """``tried`` counts all experiments, ``consecutive`` the discards in a row at the end; ``best`` is a ratio."""

    NAME: ClassVar[str] = "HANDOFF.md"
    UNTITLED: ClassVar[str] = "Optimization Session Hand-off"

    session: str = field(default="", metadata=fact("Session", under="Session Info"))
    date: str = field(default="", metadata=fact("Date", under="Session Info"))
    repo: str = field(default="", metadata=fact("Repo", under="Session Info"))
    domain: str = field(default="", metadata=fact("Domain", under="Session Info"))
    mode: str = field(default="", metadata=fact("Mode", under="Session Info"))
    branch: str = field(default="", metadata=fact("Branch", under="Session Info"))
    base: str = field(default="", metadata=fact("Base", under="Session Info"))
    head: str = field(default="", metadata=fact("Head", under="Session Info"))
    tried: int | None = field(default=None, metadata=fact("Experiments tried", under="Session Info"))
    consecutive: int | None = field(default=None, metadata=fact("Consecutive discards", under="Session Info"))
    best: float | None = field(default=None, metadata=fact("Best ratio", under="Session Info"))
    stopped: str = field(default="", metadata=fact("Stopped because", under="Session Info"))
    note: str = field(default="", metadata=lead())
    summary: str = field(default="", metadata=section("Summary", "prose"))
    kept: tuple[Kept, ...] = field(
        default=(), metadata=section("Optimizations Committed", "table", "Kept", record=Kept)
    )
    discarded: tuple[Tried, ...] = field(
        default=(), metadata=section("Discarded Experiments", "table", "Tried", record=Tried)
    )
    next_targets: tuple[RankedTarget, ...] = field(
        default=(), metadata=section("Next Targets", "table", record=RankedTarget)
    )
    discoveries: tuple[str, ...] = field(default=(), metadata=section("Key Discoveries", "items"))
    not_pursued: tuple[str, ...] = field(default=(), metadata=section("Areas Not Pursued", "items"))
    next_steps: tuple[str, ...] = field(default=(), metadata=section("Next Steps", "items"))
    reproduce: tuple[str, ...] = field(
        default=(),
        metadata=section("How to Reproduce Measurements", "code", "How to Reproduce", "Reproduce"),
    )


def parse(text: str) -> Handoff:
    """Read ``HANDOFF.md``; never raises."""
    return read(Handoff, text)


__all__ = ["Handoff", "Kept", "Tried", "parse", "render"]
