"""Every fact the engine can state: one frozen dataclass per kind, in the past tense; ``engine.wire`` carries them.

An event carries facts, never rendering. ``at`` is seconds since the epoch, stamped when the event leaves the engine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from engine.values import Check, Isolation, Measurement, PassResult, RecoveredKeep, Target, TestRun
from engine.wire import KINDS as KINDS
from engine.wire import Event as Event
from engine.wire import MalformedEvent as MalformedEvent
from engine.wire import Unknown as Unknown
from engine.wire import from_dict as from_dict
from engine.wire import from_json as from_json
from engine.wire import to_dict as to_dict
from engine.wire import to_json as to_json


@dataclass(frozen=True, kw_only=True)
class SessionStarted(Event):
    session: str
    mode: str
    crew: str
    repo: str
    base: str
    base_ref: str
    branch: str
    isolation: Isolation
    fingerprint: dict[str, str] = field(default_factory=dict)
    resumed_from: str | None = None
    learnings_given: int = 0


@dataclass(frozen=True, kw_only=True)
class AgentStarted(Event):
    agent: str
    task: str


@dataclass(frozen=True, kw_only=True)
class AgentFinished(Event):
    agent: str
    summary: str


@dataclass(frozen=True, kw_only=True)
class LanguageDetected(Event):
    language: str
    files: int
    lines: int
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DomainChosen(Event):
    domain: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class SetupFinished(Event):
    manager: str
    python: str
    python_version: str
    lock_digest: str
    cached: bool
    seconds: float
    packages: int = 0
    test_command: str = ""
    benchmarks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TestsRan(Event):
    __test__ = False
    purpose: str
    run: TestRun
    number: int | None = None


@dataclass(frozen=True, kw_only=True)
class DependenciesResearched(Event):
    packages: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TeamFormed(Event):
    agents: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class BaselineProfiled(Event):
    commit: str
    workload: str
    seconds: float
    targets: tuple[Target, ...]
    value: float | None = None
    unit: str = "ns"
    metric: str = "cpu"
    floor: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Reprofiled(Event):
    commit: str
    targets: tuple[Target, ...]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class ProposalDropped(Event):
    """A proposal that did not become an experiment: static check or pre-screen said no."""

    rule: str
    target: str
    reason: str
    ratio: float | None = None


@dataclass(frozen=True, kw_only=True)
class ExperimentStarted(Event):
    number: int
    experiment: str
    target: Target
    agent: str
    domain: str
    pattern: str
    title: str
    hypothesis: str
    tier: str = "guarded"
    metric: str = "cpu"
    author: str = "rule"


@dataclass(frozen=True, kw_only=True)
class ExperimentAdvanced(Event):
    """``step`` is profile, reason, implement, test, benchmark, decide, commit or re-profile."""

    number: int
    step: str
    detail: str = ""
    round: int | None = None
    rounds: int | None = None


@dataclass(frozen=True, kw_only=True)
class ExperimentKept(Event):
    number: int
    commit: str
    measurement: Measurement
    end_to_end: Measurement | None = None
    tests: TestRun | None = None
    checks: tuple[Check, ...] = ()
    evidence: str = "E0"
    diff: str = ""
    output: str = ""
    best: float | None = None
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class ExperimentDiscarded(Event):
    """``reason_class`` is tests, differs, slower, noise, no evidence, guard or static."""

    number: int
    reason_class: str
    reason: str
    measurement: Measurement | None = None
    end_to_end: Measurement | None = None
    tests: TestRun | None = None
    checks: tuple[Check, ...] = ()
    evidence: str = "E0"
    counterexample: str = ""
    diff: str = ""
    output: str = ""
    consecutive: int = 0
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class ExperimentCrashed(Event):
    number: int
    error: str
    diff: str = ""
    output: str = ""
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class KeepReverted(Event):
    """Leave-one-out found that a keep brings nothing on top of the others; its commit was taken off the branch."""

    number: int
    commit: str
    head: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class FindingSent(Event):
    """The researcher's note on one target; it runs alongside and never moves the stage.

    ``inputs`` join the verification of the target: Python literals, arguments by name or in order.
    """

    target: str
    rank: int
    text: str
    proposals: tuple[str, ...] = ()
    obligations: tuple[str, ...] = ()
    risks: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LearningNoted(Event):
    """``outcome`` is keep or discard; ``evidence`` the numbers in words; both come from one experiment."""

    number: int | None
    domain: str
    pattern: str
    outcome: str
    claim: str
    evidence: str
    target: str = ""
    commit: str | None = None
    ratio: float | None = None


@dataclass(frozen=True, kw_only=True)
class ProgressRestored(Event):
    """On resume: what HANDOFF.md and results.tsv brought back."""

    head: str
    kept: int
    tried: int
    consecutive: int
    notes: tuple[str, ...] = ()
    recovered: tuple[RecoveredKeep, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ScanReported(Event):
    domain: str
    targets: tuple[Target, ...]
    summary: str


@dataclass(frozen=True, kw_only=True)
class PlateauReached(Event):
    """The optimizer's ``[complete]``. ``cause`` is plateau, no target, budget, experiments or branch (review mode)."""

    cause: str
    message: str
    consecutive: int = 0


@dataclass(frozen=True, kw_only=True)
class SessionMeasured(Event):
    """HEAD against the first baseline: the only session number."""

    head: str
    base: str
    measurement: Measurement


@dataclass(frozen=True, kw_only=True)
class ClaimMeasured(Event):
    """The review measured one keep again: its commit against its parent, with coins of the review's own."""

    number: int
    commit: str
    measurement: Measurement


@dataclass(frozen=True, kw_only=True)
class PassFinished(Event):
    result: PassResult


@dataclass(frozen=True, kw_only=True)
class ReviewFiled(Event):
    verdict: str
    head: str
    base: str
    summary: str
    report_digest: str
    results_digest: str
    passes: tuple[PassResult, ...]
    seconds: float | None = None
    without: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, kw_only=True)
class StateFileWritten(Event):
    """A file of ``.codeflash/`` as it now stands. ``cut`` bytes were left out of ``content``."""

    name: str
    digest: str
    content: str
    cut: int = 0


@dataclass(frozen=True, kw_only=True)
class MeasuringWaited(Event):
    """Measuring is exclusive on one host; ``behind`` names who holds the lock."""

    behind: str
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class NoteLogged(Event):
    """A plain line of the log: raw agent output, a warning, something a reader may want."""

    source: str
    text: str
    level: str = "info"


@dataclass(frozen=True, kw_only=True)
class StageFailed(Event):
    """A role failed. What is safe and what to do next are part of the fact; clean-up follows."""

    stage: str
    agent: str
    reason: str
    advice: str = ""
    output: str = ""
    cancelled: bool = False


@dataclass(frozen=True, kw_only=True)
class CleanedUp(Event):
    preserved: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SessionEnded(Event):
    """``outcome`` is finished, failed or cancelled."""

    outcome: str
    reason: str
    head: str | None = None
    kept: int = 0
    tried: int = 0
    seconds: float | None = None
