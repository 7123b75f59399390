"""The reviewing agent: six passes over HEAD against the base, from artefacts alone, with new seeds.

It runs as a process of its own with a clone, trees, an account for target code and a gauge of its own, so that nothing
the optimizers left in memory or on disk can colour what it sees.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

from engine import events as e
from engine.agents import notebook, ranking, setup, workloads
from engine.agents.review import FOLDER, benchmarks, comprehension, correctness, disclosure, quality, safety
from engine.agents.review.brief import ReviewBrief, profile_of
from engine.agents.review.verdict import summary_of, verdict_of
from engine.failures import failed
from engine.run import Cancelled, CancelToken, Run
from engine.sandbox import Sandbox
from engine.values import PASSES, PassResult
from engine.workspace.history import continue_from

log = logging.getLogger("engine.review")
Pass = Callable[[Run, list[PassResult]], Generator[e.Event, None, PassResult]]
ORDER: tuple[tuple[str, Pass], ...] = tuple(
    zip(
        PASSES,
        (
            comprehension.run_pass,
            correctness.run_pass,
            safety.run_pass,
            benchmarks.run_pass,
            quality.run_pass,
            disclosure.run_pass,
        ),
        strict=True,
    )
)


def conduct(given: ReviewBrief, cancel: CancelToken) -> Iterator[e.Event]:
    """Every event of one review; ends with ReviewFiled, or with StageFailed when there is no verdict."""
    try:
        run = open_run(given, cancel)
        yield from _passes(run)
        run.pool.shutdown(wait=False, cancel_futures=True)
    except Cancelled:
        yield e.StageFailed(stage="review", agent="review", reason="Stopped on request", cancelled=True)
    except Exception as error:  # the session that asked for the review decides what becomes of it
        yield failed("review", "review", error)


def open_run(given: ReviewBrief, cancel: CancelToken) -> Run:
    """A run on a fresh clone of the session's branch, behind walls of the same level."""
    work = Path(given.brief.work)
    own = work / FOLDER
    sandbox = Sandbox(given.isolation, scratch=own / "scratch", memory_bytes=given.brief.limits.memory_bytes)
    cancel.on_set(sandbox.cancel)
    branch = given.brief.branch
    if given.brief.mode == "review":
        branch = given.brief.review_branch or branch
    run = Run(
        brief=given.brief,
        cancel=cancel,
        isolation=given.isolation,
        sandbox=sandbox,
        workspace=continue_from(work, root=own, branch=branch),
        domain=given.domain,
        environment=given.environment,
        baseline_tests=given.baseline_tests,
        base_profile=profile_of(given.base),
        profile=profile_of(given.newest),
        session_workload=given.session_workload,
        attempts=list(given.attempts),
        findings={finding.target: finding for finding in given.findings},
        floors={(each.workload, each.metric): each.floor for each in given.floors},
        notes=list(given.notes),
        dropped=given.dropped,
    )
    run.gauge = setup.new_gauge(run, "review")
    return run


def _passes(run: Run) -> Iterator[e.Event]:
    """Run the six passes in order, write review-report.md, file the verdict."""
    started = time.monotonic()
    yield e.AgentStarted(agent="review", task="Six passes over the branch")
    yield from _look_at_base(run)
    passes: list[PassResult] = []
    for name, run_pass in ORDER:
        result = yield from _one(run, name, run_pass, passes)
        passes.append(result)
        yield e.PassFinished(result=result)
    verdict = verdict_of(passes)
    summary = summary_of(run, passes, verdict)
    report = yield from notebook.write_review(run, passes, verdict, summary)
    yield e.ReviewFiled(
        verdict=verdict,
        head=run.workspace.head,
        base=run.workspace.base,
        summary=summary,
        report_digest=report,
        results_digest=notebook.results_digest_of(run),
        passes=tuple(passes),
        seconds=round(time.monotonic() - started, 3),
        without=tuple(run.without),
    )
    yield e.AgentFinished(agent="review", summary=verdict.replace("_", " "))


def _look_at_base(run: Run) -> Iterator[e.Event]:
    """A review of a branch that no loop of ours made has no recordings yet: make them from the base."""
    if run.base_profile is None:
        run.base_profile = run.profile = yield from ranking.profile_commit(run, run.workspace.base)
    if run.session_workload is None:
        run.session_workload = workloads.session_workload(run)


def _one(
    run: Run, name: str, run_pass: Pass, before: list[PassResult]
) -> Generator[e.Event, None, PassResult]:
    try:
        return (yield from run_pass(run, before))
    except Cancelled:
        raise
    except Exception as error:  # a pass that could not run is a fact of the report
        log.exception("review pass %s failed", name)
        return PassResult(name=name, state="not_done", summary=f"Not done: {error}")
