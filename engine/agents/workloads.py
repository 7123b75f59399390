"""Which workload measures what: the target's recorded calls first, then end to end."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from engine.measure import Workload
from engine.run import Run
from engine.values import Target

MICRO_METRIC = {"cpu": "cpu", "memory": "peak", "async": "wall", "structure": "import"}
SESSION_METRIC = {"deep": "cpu", "cpu": "cpu", "memory": "peak", "async": "wall", "structure": "import"}


def micro(run: Run, target: Target, recordings: Path | None = None) -> Workload | None:
    """Recorded real calls of the target, or the fresh import of its module; None when it cannot be replayed.

    ``recordings`` names an earlier recording folder than the newest profile's.
    """
    metric = MICRO_METRIC[target.domain]
    if target.qualname == "<module>":
        module = run.profile.module_of(target.path) if run.profile else ""
        return Workload(
            kind="import",
            id=f"import:{module}",
            target=target.id,
            recordings=None,
            module=module,
            label=f"import of {module}",
            metric="import",
        )
    if run.profile is None or not run.profile.replayable(target.id):
        return None
    return Workload(
        kind="calls",
        id=f"calls:{target.id}",
        target=target.id,
        recordings=recordings or run.recordings,
        label=f"micro on {target.qualname}",
        metric=metric,
    )


def end_to_end(run: Run, target: Target) -> Workload | None:
    """The repo's benchmarks that exist, else the tests that reach the target; None when neither is known."""
    assert run.environment is not None
    metric = "cpu" if target.domain in ("cpu", "structure") else MICRO_METRIC[target.domain]
    metric = "wall" if metric == "wall" else "cpu"
    if benchmarks := usable_benchmarks(run):
        return Workload(
            kind="tests",
            id="benchmarks",
            target=target.id,
            recordings=None,
            args=benchmarks,
            label="the repo's benchmarks, end to end",
            metric=metric,
        )
    tests = run.profile.tests_reaching(target.id) if run.profile else ()
    if not tests:
        return None
    return Workload(
        kind="tests",
        id=f"tests:{target.id}",
        target=target.id,
        recordings=None,
        args=tuple(tests),
        label="the tests that reach it, end to end",
        metric=metric,
    )


def usable_benchmarks(run: Run) -> tuple[str, ...]:
    """The repo's benchmarks, if the profile of the base saw them run its code: a folder of scripts does not."""
    profile = run.base_profile or run.profile
    seen = profile is not None and profile.source == "benchmark"
    return tuple(run.environment.benchmarks) if run.environment is not None and seen else ()


def session_workload(run: Run) -> Workload:
    """What the session's one number is measured on; fixed at the start of the session."""
    assert run.environment is not None
    metric = SESSION_METRIC.get(run.domain, "cpu")
    packages = run.environment.packages
    if metric == "import" and packages:
        return Workload(
            kind="import",
            id=f"import:{packages[0]}",
            target="",
            recordings=None,
            module=packages[0],
            label=f"import of {packages[0]}",
            metric="import",
        )
    benchmarks = usable_benchmarks(run)
    return Workload(
        kind="tests",
        id="session",
        target="",
        recordings=None,
        args=benchmarks or tuple(run.environment.test_args),
        label="the repo's benchmarks" if benchmarks else "the repo's tests",
        metric=metric,
    )


def headline(run: Run) -> Workload:
    """The workload of the session's one number: the session's own, fixed at its start, when a keep reaches it.

    A session whose keeps are all of another metric is measured on the calls of the first keep of the commonest one.
    """
    assert run.session_workload is not None
    metrics = Counter(MICRO_METRIC[a.target.domain] for a in run.kept)
    if not metrics or run.session_workload.metric in metrics:
        return run.session_workload
    order = ("cpu", "wall", "peak", "import")
    metric = max(metrics, key=lambda m: (metrics[m], -order.index(m)))
    kept = next(a for a in run.kept if MICRO_METRIC[a.target.domain] == metric)
    own = micro(run, kept.target, Path(kept.recordings) if kept.recordings else None)
    return own or run.session_workload
