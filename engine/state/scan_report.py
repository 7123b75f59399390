"""``scan-report.md``: ranked targets over all domains and the domain that the scan recommends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from engine.state.grammar import Document, Record, fact, lead, section
from engine.state.reader import read
from engine.state.writer import render
from engine.values import Target


@dataclass(frozen=True, kw_only=True)
class RankedTarget(Record):
    """One row: ``share`` 0..1 of the profile; ``bound`` and ``expected`` are ratios; None means not measured."""

    rank: int | None = field(default=None, metadata=fact("Rank"))
    domain: str = field(default="", metadata=fact("Domain"))
    target: str = field(default="", metadata=fact("Target"))
    line: int | None = field(default=None, metadata=fact("Line"))
    share: float | None = field(default=None, metadata=fact("Share"))
    bound: float | None = field(default=None, metadata=fact("Bound"))
    expected: float | None = field(default=None, metadata=fact("Expected"))
    score: float | None = field(default=None, metadata=fact("Score"))
    evidence: str = field(default="", metadata=fact("Evidence"))
    rules: tuple[str, ...] = field(default=(), metadata=fact("Rules"))
    note: str = field(default="", metadata=fact("Note"))

    def to_target(self) -> Target:
        """The same as the engine's own record."""
        path, _, qualname = self.target.partition("::")
        return Target(
            path=path,
            qualname=qualname or "<module>",
            line=self.line or 1,
            domain=self.domain,
            share=self.share,
            bound=self.bound,
            expected=self.expected,
            score=self.score or 0.0,
            evidence=self.evidence or "E0",
            rules=self.rules,
            note=self.note,
        )


def ranked(targets: Iterable[Target]) -> tuple[RankedTarget, ...]:
    """Rows for ``targets``, best first, ranked from 1."""
    return tuple(
        RankedTarget(
            rank=rank,
            domain=each.domain,
            target=each.id,
            line=each.line,
            share=each.share,
            bound=each.bound,
            expected=each.expected,
            score=each.score,
            evidence=each.evidence,
            rules=each.rules,
            note=each.note,
        )
        for rank, each in enumerate(targets, start=1)
    )


@dataclass(frozen=True, kw_only=True)
class ScanReport(Document):
    """``recommended`` is one domain word; ``workload`` says what was run while profiling."""

    NAME: ClassVar[str] = "scan-report.md"
    UNTITLED: ClassVar[str] = "Scan Report"

    recommended: str = field(default="", metadata=fact("Recommended domain", "Recommendation"))
    base: str = field(default="", metadata=fact("Commit", "Base"))
    workload: str = field(default="", metadata=fact("Workload"))
    date: str = field(default="", metadata=fact("Date"))
    summary: str = field(default="", metadata=lead())
    targets: tuple[RankedTarget, ...] = field(
        default=(), metadata=section("Ranked Targets", "table", "Targets", record=RankedTarget)
    )
    limits: tuple[str, ...] = field(default=(), metadata=section("What This Scan Cannot See", "items"))


def parse(text: str) -> ScanReport:
    """Read ``scan-report.md``; never raises."""
    return read(ScanReport, text)


__all__ = ["RankedTarget", "ScanReport", "parse", "ranked", "render"]
