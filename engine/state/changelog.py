"""``changelog.md``: what the sessions changed, in words fit for a pull request. One heading per session."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

from engine.state.grammar import Document, Record, fact, lead, rest, section, title
from engine.state.handoff import Kept, Tried
from engine.state.reader import read
from engine.state.writer import render


@dataclass(frozen=True, kw_only=True)
class SessionEntry(Record):
    """One session. ``ratio`` (``low``..``high``) is head against the first baseline, the only session number."""

    title: str = field(default="", metadata=title())
    session: str = field(default="", metadata=fact("Session"))
    date: str = field(default="", metadata=fact("Date"))
    branch: str = field(default="", metadata=fact("Branch"))
    base: str = field(default="", metadata=fact("Base"))
    head: str = field(default="", metadata=fact("Head"))
    ratio: float | None = field(default=None, metadata=fact("Session ratio"))
    low: float | None = field(default=None, metadata=fact("Low"))
    high: float | None = field(default=None, metadata=fact("High"))
    measured: str = field(default="", metadata=fact("Measured"))
    verdict: str = field(default="", metadata=fact("Verdict"))
    summary: str = field(default="", metadata=lead())
    kept: tuple[Kept, ...] = field(default=(), metadata=section("Commits", "table", record=Kept))
    discarded: tuple[Tried, ...] = field(
        default=(), metadata=section("Discarded Experiments", "table", record=Tried)
    )
    disclosure: tuple[str, ...] = field(default=(), metadata=section("Known Differences", "items"))
    reproduce: tuple[str, ...] = field(default=(), metadata=section("How to Reproduce", "code"))


@dataclass(frozen=True, kw_only=True)
class Changelog(Document):
    """The newest session comes first."""

    NAME: ClassVar[str] = "changelog.md"
    UNTITLED: ClassVar[str] = "Optimization Changelog"

    preface: str = field(default="", metadata=lead())
    sessions: tuple[SessionEntry, ...] = field(default=(), metadata=rest(SessionEntry))


def parse(text: str) -> Changelog:
    """Read ``changelog.md``; never raises."""
    return read(Changelog, text)


def add(old: Changelog, entry: SessionEntry) -> Changelog:
    """``old`` with ``entry`` on top; an earlier entry of the same session gives way to it."""
    others = [each for each in old.sessions if not entry.session or each.session != entry.session]
    sessions = [entry, *others]
    while len(sessions) > 1 and len(render(replace(old, sessions=tuple(sessions)))) > old.LIMIT:
        sessions.pop()
    return replace(old, sessions=tuple(sessions), notes=())


__all__ = ["Changelog", "SessionEntry", "add", "parse", "render"]
