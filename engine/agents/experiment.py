"""One experiment from the edit to the decision: implement, test, compare behaviour, benchmark, keep or discard."""

from __future__ import annotations

import difflib
import hashlib
import time
import traceback
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine import events as e
from engine.agents import notebook, ranking, suggesting, workloads
from engine.agents.proposing import Candidate
from engine.measure import Arm, Workload, working
from engine.run import Attempt, Cancelled, Run
from engine.values import Measurement, Target
from engine.verify import Evidence, verify

PRESCREEN_MEDIAN, PRESCREEN_QUARTILE = 1.02, 1.05


@dataclass(frozen=True)
class Screen:
    survives: bool
    reason: str
    ratio: float | None


@dataclass(frozen=True)
class Arms:
    """Two work trees of the session clone: A is the best so far, B holds the candidate."""

    before: Path
    after: Path


def make_arms(run: Run, candidate: Candidate) -> Arms:
    """Lay both trees out anew; B differs in exactly one file."""
    head = run.workspace.head
    before, after = run.workspace.tree("before", head), run.workspace.tree("after", head)
    (after / candidate.path).write_bytes(candidate.after)
    return Arms(before, after)


def prescreen(run: Run, target: Target, candidate: Candidate) -> Generator[e.Event, None, Screen]:
    """Seven quick pairs on recorded calls; clearly useless proposals never become experiments."""
    workload = workloads.micro(run, target)
    if workload is None or workload.metric != "cpu":
        return Screen(True, "not pre-screened: measured in full", None)
    gauge, arms, head = run.gauge, make_arms(run, candidate), run.workspace.head
    assert gauge is not None
    try:
        ratios = yield from run.during(
            lambda: gauge.prescreen(
                Arm(tree=arms.before, commit=head), Arm(tree=arms.after, commit="candidate"), workload
            )
        )
    except Cancelled:
        raise
    if ratios is None:
        return Screen(True, "the pre-screen gave no number", None)
    median, quartile = ratios
    if median < PRESCREEN_MEDIAN and quartile < PRESCREEN_QUARTILE:
        return Screen(False, f"pre-screen: {median:.3f}× on recorded calls", median)
    return Screen(True, "", median)


def attempt(run: Run, target: Target, candidate: Candidate, agent: str) -> Generator[e.Event, None, bool]:
    """Run one experiment to its end; True when it was kept. Our own crash is a fact and does not count as a discard."""
    started = time.monotonic()
    base = _begin(run, target, candidate, agent)
    yield _started(base)
    trial = Trial(run, base, candidate, unified(candidate))
    try:
        outcome = yield from _decide(trial)
    except Cancelled:
        raise
    except Exception as error:  # our own fault is one experiment's fact, not the session's end
        outcome = e.ExperimentCrashed(
            number=base.number,
            error=f"{type(error).__name__}: {error}",
            diff=trial.diff,
            output=traceback.format_exc()[-4000:],
        )
    outcome = replace(outcome, seconds=round(time.monotonic() - started, 3))
    return (yield from _conclude(run, base, outcome))


def _begin(run: Run, target: Target, candidate: Candidate, agent: str) -> Attempt:
    number = run.next_number
    return Attempt(
        number=number,
        uid=hashlib.sha256(f"{run.brief.session}\0{number}\0{candidate.key}".encode()).hexdigest()[:32],
        target=target,
        agent=agent,
        pattern=candidate.rule.id,
        title=candidate.proposal.claim,
        hypothesis=hypothesis(target, candidate),
        tier=candidate.proposal.tier,
        metric=candidate.rule.metric,
        status="running",
        skip_key=candidate.key,
        recordings=str(run.recordings),
    )


def _started(base: Attempt) -> e.ExperimentStarted:
    return e.ExperimentStarted(
        number=base.number,
        experiment=base.uid,
        target=base.target,
        agent=base.agent,
        domain=base.target.domain,
        pattern=base.pattern,
        title=base.title,
        hypothesis=base.hypothesis,
        tier=base.tier,
        metric=base.metric,
    )


@dataclass(frozen=True)
class Trial:
    """One experiment on its way to a decision."""

    run: Run
    base: Attempt
    candidate: Candidate
    diff: str

    def step(self, step: str, detail: str) -> e.ExperimentAdvanced:
        return e.ExperimentAdvanced(number=self.base.number, step=step, detail=detail)

    def discard(
        self,
        evidence: Evidence,
        reason_class: str,
        reason: str,
        measured: Measurement | None = None,
        whole: Measurement | None = None,
    ) -> e.ExperimentDiscarded:
        return e.ExperimentDiscarded(
            number=self.base.number,
            reason_class=reason_class,
            reason=reason,
            measurement=measured,
            end_to_end=whole,
            tests=evidence.tests,
            checks=evidence.checks,
            evidence=evidence.level,
            counterexample=evidence.counterexample,
            diff=self.diff,
            consecutive=self.run.consecutive + 1,
        )


