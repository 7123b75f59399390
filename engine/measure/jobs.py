"""From a workload to what a measuring process is told, and from what it answers to a :class:`Process`.

What a process answers was written beside code of the target and is not trusted: every number is checked for type and
sign, and a missing or zero value is a failure, never a 0.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.environment import Environment
from engine.measure.model import Arm, MeasureError, Process, ProcessFailed, Workload
from engine.profile.scope import find_scope
from engine.sandbox import Completed

MOST_NUMBER = 1 << 62


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """How a workload is run, chosen once by calibration on A: the same for both versions and every process.

    ``per_pass`` is how many calls a value is divided by (1 where it is a mean already), ``pass_ns`` the wall time of a
    pass, ``process_ns`` that of a process without its start where calibration tried one. ``used`` of ``recorded``
    inputs fit the budget, ``inputs`` is their digest, ``more`` goes to the processes.
    """

    loops: int
    values: int
    per_pass: int
    pass_ns: float
    used: int
    recorded: int
    inputs: str
    keep_first: bool
    stateful: bool
    more: Mapping[str, Any] = field(default_factory=dict)
    process_ns: float = 0.0
    seconds: float = 0.0

    @property
    def scale(self) -> float:
        """From one value to one unit: a call, or a pass of the tests."""
        return 1.0 / (self.loops * self.per_pass)

    def told(self) -> dict[str, Any]:
        own = {
            "loops": self.loops,
            "values": self.values,
            "keep_first": self.keep_first,
            "stateful": self.stateful,
        }
        return {**self.more, **own}


IMPORT_TUNING = Tuning(
    loops=1,
    values=1,
    per_pass=1,
    pass_ns=0.0,
    used=1,
    recorded=1,
    inputs="",
    keep_first=True,
    stateful=False,
)


def job_of(workload: Workload, arm: Arm, environment: Environment, order: int) -> dict[str, Any]:
    """The fixed part of a job; MeasureError for a workload that cannot be run."""
    clock = "wall" if workload.metric == "wall" else "cpu"
    base: dict[str, Any] = {"kind": workload.kind, "metric": clock, "tree": str(arm.tree), "order": order}
    if workload.kind == "calls":
        return base | _calls_job(workload)
    if workload.kind == "tests":
        return base | _tests_job(workload, arm, environment)
    return base | {"args": list(workload.args)}


def _calls_job(workload: Workload) -> dict[str, Any]:
    entry = index_entry(workload)
    assert workload.recordings is not None
    file = workload.recordings / str(entry["file"])
    return {
        "file": str(file),
        "module": entry["module"],
        "qualname": entry["qualname"],
        "call_kind": entry.get("kind", "function"),
    }


def index_entry(workload: Workload) -> dict[str, Any]:
    """The target's line of the recordings' index; MeasureError when it was not recorded or cannot be replayed."""
    assert workload.recordings is not None
    path = workload.recordings / "index.json"
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))["targets"][workload.target]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MeasureError(f"no calls of {workload.target} were recorded in {path.parent.name}") from error
    if entry.get("unreplayable") or not entry.get("file"):
        raise MeasureError(
            f"{workload.target} cannot be replayed: {entry.get('unreplayable') or 'no call was kept'}"
        )
    if Path(str(entry["file"])).name != entry["file"]:
        raise MeasureError(f"the index of {path.parent.name} names a file outside its folder")
    return dict(entry)


def _tests_job(workload: Workload, arm: Arm, environment: Environment) -> dict[str, Any]:
    """Benchmarks of the repo may be pytest files or plain ones; everything else is pytest's."""
    if not workload.args:
        raise MeasureError(f"the workload {workload.id} names no test")
    if set(workload.args) != set(environment.benchmarks):
        return {"args": list(workload.args)}
    scope = find_scope(arm.tree, environment)
    return {"args": list(scope.benchmark_args), "files": list(scope.benchmark_files), "benchmarks": True}


