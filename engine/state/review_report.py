"""``review-report.md``: the verdict, the revision it is about, and the six passes with their findings.

The verdict is read from the facts right below the title and from nowhere else: no finding, however worded, can set
it. Text that looks like a fact or a heading is escaped when it is written.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from engine.state.grammar import Document, Record, fact, lead, rest, section, title
from engine.state.reader import read
from engine.state.writer import render
from engine.values import PASSES, PassResult, ReviewFinding

VERDICTS = ("APPROVE", "REQUEST CHANGES", "BLOCK")
"""As printed; the engine's own word for the second is ``REQUEST_CHANGES``."""
SEVERITIES = ("critical", "high", "medium", "low", "note")
PASS_STATES = ("clear", "open", "failed", "not_done")
FINDING_STATES = ("open", "fixed", "accepted")
_VERDICT_WORDS = {
    "request_changes": "REQUEST CHANGES",
    "needs-attention": "REQUEST CHANGES",
    "approved": "APPROVE",
    "blocked": "BLOCK",
}
_SEVERITY_WORDS = {"blocker": "critical", "major": "high", "minor": "low", "info": "note", "nit": "note"}


@dataclass(frozen=True, kw_only=True)
class Finding(Record):
    """One finding. ``where`` is ``path:line`` or a path, relative to the repository."""

    title: str = field(default="", metadata=title())
    severity: str = field(default="", metadata=fact("Severity", choices=SEVERITIES, words=_SEVERITY_WORDS))
    where: str = field(default="", metadata=fact("Where", "File", "Location"))
    state: str = field(default="open", metadata=fact("State", choices=FINDING_STATES))
    resolution: str = field(default="", metadata=fact("Resolution"))
    text: str = field(default="", metadata=lead())

    @property
    def path(self) -> str:
        return self.where.rpartition(":")[0] if self.line is not None else self.where

    @property
    def line(self) -> int | None:
        """The line number, when ``where`` ends in one."""
        tail = self.where.rpartition(":")[2]
        return int(tail) if tail.isdecimal() and ":" in self.where and len(tail) < 10 else None


@dataclass(frozen=True, kw_only=True)
class Pass(Record):
    """One of the six passes. A pass that did not run says ``not_done``."""

    state: str = field(default="not_done", metadata=fact("State", choices=PASS_STATES))
    summary: str = field(default="", metadata=lead())
    findings: tuple[Finding, ...] = field(default=(), metadata=rest(Finding))


@dataclass(frozen=True, kw_only=True)
class ReviewReport(Document):
    """``base`` and ``head`` are full commit ids; ``results_digest`` binds the report to one ``results.tsv``."""

    NAME: ClassVar[str] = "review-report.md"
    UNTITLED: ClassVar[str] = "Review Report"

    verdict: str = field(default="", metadata=fact("Verdict", choices=VERDICTS, words=_VERDICT_WORDS))
    base: str = field(default="", metadata=fact("Base"))
    head: str = field(default="", metadata=fact("Head"))
    branch: str = field(default="", metadata=fact("Branch"))
    reviewer: str = field(default="", metadata=fact("Reviewer"))
    date: str = field(default="", metadata=fact("Date"))
    results_digest: str = field(default="", metadata=fact("Results digest"))
    summary: str = field(default="", metadata=lead())
    comprehension: Pass = field(default=Pass(), metadata=section("Comprehension", "record", record=Pass))
    correctness: Pass = field(default=Pass(), metadata=section("Correctness", "record", record=Pass))
    safety: Pass = field(default=Pass(), metadata=section("Safety", "record", record=Pass))
    benchmark_verification: Pass = field(
        default=Pass(), metadata=section("Benchmark verification", "record", record=Pass)
    )
    quality: Pass = field(default=Pass(), metadata=section("Quality", "record", record=Pass))
    disclosure: Pass = field(default=Pass(), metadata=section("Disclosure", "record", record=Pass))

    @property
    def passes(self) -> tuple[PassResult, ...]:
        """The six passes in their order, as the engine's own records."""
        return tuple(_result(name, getattr(self, _field(name))) for name in PASSES)

    @property
    def engine_verdict(self) -> str:
        """``APPROVE``, ``REQUEST_CHANGES``, ``BLOCK`` or "" when the report states none."""
        return self.verdict.replace(" ", "_")


def from_passes(
    passes: Iterable[PassResult], *, verdict: str, base: str, head: str, **facts: str
) -> ReviewReport:
    """The report of ``passes``; ``verdict`` in either spelling. Raises StateError for a word that is not known."""
    named = {_field(each.name): _pass(each) for each in passes if each.name in PASSES}
    printed = verdict.replace("_", " ")
    return ReviewReport(verdict=printed, base=base, head=head, **named, **facts)  # type: ignore[arg-type]


def _field(name: str) -> str:
    return name.replace(" ", "_")


def _pass(result: PassResult) -> Pass:
    return Pass(state=result.state, summary=result.summary, findings=tuple(map(_finding, result.findings)))


def _finding(each: ReviewFinding) -> Finding:
    where = f"{each.path}:{each.line}" if each.line is not None else each.path
    return Finding(
        title=each.title,
        severity=each.severity,
        where=where,
        state=each.state,
        resolution=each.resolution,
        text=each.text,
    )


def _result(name: str, each: Pass) -> PassResult:
    found = tuple(
        ReviewFinding(
            review_pass=name,
            severity=finding.severity or "note",
            title=finding.title,
            text=finding.text,
            path=finding.path,
            line=finding.line,
            state=finding.state,
            resolution=finding.resolution,
        )
        for finding in each.findings
    )
    return PassResult(name=name, state=each.state, summary=each.summary, findings=found)


def parse(text: str) -> ReviewReport:
    """Read ``review-report.md``; never raises. A report without a readable verdict has verdict ""."""
    return read(ReviewReport, text)


__all__ = ["Finding", "Pass", "ReviewReport", "from_passes", "parse", "render"]
