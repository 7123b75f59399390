"""``learnings.md``: one heading per thing found out, with the numbers that show it. Notes are evidence, not orders."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import ClassVar

from engine.state.grammar import ENTRY_LIMIT, Document, Record, fact, lead, rest, title
from engine.state.reader import read
from engine.state.writer import render

OUTCOMES = ("keep", "discard", "note")
_WORDS = {
    "kept": "keep",
    "discarded": "discard",
    "failed": "discard",
    "rejected": "discard",
    "worked": "keep",
}


@dataclass(frozen=True, kw_only=True)
class Learning(Record):
    """``claim`` is the heading, ``evidence`` the prose below; ``ratio`` is before / after, above 1 is better."""

    claim: str = field(default="", metadata=title())
    domain: str = field(default="", metadata=fact("Domain"))
    pattern: str = field(default="", metadata=fact("Pattern"))
    outcome: str = field(default="", metadata=fact("Outcome", "Result", choices=OUTCOMES, words=_WORDS))
    target: str = field(default="", metadata=fact("Target"))
    repo: str = field(default="", metadata=fact("Repo"))
    session: str = field(default="", metadata=fact("Session"))
    experiment: str = field(default="", metadata=fact("Experiment"))
    commit: str = field(default="", metadata=fact("Commit"))
    ratio: float | None = field(default=None, metadata=fact("Ratio"))
    trust: str = field(default="", metadata=fact("Trust"))
    identity: str = field(default="", metadata=fact("Id"))
    evidence: str = field(default="", metadata=lead())

    @property
    def key(self) -> tuple[str, ...]:
        """Two learnings with the same key are one, seen twice."""
        words = (self.claim, self.target, self.pattern, self.outcome, self.commit)
        return tuple(word.casefold() for word in words)


@dataclass(frozen=True, kw_only=True)
class Learnings(Document):
    """At most 500 entries, oldest first."""

    NAME: ClassVar[str] = "learnings.md"
    UNTITLED: ClassVar[str] = "Learnings"
    LIMIT: ClassVar[int] = 64_000

    preface: str = field(default="", metadata=lead())
    entries: tuple[Learning, ...] = field(default=(), metadata=rest(Learning))


def parse(text: str) -> Learnings:
    """Read ``learnings.md``; never raises."""
    return read(Learnings, text)


def atoms(document: Learnings) -> tuple[Learning, ...]:
    """One learning a thing: an entry without any facts whose prose is a list gives one learning a bullet."""
    found = _bullets(document.preface)
    for entry in document.entries:
        plain = entry == Learning(claim=entry.claim, evidence=entry.evidence)
        split = _bullets(entry.evidence, heading=entry.claim) if plain else []
        found += split or [entry]
    return tuple(found[:ENTRY_LIMIT])


def _bullets(text: str, *, heading: str = "") -> list[Learning]:
    """Each ``- line`` with the indented lines below it; ``heading`` goes into the evidence."""
    groups: list[list[str]] = []
    for line in text.split("\n"):
        if line[:2] in ("- ", "* ", "+ "):
            groups.append([line[2:]])
        elif groups and line.startswith("  "):
            groups[-1].append(line.strip())
    under = [f"Under: {heading}"] if heading else []
    return [Learning(claim=claim, evidence="\n".join([*more, *under])) for claim, *more in groups]


def merge(old: Learnings, new: Iterable[Learning]) -> Learnings:
    """``old`` with ``new`` behind it, each once; the oldest go first when the file would pass its limits."""
    each = {entry.key: entry for entry in (*old.entries, *new)}
    entries = list(each.values())[-ENTRY_LIMIT:]
    room = Learnings.LIMIT - len(render(replace(old, entries=(), notes=())))
    sizes = [len(render(Learnings(entries=(entry,)))) for entry in entries]
    while entries and sum(sizes) > room:
        del entries[0], sizes[0]
    return replace(old, entries=tuple(entries), notes=())


__all__ = ["OUTCOMES", "Learning", "Learnings", "atoms", "merge", "parse", "render"]