def answer_of(done: Completed, arm: str, nonce: str) -> dict[str, Any]:
    """The report of a run that ended well; ProcessFailed with a sentence for every other end."""
    if not done.ok:
        raise ProcessFailed(arm, f"{_end_of(done)}{_tail(done.stderr)}")
    try:
        found = json.loads(done.stdout.splitlines()[-1])
        good = isinstance(found, dict) and found.get("nonce") == nonce
    except (ValueError, IndexError, RecursionError):
        good = False
    if not good:
        raise ProcessFailed(arm, f"the process ended without a report{_tail(done.stderr)}")
    if "error" in found:
        raise ProcessFailed(arm, str(found["error"])[:500])
    return dict(found)


def _end_of(done: Completed) -> str:
    if done.timed_out:
        return f"it did not end within {done.wall_seconds:.0f} s"
    if done.limit:
        return f"it met the {done.limit} limit"
    if done.signal:
        return f"it was ended by signal {done.signal}"
    return f"it ended with exit code {done.exit_code}"


def _tail(stderr: bytes) -> str:
    lines = [line for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    return f": {lines[-1].strip()[:300]}" if lines else ""


def tuning_of(found: Mapping[str, Any], arm: str) -> Tuning:
    """Calibration's answer; ``needs`` is handled by the caller."""
    known = ("loops", "values", "per_pass", "pass_ns", "used", "recorded")
    loops, values, per_pass, pass_ns, used, recorded = (_positive(found, name, arm) for name in known)
    more = {name: found[name] for name in ("plan", "fresh", "lazy", "aside") if name in found}
    return Tuning(
        loops=loops,
        values=values,
        per_pass=per_pass,
        pass_ns=float(pass_ns),
        used=used,
        recorded=recorded,
        inputs=str(found.get("inputs", ""))[:64],
        keep_first=bool(found.get("keep_first")),
        stateful=bool(found.get("stateful")),
        more=more,
        process_ns=float(_positive(found, "process_ns", arm)) if "process_ns" in found else 0.0,
    )


def process_of(found: Mapping[str, Any], done: Completed, *, arm: str, values: int, scale: float) -> Process:
    """One measured process; ProcessFailed when a number is missing, not positive or not a number."""
    cpu, wall = (_positives(found.get(name), arm) for name in ("cpu", "wall"))
    if len(cpu) != values or len(wall) != values:
        raise ProcessFailed(arm, f"the process reported {len(cpu)} values instead of {values}")
    return Process(
        arm=arm,
        at=0.0,
        cpu=cpu,
        wall=wall,
        scale=scale,
        first=_couple(found.get("first")),
        imported=_maybe(found.get("imported")),
        span=_couple(found.get("span")),
        outside=_outside(done, found),
        peak=_maybe(found.get("peak")),
        p95=_maybe(found.get("p95")),
        switches=_count(found.get("switches")),
        digests=_words(found.get("digests")),
    )


def _outside(done: Completed, found: Mapping[str, Any]) -> tuple[int, int] | None:
    """Whole CPU and wall of the process as the sandbox saw them, without what measuring itself used.

    Processes it left running are not in what the sandbox adds up, so their time is added here.
    """
    aside = _count(found.get("aside"))
    if done.cpu_seconds is None or aside is None:
        return None
    left = _count(found.get("left")) or 0
    return int(done.cpu_seconds * 1e9) - aside + left, int(done.wall_seconds * 1e9) - aside


def _positive(found: Mapping[str, Any], name: str, arm: str) -> int:
    return _positives([found.get(name)], arm)[0]


def _positives(values: object, arm: str) -> tuple[int, ...]:
    if not isinstance(values, list) or not all(_maybe(v) for v in values):
        raise ProcessFailed(arm, "the process reported a time that is missing or not above zero")
    return tuple(int(v) for v in values)


def _maybe(value: object) -> int | None:
    number = _count(value)
    return number or None


def _count(value: object) -> int | None:
    good = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MOST_NUMBER
    return int(value) if good and isinstance(value, int) else None


def _words(value: object) -> tuple[str, str] | None:
    good = isinstance(value, list) and len(value) == 2
    return (str(value[0])[:40], str(value[1])[:40]) if good and isinstance(value, list) else None


def _couple(value: object) -> tuple[int, int] | None:
    if not isinstance(value, list) or len(value) != 2:
        return None
    first, second = (_maybe(v) for v in value)
    return (first, second) if first and second else None
