"""The setup agent and the router's validation: environment, test suite, dependencies, team."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from engine import events as e
from engine.agents import notebook
from engine.environment import EnvironmentProblem
from engine.environment import prepare as prepare_environment
from engine.measure import Gauge, working
from engine.run import RoleFailed, Run
from engine.values import TestRun
from engine.verify import run_tests

FEW_FAILING = 0.1
"""Up to this part of the suite may fail on the base: those tests are set aside and disclosed."""


def prepare(run: Run) -> Iterator[e.Event]:
    """Detect and prepare the environment once per lock digest, and write setup.md."""
    yield e.AgentStarted(agent="setup", task="Detect and prepare the environment")
    started = time.monotonic()
    tree = run.workspace.tree("base", run.workspace.base)
    try:
        environment = yield from run.during(
            lambda: prepare_environment(
                tree=tree, cache=Path(run.brief.cache), sandbox=run.sandbox, offline=run.brief.offline
            )
        )
    except EnvironmentProblem as problem:
        raise RoleFailed(
            str(problem), advice=getattr(problem, "advice", ""), output=getattr(problem, "output", "")
        ) from problem
    run.environment = environment
    run.notes.extend(environment.notes)
    yield from notebook.write_setup(run)
    yield e.SetupFinished(
        manager=environment.manager,
        python=environment.python.name,
        python_version=environment.python_version,
        lock_digest=environment.lock_digest,
        cached=environment.cached,
        seconds=round(time.monotonic() - started, 3),
        packages=len(environment.installed),
        test_command="pytest " + " ".join(environment.test_args),
        benchmarks=tuple(environment.benchmarks),
        notes=tuple(environment.notes),
    )
    yield e.AgentFinished(
        agent="setup", summary=f"{environment.manager}, Python {environment.python_version}"
    )


def validate(run: Run) -> Iterator[e.Event]:
    """The suite must pass on the base; then dependencies are looked at and the team is formed."""
    yield e.AgentStarted(agent="router", task="Run the test suite on the base commit")
    environment = run.environment
    assert environment is not None
    tree = run.workspace.tree("base", run.workspace.base)

    def tests() -> TestRun:
        with working(Path(run.brief.lock)):
            return run_tests(
                tree=tree,
                environment=environment,
                sandbox=run.sandbox,
                limits_seconds=run.brief.limits.test_seconds,
            )

    result = yield from run.during(tests)
    yield e.TestsRan(purpose="base", run=result)
    check_suite(run, result)
    run.baseline_tests = result
    yield e.DependenciesResearched(
        packages=tuple(sorted(environment.installed)), notes=research(environment.installed)
    )
    run.gauge = new_gauge(run, "gauge")
    yield e.TeamFormed(agents=team(run.domain))
    yield e.AgentFinished(agent="router", summary=f"{result.passed} tests pass on the base")


def new_gauge(run: Run, purpose: str) -> Gauge:
    """A gauge with coins, calibrations and floors of its own for one ``purpose``."""
    assert run.environment is not None
    return Gauge(
        sandbox=run.sandbox,
        environment=run.environment,
        lock=Path(run.brief.lock),
        seed=run.seed(purpose),
        raw_dir=run.work / "raw",
        holder=f"session {run.brief.session}",
        on_wait=lambda behind, seconds: run.say(e.MeasuringWaited(behind=behind, seconds=seconds)),
        budget_seconds=run.brief.limits.experiment_seconds,
        cancelled=run.cancel.is_set,
    )


def check_suite(run: Run, result: TestRun) -> None:
    """No tests, or more than a few failing ones, end the session with a sentence; a few are set aside."""
    if result.limit:
        raise _cut_short(run, result)
    if result.passed + result.failed + result.errors == 0:
        raise RoleFailed(
            "No tests were found in this repo.",
            advice="Add tests that pytest can collect: without them no change can be checked.",
            output=result.output,
        )
    bad = result.failed + result.errors
    total = bad + result.passed
    if bad and (result.passed == 0 or bad / total > FEW_FAILING):
        names = ", ".join(result.failures[:3])
        raise RoleFailed(
            f"{bad} of {total} tests fail on the base commit: {names}",
            advice="Make the suite pass on the base, then launch again. Nothing was changed in your repo.",
            output=result.output,
        )
    if bad:
        run.notes.append(
            f"{bad} of {total} tests already fail on the base and are set aside: "
            + ", ".join(result.failures[:10])
        )


def _cut_short(run: Run, result: TestRun) -> RoleFailed:
    """The suite used more than it may: which limit, how much it is, and how to give it more."""
    limits = run.brief.limits
    allowed = {
        "wall": ("time", f"{limits.test_seconds:g} s", "test_seconds"),
        "memory": ("memory", f"{limits.memory_bytes / 2**20:.0f} MiB", "memory_bytes"),
    }
    name, size, option = allowed.get(result.limit, (result.limit, "", ""))
    return RoleFailed(
        f"The test suite was ended by its {name} limit{f' of {size}' if size else ''} on the base commit.",
        advice=f"Make the suite need less{f', or launch again with a larger {option}' if option else ''}. "
        "Nothing was changed in your repo.",
        output=result.output,
    )


KNOWN_FASTER = {
    "pyyaml": "PyYAML: CSafeLoader is usually several times faster than SafeLoader where libyaml is built in.",
    "simplejson": "simplejson: the standard json module or orjson is usually faster; results can differ.",
    "python-dateutil": "dateutil: for ISO strings datetime.fromisoformat is far faster and stricter.",
    "pandas": "pandas: row loops (iterrows, apply on axis 1) are the usual cost; column arithmetic is not.",
    "requests": "requests: a Session reuses connections; one call per connection pays the handshake each time.",
}


def research(installed: object) -> tuple[str, ...]:
    """What is generally known about the installed packages: advice for a person, never a change by itself."""
    names = {str(name).lower() for name in installed} if hasattr(installed, "__iter__") else set()
    return tuple(note for name, note in KNOWN_FASTER.items() if name in names)


def team(domain: str) -> tuple[str, ...]:
    optimizer = "deep" if domain in ("", "deep") else domain
    return ("router", "setup", optimizer, "researcher", "review")
