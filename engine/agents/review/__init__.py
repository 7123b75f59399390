"""The reviewing agent: six passes over HEAD against the base, from artefacts alone, with new seeds."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator

from engine import events as e
from engine.agents import notebook, ranking, setup, workloads
from engine.agents.review import benchmarks, comprehension, correctness, disclosure, quality, safety
from engine.agents.review.verdict import summary_of, verdict_of
from engine.run import Cancelled, Run
from engine.values import PASSES, PassResult

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


def review(run: Run) -> Iterator[e.Event]:
    """Run the six passes in order, write review-report.md, file the verdict."""
    started = time.monotonic()
    yield e.AgentStarted(agent="review", task="Six passes over the branch")
    run.gauge = setup.new_gauge(run, "review")
    yield from _look_at_base(run)
    passes: list[PassResult] = []
    for name, run_pass in ORDER:
        result = yield from _one(run, name, run_pass, passes)
        passes.append(result)
        yield e.PassFinished(result=result)
    verdict = verdict_of(passes)
    summary = summary_of(run, passes, verdict)
    yield from notebook.write_changelog(run)
    yield from notebook.write_hand_off(run)
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
