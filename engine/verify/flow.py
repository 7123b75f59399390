"""The whole verification of one change, layer by layer in the order of cost; the first failure discards."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.sandbox import Sandbox
from engine.values import Check, Target, TestRun
from engine.verify import invent
from engine.verify.evidence import LEVELS, Evidence, enough, needed
from engine.verify.observing import INVENTED, Plan
from engine.verify.probing import Place
from engine.verify.recordings import Recordings, Subject
from engine.verify.replay import Replayed, checks_of, replay
from engine.verify.suite import Suite, run_suite, worse
from engine.verify.surface import compare_surfaces
from engine.verify.trees import (
    changed,
    changed_functions,
    changed_lines,
    files,
    functions,
    is_check,
    module_name,
    text_of,
)

if TYPE_CHECKING:
    from engine.environment import Environment

_MODULE = "<module>"
_REACHING_FIRST_SECONDS = 5.0
_MOST_REACHING = 50
_MOST_CALLERS = 2
_MOST_OTHERS = 4


def verify(
    *,
    before: Path,
    after: Path,
    target: Target,
    recordings: Path,
    environment: Environment,
    sandbox: Sandbox,
    tier: str,
    seed: int,
    baseline_tests: TestRun,
    extra_inputs: Path | None = None,
    test_seconds: float = 900,
    others: bool = True,
) -> Evidence:
    """Does ``after`` behave as ``before``? Layers 1 to 5 for the changed target and, with ``others``, for every other
    function whose code differs. ``extra_inputs`` is a file of literals, see ``invent.suggested``. Raises Cancelled.
    """
    started = time.monotonic()
    place = Place(sandbox, environment, (recordings,) if recordings.is_dir() else ())
    work = _Verification(place, before, after, target, Recordings(recordings), tier, seed, baseline_tests)
    work.extra_inputs, work.test_seconds, work.others = extra_inputs, test_seconds, others
    return replace(work.run(), seconds=time.monotonic() - started)


class _Verification:
    extra_inputs: Path | None = None
    test_seconds: float = 900
    others: bool = True

    def __init__(
        self,
        place: Place,
        before: Path,
        after: Path,
        target: Target,
        recordings: Recordings,
        tier: str,
        seed: int,
        baseline: TestRun,
    ) -> None:
        self.place, self.before, self.after, self.target = place, before, after, target
        self.recordings, self.tier, self.seed, self.baseline = recordings, tier, seed, baseline
        self.checks: list[Check] = []
        self.disclosed: list[str] = []
        self.tests: TestRun | None = None
        self.executed: set[int] = set()
        self.level = "E0"
        self.lines = changed_lines(before=before, after=after, path=target.path)

    def run(self) -> Evidence:
        layers: Sequence[Callable[[], Evidence | None]] = (
            self._files,
            self._tests,
            self._behaviour,
            self._other_functions,
            self._surface,
        )
        for layer in layers:
            failed = layer()
            if failed is not None:
                return failed
        return self._weigh()

    # -- layer 1: nothing but the product changed, and the tests still pass

    def _files(self) -> Evidence | None:
        self.names = files(self.after)
        self.changed = changed(files(self.before), self.names)
        touched = [path for path in self.changed if is_check(path)]
        if touched:
            return self._fail("tests", "Test files unchanged", f"the change touches {', '.join(touched[:5])}")
        if not self.changed:
            return self._fail("static", "Files changed", "the two versions are the same, byte for byte")
        self.checks.append(
            Check(name="Test files unchanged", state="pass", detail=f"{len(self.names)} files compared")
        )
        return None

    def _tests(self) -> Evidence | None:
        reaching = self._reaching()
        if reaching:
            first = self._suite(reaching)
            new = worse(first.run, replace(self.baseline, passed=0))
            if new:
                self.tests = first.run
                return self._fail("tests", "Tests", new, run=first.run)
        suite = self._suite(())
        self.tests, self.executed = suite.run, set(suite.lines)
        problem = self._confirmed(suite)
        if problem:
            return self._fail("tests", "Tests", problem, run=suite.run)
        return self._tests_passed(suite.run)

    def _tests_passed(self, run: TestRun) -> Evidence | None:
        rewritten = [
            path
            for path in changed(self.names, files(self.after))
            if path in self.names and path.endswith(".py")
        ]
        if rewritten:
            return self._fail("tests", "Tests", f"the tests rewrote {', '.join(rewritten[:3])}", run=run)
        detail = f"{run.skipped} skipped" if run.skipped else ""
        self.checks.append(
            Check(name="Tests", state="pass", detail=detail, tried=run.passed + run.failed, agreed=run.passed)
        )
        return None

    def _reaching(self) -> tuple[str, ...]:
        """Tests that touch the target, when running them first saves time."""
        tests = self.recordings.subject(self.target.id, "").tests[:_MOST_REACHING]
        total = self.baseline.passed + self.baseline.failed
        slow = (self.baseline.seconds or 0.0) > _REACHING_FIRST_SECONDS
        return tests if slow and 2 * len(tests) < total else ()

    def _suite(self, select: Sequence[str]) -> Suite:
        lines = None if select else self.lines
        return run_suite(self.place, tree=self.after, seconds=self.test_seconds, select=select, lines=lines)

    def _confirmed(self, suite: Suite) -> str:
        """Why the tests discard. A test that now fails on the before-version too is no witness."""
        problem = worse(suite.run, self.baseline)
        new = [name for name, outcome in suite.outcomes.items() if outcome in ("failed", "errors")]
        if not problem or not new or len(new) > _MOST_REACHING or suite.run.exit_code is None:
            return problem
        before = run_suite(self.place, tree=self.before, seconds=self.test_seconds, select=new)
        flaky = {name for name, outcome in before.outcomes.items() if outcome in ("failed", "errors")}
        kept = [text for text in suite.run.failures if text.split(" - ", 1)[0] not in flaky]
        lost = len(suite.run.failures) - len(kept)
        return worse(replace(suite.run, failures=tuple(kept), passed=suite.run.passed + lost), self.baseline)

    # -- layers 2 to 5: the same inputs on both versions

    def _behaviour(self) -> Evidence | None:
        if self.target.qualname == _MODULE:
            return None
        subject = self._subject(self.target.id)
        found = self._replay(subject)
        if found.fails:
            return self._differs(found, checks_of(found))
        if found.level != "E0":
            self._accept(found, checks_of(found))
            return None
        return self._through_callers(subject, found)

    def _subject(self, target_id: str) -> Subject:
        path = target_id.rpartition("::")[0]
        return self.recordings.subject(target_id, module_name(path, self.place.environment.import_roots))

    def _replay(self, subject: Subject) -> Replayed:
        path, _, qualname = subject.id.rpartition("::")
        node = functions(text_of(self.before / path)).get(qualname)
        if node is None:
            return Replayed(why_not="it is not in the version before")
        inputs = invent.invent(
            node,
            kind=subject.kind,
            observed=subject.args,
            recorded=subject.calls is not None,
            seed_number=self.seed,
            count=INVENTED,
        )
        inputs = invent.suggested(self.extra_inputs, node, subject.kind) + inputs
        if subject.calls is None and not inputs:
            return Replayed(why_not=subject.why_not or "no call of it was recorded")
        plan = Plan(subject=subject, tier=self.tier, seed=self.seed, invented=inputs)
        return replay(self.place, plan, before=self.before, after=self.after, lines=self.lines)

    def _through_callers(self, subject: Subject, found: Replayed) -> Evidence | None:
        """The nearest callers that can be replayed, when they execute every changed line."""
        why = found.why_not or subject.why_not or "no input of it can be compared"
        for number, caller in enumerate(self.recordings.callers(subject.id, self.before)):
            if number == _MOST_CALLERS:
                break
            through = self._replay(self._subject(caller))
            checks = checks_of(through, subject=caller)
            if through.fails:
                return self._differs(through, checks)
            if through.level == "E3" and through.lines >= set(self.lines.lines):
                self._accept(through, checks)
                return None
        self.checks += [replace(each, detail=why) for each in checks_of(Replayed(why_not=why))]
        return None

    def _accept(self, found: Replayed, checks: Sequence[Check]) -> None:
        self.checks += checks
        self.level = max(self.level, found.level, key=LEVELS.index)
        self.disclosed += found.disclosed
        self.executed |= found.lines

    def _differs(self, found: Replayed, checks: Sequence[Check]) -> Evidence:
        self.checks += checks
        return self._evidence(False, "differs", found.reason, found.counterexample)

    def _other_functions(self) -> Evidence | None:
        """Functions other than the target whose code differs too."""
        if not self.others:
            return None
        ids = changed_functions(before=self.before, after=self.after, paths=self.changed)
        more = [each for each in ids if each != self.target.id][:_MOST_OTHERS]
        for each in more:
            found = self._replay(self._subject(each))
            checks = [replace(check, name=f"{check.name}: {each}") for check in checks_of(found)]
            if found.fails:
                return self._differs(found, checks)
            self.checks += checks
            self.disclosed += found.disclosed
            self.executed |= found.lines
        return None

    # -- what other code sees of the module

    def _surface(self) -> Evidence | None:
        if self.target.domain not in ("structure", "async") and self.target.qualname != _MODULE:
            return None
        roots = self.place.environment.import_roots
        found = compare_surfaces(
            self.place, before=self.before, after=self.after, roots=roots, lines=self.lines
        )
        self.checks += found.checks()
        self.disclosed += found.disclosed
        self.executed |= found.lines
        if found.first:
            return self._evidence(False, "differs", found.first, found.first)
        return None

    # -- the sum

    def _weigh(self) -> Evidence:
        missing = sorted(set(self.lines.lines) - self.executed)
        self.checks.append(self._lines_check(missing))
        if self.level == "E0" and self.lines.lines and not missing:
            self.level = "E1"
        elif self.lines.lines and len(missing) == len(self.lines.lines):
            self.level = "E0"  # inputs that never reach the change say nothing about it
        self.checks.append(_not_checked_threads())
        if enough(self.level, self.tier, self.target.domain):
            return self._evidence(True)
        wanted = needed(self.tier, self.target.domain)
        reason = f"evidence {self.level}, a {self.tier} change needs {wanted}"
        return self._evidence(False, "no evidence", reason)

    def _lines_check(self, missing: Sequence[int]) -> Check:
        total = len(self.lines.lines)
        name = "Changed lines executed"
        if not total:
            return Check(name=name, state="not_checked", detail="The change adds no executable line")
        detail = f"{self.lines.path}: line {', '.join(map(str, missing[:8]))} never ran" if missing else ""
        return Check(
            name=name,
            state="fail" if len(missing) == total else "pass",
            detail=detail,
            tried=total,
            agreed=total - len(missing),
        )

    def _fail(self, reason_class: str, name: str, reason: str, run: TestRun | None = None) -> Evidence:
        tried, agreed = (run.passed + run.failed + run.errors, run.passed) if run else (None, None)
        self.checks.append(Check(name=name, state="fail", detail=reason, tried=tried, agreed=agreed))
        return self._evidence(False, reason_class, reason)

    def _evidence(
        self, passed: bool, reason_class: str = "", reason: str = "", counterexample: str = ""
    ) -> Evidence:
        return Evidence(
            passed=passed,
            level=self.level,
            checks=tuple(self.checks),
            reason_class=reason_class,
            reason=reason,
            counterexample=counterexample,
            tests=self.tests,
            disclosed=tuple(self.disclosed),
        )


def _not_checked_threads() -> Check:
    return Check(
        name="Callers on several threads", state="not_checked", detail="Calls were replayed one at a time"
    )
