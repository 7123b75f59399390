"""What the reviewing process is given: the session's brief, its recorded facts and where its artefacts lie.

Nothing of the optimizers' state crosses over: no work tree, no calibration, no coin. The reviewer clones the branch
anew and reads ``results.tsv`` from the state folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine import events as e
from engine.brief import Brief
from engine.environment import Environment
from engine.measure import Floor, Workload
from engine.profile import Profile
from engine.run import Attempt, Run
from engine.values import Isolation, TestRun
from engine.wire import build

NAME = "review-brief.json"


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What a profile says of its recordings. ``calls`` maps a target id to what was recorded of it."""

    commit: str
    workload: str
    source: str
    recordings: Path
    import_roots: tuple[str, ...]
    calls: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class KnownFloor:
    """A noise floor of the loop: measured on ``workload`` (its id and the commit) for ``metric``."""

    workload: str
    metric: str
    floor: Floor


@dataclass(frozen=True, kw_only=True)
class ReviewBrief:
    """``base`` and ``newest`` are the first and the last profile's recordings, None before there are any."""

    brief: Brief
    isolation: Isolation
    domain: str
    environment: Environment
    baseline_tests: TestRun
    base: Recorded | None
    newest: Recorded | None
    session_workload: Workload | None
    attempts: tuple[Attempt, ...]
    findings: tuple[e.FindingSent, ...]
    floors: tuple[KnownFloor, ...]
    notes: tuple[str, ...]
    dropped: int


def of_run(run: Run) -> ReviewBrief:
    """The brief for reviewing what ``run`` has done so far."""
    assert run.environment is not None and run.baseline_tests is not None
    return ReviewBrief(
        brief=run.brief,
        isolation=run.isolation,
        domain=run.domain,
        environment=run.environment,
        baseline_tests=run.baseline_tests,
        base=_recorded(run.base_profile),
        newest=_recorded(run.profile),
        session_workload=run.session_workload,
        attempts=tuple(run.attempts),
        findings=tuple(run.findings.values()),
        floors=tuple(KnownFloor(workload=w, metric=m, floor=f) for (w, m), f in run.floors.items()),
        notes=tuple(run.notes),
        dropped=run.dropped,
    )


def _recorded(profile: Profile | None) -> Recorded | None:
    if profile is None:
        return None
    wanted = ("distinct", "unreplayable")
    return Recorded(
        commit=profile.commit,
        workload=profile.workload,
        source=profile.source,
        recordings=Path(profile.recordings),
        import_roots=tuple(profile.import_roots),
        calls={
            target: {name: entry[name] for name in wanted if name in entry}
            for target, entry in profile.index.items()
        },
    )


def profile_of(recorded: Recorded | None) -> Profile | None:
    """The profile as far as a review may know it: its recordings, not its rankings."""
    if recorded is None:
        return None
    return Profile(
        commit=recorded.commit,
        workload=recorded.workload,
        source=recorded.source,
        recordings=recorded.recordings,
        import_roots=recorded.import_roots,
        index=recorded.calls,
    )


def write(brief: ReviewBrief, folder: Path) -> Path:
    """The brief as a file in ``folder``; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    path.write_text(json.dumps(asdict(brief), default=str), encoding="utf-8")
    return path


def read(path: Path) -> ReviewBrief:
    """Raises ValueError with a sentence when the file is no review brief."""
    try:
        return build(ReviewBrief, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is not the brief of a review: {error}") from error
