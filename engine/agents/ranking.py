"""Profile and rank: the baseline before any experiment, and again after every keep."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from pathlib import Path

from engine import events as e
from engine.agents import proposing, workloads
from engine.measure import Arm, Floor, Reading, Workload, working
from engine.profile import Profile, profile, rank
from engine.run import RoleFailed, Run
from engine.values import DOMAINS, Target

SHOWN_TARGETS = 40


def wanted_domains(run: Run) -> tuple[str, ...]:
    return (run.domain,) if run.domain in DOMAINS else DOMAINS


def profile_commit(run: Run, commit: str) -> Generator[e.Event, None, Profile]:
    """Profile and record one commit in every wanted dimension."""
    environment = run.environment
    assert environment is not None
    tree = run.workspace.tree("profile", commit)

    def work() -> Profile:
        with working(Path(run.brief.lock)):
            return profile(
                tree=tree,
                environment=environment,
                sandbox=run.sandbox,
                out=run.work / "profile" / commit[:12],
                domains=wanted_domains(run),
                commit=commit,
            )

    found = yield from run.during(work)
    return found


def rank_targets(run: Run) -> list[Target]:
    """The one table of all dimensions for the current head, best first."""
    assert run.profile is not None and run.history is not None
    found, _ = proposing.collect(run, list(run.profile.target_ids()))
    return rank(
        run.profile,
        domain=run.domain,
        rules=proposing.priors(found),
        history=run.history,
        floor=session_floor(run),
    )[:SHOWN_TARGETS]


def session_floor(run: Run) -> float:
    """The noise floor of the session's own workload as a fraction, 0.02 before it is measured."""
    floor = run.gauge.newest_floor(run.session_workload) if run.gauge and run.session_workload else None
    return floor.delta if floor else 0.02


def floor_for(run: Run, tree: Path, workload: Workload) -> Generator[e.Event, None, Floor]:
    """The floor of one workload on the current head, measured once per head and workload."""
    assert run.gauge is not None
    gauge, head = run.gauge, run.workspace.head
    key = (f"{workload.id}@{head}", workload.metric)
    if key not in run.floors:
        run.floors[key] = yield from run.during(lambda: gauge.floor(Arm(tree=tree, commit=head), workload))
    return run.floors[key]


def baseline(run: Run) -> Iterator[e.Event]:
    """Profile the base, read what the session's workload costs, rank.

    The workload's noise floor is measured with the first comparison on it: no experiment has to wait for it.
    """
    started = time.monotonic()
    run.profile = run.base_profile = yield from profile_commit(run, run.workspace.head)
    if not list(run.profile.target_ids()):
        raise RoleFailed(
            "The tests ran, but no function of this repo showed up in the profile.",
            advice="Check that the tests import the code of this repo and not an installed copy of it.",
        )
    run.session_workload = workloads.session_workload(run)
    tree = run.workspace.tree("base", run.workspace.base)
    reading = yield from first_reading(run, tree, run.session_workload)
    run.targets = yield from run.during(lambda: rank_targets(run))
    yield e.BaselineProfiled(
        commit=run.workspace.head,
        workload=run.session_workload.label or run.profile.workload,
        seconds=round(time.monotonic() - started, 3),
        targets=tuple(run.targets),
        value=reading.value,
        unit="bytes" if run.session_workload.metric == "peak" else "ns",
        metric=run.session_workload.metric,
        notes=baseline_notes(run, reading),
    )


def first_reading(run: Run, tree: Path, workload: Workload) -> Generator[e.Event, None, Reading]:
    gauge = run.gauge
    assert gauge is not None
    return (yield from run.during(lambda: gauge.reading(Arm(tree=tree, commit=run.workspace.head), workload)))


def baseline_notes(run: Run, reading: Reading) -> tuple[str, ...]:
    assert run.profile is not None
    failed = [f"the session's workload could not be measured: {reading.failure}"] if reading.failure else []
    return (*run.profile.notes, *failed)


def reprofile(run: Run) -> Iterator[e.Event]:
    """After a keep: profile, record and rank anew; only then may the next experiment start."""
    started = time.monotonic()
    run.profile = yield from profile_commit(run, run.workspace.head)
    run.targets = yield from run.during(lambda: rank_targets(run))
    yield e.Reprofiled(
        commit=run.workspace.head,
        targets=tuple(run.targets),
        seconds=round(time.monotonic() - started, 3),
    )
