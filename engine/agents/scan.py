"""The scan agent: a quick diagnosis of all dimensions, ranked, with a recommended domain."""

from __future__ import annotations

from collections.abc import Iterator

from engine import events as e
from engine.agents import notebook, ranking
from engine.profile import History
from engine.run import Run
from engine.values import DOMAINS, Target


def baseline(run: Run) -> Iterator[e.Event]:
    """Baseline profiling: before it no experiment may start."""
    agent = "scan" if run.brief.mode == "scan" else "deep"
    yield e.AgentStarted(agent=agent, task="Profile every dimension and rank the targets")
    run.history = History.from_learnings(run.brief.learnings)
    run.tried_keys.update(run.brief.skip)
    yield from ranking.baseline(run)
    yield from notebook.write_scan(run, recommend(run.targets))
    yield e.AgentFinished(agent=agent, summary=f"{len(run.targets)} targets ranked")


def report(run: Run) -> Iterator[e.Event]:
    """The end of a scan: what to do next, nothing changed."""
    domain = recommend(run.targets)
    worth = [t for t in run.targets if t.score > 0]
    top = ", ".join(f"{t.words} ({t.domain})" for t in worth[:3]) or "no target with a known rewrite"
    yield e.ScanReported(
        domain=domain,
        targets=tuple(run.targets),
        summary=f"{len(worth)} of {len(run.targets)} targets are worth a try: {top}. Recommended domain: {domain}.",
    )


def recommend(targets: list[Target]) -> str:
    """The dimension with the highest summed score; deep when two are close or nothing is known."""
    sums = {d: sum(t.score for t in targets if t.domain == d) for d in DOMAINS}
    best, second = sorted(sums.values(), reverse=True)[:2]
    if best <= 0 or second > best / 2:
        return "deep"
    return max(sums, key=lambda d: sums[d])