Outcome = e.ExperimentKept | e.ExperimentDiscarded | e.ExperimentCrashed


def _decide(trial: Trial) -> Generator[e.Event, None, Outcome]:
    """Implement, compare behaviour, measure; the first no decides."""
    run, target = trial.run, trial.base.target
    yield trial.step("implement", trial.candidate.path)
    arms = make_arms(run, trial.candidate)
    yield trial.step("test", "tests, recorded calls, generated inputs")
    evidence = yield from run.during(lambda: check_behaviour(run, arms, trial.base))
    if not evidence.passed:
        return trial.discard(evidence, evidence.reason_class, evidence.reason)
    yield trial.step("benchmark", "interleaved pairs of fresh processes")
    workload, guard = workloads.micro(run, target), workloads.end_to_end(run, target)
    if workload is None and guard is None:
        return trial.discard(evidence, "no evidence", "Nothing that reaches this target can be measured")
    measured = yield from _measure(trial, arms, workload or guard, guard if workload else None)
    if measured.outcome == "crash":
        return e.ExperimentCrashed(number=trial.base.number, error=measured.reason, diff=trial.diff)
    if measured.outcome == "unclear":
        run.unclear.append(trial.candidate)
    if measured.outcome != "keep":
        return trial.discard(evidence, _class_of(measured), measured.reason, measured)
    whole = yield from _end_to_end(trial, arms, measured)
    if whole is not None and _clearly_slower(whole):
        return trial.discard(evidence, "guard", f"End to end slower: {whole.ratio:.3f}×", measured, whole)
    return (yield from _keep(trial, arms, evidence, labelled(measured, whole, target), whole))


def _keep(
    trial: Trial, arms: Arms, evidence: Evidence, measured: Measurement, whole: Measurement | None
) -> Generator[e.Event, None, e.ExperimentKept]:
    """One commit that holds exactly the change; the fact follows it."""
    run, candidate = trial.run, trial.candidate
    yield trial.step("commit", run.workspace.branch)
    commit = run.workspace.commit(
        tree=arms.after,
        files={candidate.path: candidate.after},
        message=commit_message(trial.base, measured),
        experiment=trial.base.uid,
    )
    return e.ExperimentKept(
        number=trial.base.number,
        commit=commit,
        measurement=measured,
        end_to_end=whole,
        tests=evidence.tests,
        checks=evidence.checks,
        evidence=evidence.level,
        diff=trial.diff,
        best=whole.ratio if whole is not None and whole.outcome != "crash" else None,
    )


def labelled(measured: Measurement, whole: Measurement | None, target: Target) -> Measurement:
    """The label is part of the number: what it was measured on, and what is known end to end."""
    name = target.qualname if target.qualname != "<module>" else f"the import of {target.path}"
    if whole is None or whole.ratio is None:
        rest = "end to end not measured"
    elif whole.low is not None and whole.low > 1 + (whole.floor or 0.02):
        rest = f"end to end {whole.ratio:.2f}× so far"
    else:
        rest = "end to end within noise"
    return replace(measured, label=f"micro on {name}; {rest}")


def check_behaviour(run: Run, arms: Arms, base: Attempt) -> Evidence:
    """Layers 1 to 5 in order; the first failure discards with its counter-example."""
    environment, tests = run.environment, run.baseline_tests
    assert environment is not None and tests is not None
    with working(Path(run.brief.lock)):
        return verify(
            before=arms.before,
            after=arms.after,
            target=base.target,
            recordings=run.recordings,
            environment=environment,
            sandbox=run.sandbox,
            tier=base.tier,
            seed=run.seed("verify", base.target.id, base.pattern, base.number),
            baseline_tests=tests,
            extra_inputs=suggesting.file_for(run, base.target.id),
            test_seconds=run.brief.limits.test_seconds,
        )


def _measure(
    trial: Trial, arms: Arms, workload: Workload | None, guard: Workload | None
) -> Generator[e.Event, None, Measurement]:
    run, gauge = trial.run, trial.run.gauge
    assert gauge is not None and workload is not None
    floor = yield from ranking.floor_for(run, arms.before, workload)

    def on_round(done: int, total: int) -> None:
        run.say(replace(trial.step("benchmark", ""), round=done, rounds=total))

    return (
        yield from run.during(
            lambda: gauge.gate(
                Arm(tree=arms.before, commit=run.workspace.head),
                Arm(tree=arms.after, commit="candidate"),
                workload,
                floor,
                budget_seconds=run.brief.limits.experiment_seconds,
                on_round=on_round,
                guard=guard,
            )
        )
    )


