"""Small frozen records that several events and modules share.

Each becomes a plain JSON object. ``None`` always means "not measured" or "not known"; it is never written as 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Domain = Literal["deep", "cpu", "memory", "async", "structure"]
Metric = Literal["cpu", "wall", "peak", "import"]
Tier = Literal["exact", "guarded", "numeric", "external"]
Severity = Literal["critical", "high", "medium", "low", "note"]
DOMAINS: tuple[str, ...] = ("cpu", "memory", "async", "structure")
PASSES: tuple[str, ...] = (
    "comprehension",
    "correctness",
    "safety",
    "benchmark verification",
    "quality",
    "disclosure",
)
VERDICTS: tuple[str, ...] = ("APPROVE", "REQUEST_CHANGES", "BLOCK")


@dataclass(frozen=True, kw_only=True)
class Target:
    """One row of the ranked table: a function, or a module (``qualname`` ``<module>``), in one dimension.

    ``share`` is the part of the profiled time, bytes or import time, 0..1. ``bound`` is the most that removing it
    entirely could gain (1/(1-share)), ``expected`` what the applicable rules usually gain, both as ratios.
    """

    path: str
    qualname: str
    line: int
    domain: str
    share: float | None = None
    bound: float | None = None
    expected: float | None = None
    score: float = 0.0
    evidence: str = "E0"
    rules: tuple[str, ...] = ()
    note: str = ""

    @property
    def id(self) -> str:
        return f"{self.path}::{self.qualname}"

    @property
    def words(self) -> str:
        """The name in a sentence for people: the function's, or which module is meant."""
        return f"module {self.path}" if self.qualname == "<module>" else self.qualname


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What the gate of ``engine.measure`` decided about before (A) and after (B).

    ``before`` and ``after`` are medians in ``unit``; ``ratio`` = before / after (above 1 is better) with the interval
    ``low``..``high`` at ``level``. ``floor`` is the noise floor as a fraction (0.02 means ratios up to 1.02 are noise).
    """

    metric: str
    unit: str
    outcome: str
    reason: str = ""
    before: float | None = None
    after: float | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    level: float = 0.95
    floor: float | None = None
    pairs: int = 0
    p: float | None = None
    witnesses: tuple[int, ...] = ()
    estimator: str = ""
    label: str = ""
    workload: str = ""
    load: float | None = None
    peak_before: float | None = None
    peak_after: float | None = None
    samples_before: tuple[float, ...] = ()
    samples_after: tuple[float, ...] = ()
    raw: str | None = None


@dataclass(frozen=True, kw_only=True)
class TestRun:
    """One run of the target repo's test suite. Counts are tests; ``seconds`` is wall time."""

    __test__ = False

    passed: int
    failed: int
    skipped: int = 0
    errors: int = 0
    seconds: float | None = None
    command: str = ""
    exit_code: int | None = None
    failures: tuple[str, ...] = ()
    output: str = ""
    limit: str = ""
    """What ended the run before its time: ``wall``, ``memory`` and so on; empty when it ended by itself."""

    @property
    def ok(self) -> bool:
        return self.failed == 0 and self.errors == 0 and self.passed > 0 and self.exit_code == 0


@dataclass(frozen=True, kw_only=True)
class Check:
    """One line of same-behaviour evidence. ``state`` is ``pass``, ``fail`` or ``not_checked``."""

    name: str
    state: str
    detail: str = ""
    tried: int | None = None
    agreed: int | None = None


@dataclass(frozen=True, kw_only=True)
class ReviewFinding:
    """One finding of the reviewing agent. ``state`` is ``open``, ``fixed`` or ``accepted``."""

    review_pass: str
    severity: str
    title: str
    text: str = ""
    path: str = ""
    line: int | None = None
    state: str = "open"
    resolution: str = ""


@dataclass(frozen=True, kw_only=True)
class RecoveredKeep:
    """A commit on a resumed branch that no hand-off told of. ``measurement`` is None when nobody wrote it down."""

    number: int
    experiment: str
    commit: str
    target: Target
    agent: str
    pattern: str
    title: str
    hypothesis: str
    metric: str
    measurement: Measurement | None = None


@dataclass(frozen=True, kw_only=True)
class PassResult:
    """One of the six passes. ``state`` is ``clear``, ``open``, ``failed`` or ``not_done``."""

    name: str
    state: str
    summary: str
    findings: tuple[ReviewFinding, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Isolation:
    """How target code is walled in: level ``L0`` to ``L3``, the mechanism, and why it is not higher."""

    level: str
    mechanism: str = ""
    reason: str = ""
    network: str = "none"
    checks: tuple[str, ...] = field(default=())
