"""Every fact the engine can state: one frozen dataclass per kind, in the past tense, to and from one JSON line.

An event carries facts, never rendering. ``at`` is seconds since the epoch, stamped when the event leaves the engine.
Unknown kinds read back as :class:`Unknown` with everything they held, so that nothing is ever dropped.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from typing import Any, ClassVar, Union, get_args, get_origin, get_type_hints

from engine.values import Check, Isolation, Measurement, PassResult, RecoveredKeep, Target, TestRun


@dataclass(frozen=True, kw_only=True)
class Event:
    """Base of all facts. ``kind`` is the snake case class name and never changes once published."""

    kind: ClassVar[str] = "event"
    at: float | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.kind = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
        KINDS[cls.kind] = cls


KINDS: dict[str, type[Event]] = {}


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


@dataclass(frozen=True, kw_only=True)
class Unknown(Event):
    """A kind this version does not know, kept raw."""

    raw_kind: str
    body: dict[str, Any]


class MalformedEvent(ValueError):
    """A line that is not a JSON object with a string ``kind`` and the fields its kind needs."""


def to_dict(event: Event) -> dict[str, Any]:
    """The event as plain JSON types, ``kind`` first."""
    if isinstance(event, Unknown):
        return {"kind": event.raw_kind, "at": event.at, **event.body}
    return {"kind": event.kind, **asdict(event)}


def to_json(event: Event) -> str:
    """One line without a newline in it. NaN and infinity are refused (ValueError): unknown is None."""
    return json.dumps(to_dict(event), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def from_dict(data: Mapping[str, Any]) -> Event:
    """Read an event back; raises MalformedEvent when a known kind lacks a field or has a wrong shape."""
    kind = data.get("kind")
    if not isinstance(kind, str) or not kind:
        raise MalformedEvent("an event needs a string 'kind'")
    cls = KINDS.get(kind)
    if cls is None or cls is Unknown:
        body = {k: v for k, v in data.items() if k not in ("kind", "at")}
        return Unknown(raw_kind=kind, body=body, at=data.get("at"))
    try:
        built = _build(cls, {k: v for k, v in data.items() if k != "kind"})
    except (TypeError, ValueError, AttributeError) as error:
        raise MalformedEvent(f"{kind}: {error}") from error
    assert isinstance(built, Event)
    return built


def from_json(line: str) -> Event:
    """Parse one line; raises MalformedEvent for anything that is not one JSON object."""
    try:
        data = json.loads(line)
    except ValueError as error:
        raise MalformedEvent(f"not JSON: {error}") from error
    if not isinstance(data, dict):
        raise MalformedEvent("not a JSON object")
    return from_dict(data)


def _build(cls: type[Any], data: Mapping[str, Any]) -> Any:
    hints = get_type_hints(cls)
    known = {f.name for f in fields(cls)}
    return cls(**{k: _value(hints[k], v) for k, v in data.items() if k in known})


def _value(hint: Any, value: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        return (
            None if value is None else _value(next(a for a in get_args(hint) if a is not type(None)), value)
        )
    if is_dataclass(hint) and isinstance(hint, type):
        return _build(hint, value)
    if get_origin(hint) is tuple:
        return tuple(_value(get_args(hint)[0], each) for each in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint in (str, int, float, bool) and (not isinstance(value, hint) or (hint is int and value is True)):
        raise TypeError(f"expected {hint.__name__}, got {type(value).__name__}")
    return value
