"""The primary optimizer: takes the best-ranked target, tries what the rules propose, keeps what the gate proves.

The single-domain agents run this same loop with fewer dimensions.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import partial

from engine import events as e
from engine.agents import (
    async_,
    bundling,
    cpu,
    experiment,
    foreseeing,
    memory,
    notebook,
    proposing,
    ranking,
    researcher,
    structure,
)
from engine.agents.proposing import Candidate
from engine.run import Run
from engine.values import DOMAINS, Target

AGENT = "deep"
SPECIALISTS = {module.AGENT: module for module in (cpu, memory, async_, structure)}


@dataclass(frozen=True)
class Plan:
    """The next experiment: which target, which candidate."""

    target: Target
    candidate: Candidate


def agent_for(run: Run) -> str:
    return run.domain if run.domain in SPECIALISTS else AGENT


def domains_for(run: Run) -> tuple[str, ...]:
    return SPECIALISTS[run.domain].DOMAINS if run.domain in SPECIALISTS else DOMAINS


def optimize(run: Run) -> Iterator[e.Event]:
    """The experiment cycle until a plateau, a limit, or no target is left; the researcher works alongside."""
    agent = agent_for(run)
    yield e.AgentStarted(agent=agent, task="Run experiments until a plateau")
    yield from notebook.restore(run)
    research = researcher.launch(run)
    stop = yield from _loop(run, agent, research)
    yield from run.during(research.finish)
    yield e.AgentFinished(agent="researcher", summary=f"{len(run.findings)} findings sent")
    yield from experiment.drop_useless_keeps(run)
    run.stopped = stop.cause
    yield from notebook.write_hand_off(run)
    yield e.AgentFinished(agent=agent, summary=stop.message)
    yield stop


def _loop(run: Run, agent: str, research: researcher.Research) -> Generator[e.Event, None, e.PlateauReached]:
    while True:
        run.check_cancel()
        stop = _reason_to_stop(run)
        if stop is not None:
            return stop
        plan = (yield from _next_plan(run)) or _bundle_plan(run)
        if plan is None:
            return _complete("no target", "no proposal is left that could clear the noise floor", run)
        yield from run.during(partial(research.settle, plan.target.id))
        kept = yield from experiment.attempt(run, plan.target, plan.candidate, agent)
        if kept:
            yield from ranking.reprofile(run)
            research.look(run.targets)


def _reason_to_stop(run: Run) -> e.PlateauReached | None:
    limits = run.brief.limits
    if run.consecutive >= limits.plateau:
        return _complete("plateau", f"{run.consecutive} discards in a row", run)
    if sum(not a.restored for a in run.attempts) >= limits.experiments:
        return _complete("experiments", f"the limit of {limits.experiments} experiments is reached", run)
    if run.seconds >= limits.wall_seconds:
        return _complete(
            "budget", f"the time limit of {limits.wall_seconds / 60:.0f} minutes is reached", run
        )
    return None


def _complete(cause: str, why: str, run: Run) -> e.PlateauReached:
    return e.PlateauReached(cause=cause, message=f"[complete] {why}", consecutive=run.consecutive)


def _next_plan(run: Run) -> Generator[e.Event, None, Plan | None]:
    """The best target that still has a proposal which survives the pre-screen."""
    for target in list(run.targets):
        if target.score <= 0 or _tries(run, target) >= run.brief.limits.tries_per_target:
            continue
        found, refused = proposing.collect(run, [target.id])
        for each in refused:
            yield from _drop(run, each.rule, target.id, each.reason, None)
        mine = [c for c in found.get(target.id, []) if c.rule.domain == target.domain]
        for candidate in proposing.order(run, target, mine):
            survives = yield from _prescreened(run, target, candidate)
            if survives:
                return Plan(target, candidate)
    return None


def _bundle_plan(run: Run) -> Plan | None:
    """After single tries: unclear rewrites of one function together."""
    bundle = bundling.next_bundle(run)
    if bundle is None:
        return None
    domain = bundle.rule.domain
    target = next((t for t in run.targets if t.id == bundle.target_id and t.domain == domain), None)
    return Plan(target, bundle) if target is not None else None


def _tries(run: Run, target: Target) -> int:
    return sum(a.target.id == target.id and a.target.domain == target.domain for a in run.attempts)


def _prescreened(run: Run, target: Target, candidate: Candidate) -> Generator[e.Event, None, bool]:
    """Whether it may become an experiment. One without evidence ahead, or without gain on a quick look, may not."""
    why = foreseeing.no_evidence(run.profile, target, candidate)
    screen = (
        experiment.Screen(False, why, None)
        if why
        else (yield from experiment.prescreen(run, target, candidate))
    )
    if screen.survives:
        return True
    run.tried_keys.add(candidate.key)
    run.dropped += 1
    yield from _drop(run, candidate.rule.id, target.id, screen.reason, screen.ratio)
    return False


def _drop(run: Run, rule: str, target: str, reason: str, ratio: float | None) -> Iterator[e.Event]:
    key = f"{rule}\0{target}\0{reason}"
    if key in run.tried_keys:
        return
    run.tried_keys.add(key)
    yield e.ProposalDropped(rule=rule, target=target, reason=reason, ratio=ratio)
