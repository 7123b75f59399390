"""The nouns of measuring: what is run (Workload), on which code (Arm), and how noisy that is (Floor)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.measure.gate import Score
from engine.measure.stats import median

KINDS = ("calls", "tests", "import", "command")
METRICS = ("cpu", "wall", "peak", "import")


class Cancelled(Exception):
    """The session is being stopped; the measurement was given up and says nothing."""


class MeasureError(Exception):
    """A measurement cannot be made as asked; the message says what to change."""


class ProcessFailed(MeasureError):
    """One measured process crashed, was ended by a limit, or reported something that cannot be a measurement.

    ``arm`` is ``A`` or ``B``.
    """

    def __init__(self, arm: str, reason: str) -> None:
        super().__init__(reason)
        self.arm, self.reason = arm, reason


class TooLong(MeasureError):
    """Even the smallest input does not fit the budget. ``seconds`` is what the whole measurement would need."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"needs {seconds:.0f} s")
        self.seconds = seconds


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What is run and measured.

    ``calls`` replays the recorded calls of ``target`` ("path::qualname") found in the folder ``recordings``; ``tests``
    runs the pytest node ids or paths in ``args``, bodies only; ``import`` imports ``module`` afresh; ``command`` runs
    ``python *args``. ``label`` is part of every number and is shown to people.
    """

    kind: str
    id: str
    target: str
    recordings: Path | None
    metric: str
    module: str = ""
    args: tuple[str, ...] = ()
    label: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise MeasureError(f"a workload's kind is one of {', '.join(KINDS)}, not {self.kind!r}")
        if self.metric not in METRICS:
            raise MeasureError(f"a workload's metric is one of {', '.join(METRICS)}, not {self.metric!r}")
        if self.kind == "calls" and self.recordings is None:
            raise MeasureError(
                f"the workload {self.id} replays calls and needs the folder of their recordings"
            )


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One version of the code: a plain folder of files, and the words that name it in the raw file."""

    tree: Path
    commit: str


@dataclass(frozen=True, kw_only=True)
class Process:
    """What one fresh process measured. Times are ns, memory bytes; None is "could not be read", never 0.

    ``cpu`` and ``wall`` hold one number per value. ``first`` is the very first pass on the plan's clock, ``imported``
    the CPU of importing the target, ``span`` all clocked time (CPU, wall), ``outside`` the process' whole CPU and wall
    as seen from outside it, less what the measuring itself used. ``digests`` are the results' digests, first and last.
    """

    arm: str
    at: float
    cpu: tuple[float, ...]
    wall: tuple[float, ...]
    scale: float = 1.0
    first: tuple[int, int] | None = None
    imported: int | None = None
    span: tuple[int, int] | None = None
    outside: tuple[int, int] | None = None
    peak: int | None = None
    traced: int | None = None
    p95: int | None = None
    switches: int | None = None
    load: float | None = None
    digests: tuple[str, str] | None = None
    hash_seed: int = 0
    padding: int = 0

    def values(self, clock: str) -> tuple[float, ...]:
        return self.wall if clock == "wall" else self.cpu

    def score(self, clock: str) -> Score:
        values = self.values(clock)
        return Score(float(min(values)), float(median(values)))

    def per_unit(self, clock: str) -> float:
        """The median as shown to people: ns for one call, one pass of the tests, one import."""
        return median(self.values(clock)) * self.scale


@dataclass(frozen=True, kw_only=True)
class Floor:
    """How far identical code differs from itself here and now. ``delta`` is a fraction: 0.02 hides ratios up to 1.02.

    ``processes`` are the per-process medians it rests on (ns per unit), ``value`` their median (bytes for the peak
    metric), ``load`` the one-minute load, ``seconds`` the wall time one process takes, ``loop`` the CPU ns of a fixed
    loop at that time. ``failure`` says why nothing could be measured; the gate then answers at once.
    """

    delta: float
    processes: tuple[float, ...] = ()
    noisy: bool = False
    load: float | None = None
    value: float | None = None
    seconds: float | None = None
    loop: int | None = None
    failure: str = ""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What one version costs: ns per unit, bytes for the peak metric; None, and ``failure`` says why, when unknown."""

    value: float | None = None
    failure: str = ""
