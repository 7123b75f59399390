"""Pass 2: HEAD against the base: the whole suite, then each changed function with new seeds."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from engine import events as e
from engine.agents import suggesting
from engine.agents.review.changes import changed_targets
from engine.agents.review.verdict import state_of
from engine.measure import working
from engine.run import Run
from engine.values import PassResult, ReviewFinding, Target, TestRun
from engine.verify import Evidence, run_tests, verify

NAME = "correctness"


def run_pass(run: Run, _before: list[PassResult]) -> Generator[e.Event, None, PassResult]:
    if run.workspace.head == run.workspace.base:
        return PassResult(name=NAME, state="clear", summary="No change to compare")
    tests = yield from run.during(lambda: suite(run))
    yield e.TestsRan(purpose="review", run=tests)
    findings = compare_suites(run, tests)
    compared = 0
    for target in changed_targets(run):
        if target.qualname == "<module>" and target.domain != "structure":
            continue
        evidence = yield from run.during(lambda t=target: compare(run, t))  # type: ignore[misc]
        run.review_evidence[target.id] = evidence
        compared += 1
        findings.extend(judge(run, target, evidence))
    summary = f"{tests.passed} tests pass on HEAD; {compared} changed functions compared with the base under new seeds"
    return PassResult(name=NAME, state=state_of(findings), summary=summary, findings=tuple(findings))


def suite(run: Run) -> TestRun:
    """The whole suite on a fresh checkout of HEAD."""
    assert run.environment is not None
    tree = run.workspace.tree("review", run.workspace.head)
    with working(Path(run.brief.lock)):
        return run_tests(
            tree=tree,
            environment=run.environment,
            sandbox=run.sandbox,
            limits_seconds=run.brief.limits.test_seconds,
        )


def compare_suites(run: Run, tests: TestRun) -> list[ReviewFinding]:
    """New failures are critical, fewer tests or more skips are high."""
    base = run.baseline_tests
    assert base is not None
    new = [name for name in tests.failures if name not in base.failures]
    findings = []
    if new or tests.failed + tests.errors > base.failed + base.errors:
        findings.append(_finding("critical", "Tests fail on HEAD that pass on the base", ", ".join(new[:10])))
    if tests.passed + tests.failed < base.passed + base.failed:
        findings.append(
            _finding("high", "Fewer tests ran than on the base", f"{tests.passed} against {base.passed}")
        )
    if tests.skipped > base.skipped:
        findings.append(_finding("high", "More tests are skipped than on the base", f"{tests.skipped}"))
    return findings


def compare(run: Run, target: Target) -> Evidence:
    """Layers 2 to 5 on the calls that were recorded on the base, with seeds of the review's own."""
    assert run.environment is not None and run.baseline_tests is not None and run.base_profile is not None
    tier = next((a.tier for a in run.kept if a.target.id == target.id), "guarded")
    with working(Path(run.brief.lock)):
        return verify(
            before=run.workspace.tree("review-base", run.workspace.base),
            after=run.workspace.tree("review", run.workspace.head),
            target=target,
            recordings=Path(run.base_profile.recordings),
            environment=run.environment,
            sandbox=run.sandbox,
            tier=tier,
            seed=run.seed("review", target.id),
            baseline_tests=run.baseline_tests,
            extra_inputs=suggesting.file_for(run, target.id),
            test_seconds=run.brief.limits.test_seconds,
            others=False,
        )


def judge(run: Run, target: Target, evidence: Evidence) -> list[ReviewFinding]:
    """A difference is critical; evidence by tests alone is medium, unless that is all such a change can have."""
    name = target.path if target.qualname == "<module>" else target.qualname
    if not evidence.passed:
        severity = "critical" if evidence.reason_class in ("differs", "tests") else "medium"
        text = " ".join(part for part in (evidence.reason, evidence.counterexample) if part)
        title = f"{name} behaves differently" if severity == "critical" else f"{name}: weak evidence"
        return [_finding(severity, title, text, target)]
    if evidence.level != "E1":
        return []
    if target.domain in ("structure", "async"):
        text = (
            "The tests execute the changed lines; public names, fresh imports and the order of effects agree."
        )
        return [_finding("low", f"{name} is checked by tests and fresh imports", text, target)]
    text = "Its calls could not be replayed; the tests execute the changed lines."
    return [_finding("medium", f"{name} is checked by the tests alone", text, target)]


def _finding(severity: str, title: str, text: str, target: Target | None = None) -> ReviewFinding:
    return ReviewFinding(
        review_pass=NAME,
        severity=severity,
        title=title,
        text=text,
        path=target.path if target else "",
        line=target.line if target else None,
    )