def _end_to_end(
    trial: Trial, arms: Arms, measured: Measurement
) -> Generator[e.Event, None, Measurement | None]:
    """HEAD with the candidate against the first baseline on the session's workload: the running best."""
    run, gauge, workload = trial.run, trial.run.gauge, trial.run.session_workload
    if workload is None or gauge is None or workload.metric != measured.metric:
        return None
    yield trial.step("decide", "against the first baseline, end to end")
    base_tree = run.workspace.tree("base", run.workspace.base)
    return (
        yield from run.during(
            lambda: gauge.compare(
                Arm(tree=base_tree, commit=run.workspace.base),
                Arm(tree=arms.after, commit="candidate"),
                workload,
                pairs=20,
                level=0.95,
            )
        )
    )


def _clearly_slower(whole: Measurement) -> bool:
    """The whole interval lies below 1 by more than the noise floor."""
    return whole.high is not None and whole.high < 1 - (whole.floor or 0.02)


def _class_of(measured: Measurement) -> str:
    if measured.ratio is not None and measured.high is not None and measured.high < 1:
        return "slower"
    return "guard" if "guard" in measured.reason else "noise"


def _conclude(run: Run, base: Attempt, outcome: Outcome) -> Generator[e.Event, None, bool]:
    done = replace(base, **_result_fields(outcome), finished=time.time())
    run.remember(done)
    assert run.history is not None
    if isinstance(outcome, e.ExperimentKept):
        run.consecutive, run.best = 0, outcome.best or run.best
    elif isinstance(outcome, e.ExperimentDiscarded):
        run.consecutive += 1
    if done.status != "crash":
        run.history.note(rule=done.pattern, target_id=done.target.id, kept=done.status == "keep")
    yield outcome
    yield from notebook.write_experiment(run, done)
    return done.status == "keep"


def _result_fields(outcome: e.Event) -> dict[str, Any]:
    if isinstance(outcome, e.ExperimentKept):
        return {
            "status": "keep",
            "commit": outcome.commit,
            "measurement": outcome.measurement,
            "evidence": outcome.evidence,
        }
    if isinstance(outcome, e.ExperimentDiscarded):
        return {
            "status": "discard",
            "reason": outcome.reason,
            "reason_class": outcome.reason_class,
            "measurement": outcome.measurement,
            "evidence": outcome.evidence,
        }
    assert isinstance(outcome, e.ExperimentCrashed)
    return {"status": "crash", "reason": outcome.error}


def hypothesis(target: Target, candidate: Candidate) -> str:
    """Written before the change: where the time goes, what the rule changes, what would make it wrong."""
    share = (
        f"{target.share:.1%} of the profiled {_thing(target.domain)}"
        if target.share is not None
        else "a share"
    )
    obligations = "; ".join(candidate.proposal.obligations)
    wrong = f" It would be wrong if this does not hold: {obligations}." if obligations else ""
    return (
        f"{_opening(target)} takes {share}. {candidate.proposal.claim}. "
        f"This rewrite usually gives {candidate.rule.gain:.2f}× where it applies.{wrong}"
    )


def _opening(target: Target) -> str:
    """The target as the first words of a sentence: a function keeps its own letters."""
    return target.words if target.words == target.qualname else f"Module {target.path}"


def _thing(domain: str) -> str:
    return {"memory": "peak memory", "structure": "import time", "async": "waiting time"}.get(
        domain, "CPU time"
    )


def unified(candidate: Candidate) -> str:
    """The change as a unified diff, with git's a/ and b/ names."""
    before = candidate.before.decode("utf-8", "replace").splitlines(keepends=True)
    after = candidate.after.decode("utf-8", "replace").splitlines(keepends=True)
    return "".join(difflib.unified_diff(before, after, f"a/{candidate.path}", f"b/{candidate.path}"))


def commit_message(base: Attempt, measured: Measurement) -> str:
    return (
        f"perf({base.target.words}): {base.title}\n\n{base.hypothesis}\n\n"
        f"Measured: {numbers(measured)}.\nRule: {base.pattern} ({base.tier})."
    )


def numbers(measured: Measurement) -> str:
    """The measured words: ratio, interval, floor, pairs, workload. Unknown parts are left out."""
    if measured.ratio is None:
        return "not measured"
    parts = [f"{measured.ratio:.3f}x"]
    if measured.low is not None and measured.high is not None:
        parts.append(f"{measured.level:.0%} CI {measured.low:.3f}-{measured.high:.3f}")
    if measured.floor is not None:
        parts.append(f"floor {1 + measured.floor:.3f}x")
    parts.append(f"{measured.pairs} pairs, {measured.label or measured.workload}")
    return ", ".join(parts)


def drop_useless_keeps(run: Run) -> Iterator[e.Event]:
    """Leave-one-out: a keep whose removal loses nothing is taken off the branch again."""
    from engine.agents import leave_one_out

    yield from leave_one_out.drop_useless(run)
