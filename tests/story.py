"""A believable whole session as events: keeps, discards of several kinds, a crash, a keep taken off, and a review.

``story`` yields real events in a legal order with times, so that pages, streams and exports can be shown and tested on
what the engine would really state.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from engine import events as e
from engine.values import PASSES, Check, Isolation, Measurement, PassResult, ReviewFinding, Target, TestRun

BASELINE_NS = 1.284e9
PLACES = (
    ("pricing/quote.py", "quote_bundle", 118, "cpu", 0.31),
    ("pricing/rules.py", "RuleIndex.match_rules", 90, "cpu", 0.17),
    ("pricing/tax.py", "resolve_rate", 41, "cpu", 0.099),
    ("pricing/fx.py", "convert", 22, "cpu", 0.087),
    ("pricing/money.py", "Money.__add__", 63, "memory", 0.076),
    ("pricing/discounts.py", "stack", 17, "cpu", 0.049),
    ("pricing/catalog.py", "load_catalog", 8, "structure", None),
)
DIFF = """--- a/pricing/rules.py
+++ b/pricing/rules.py
@@ -86,7 +86,12 @@ class RuleIndex:
~
     def __init__(self, rules: Sequence[Rule]) -> None:
-        self._rules = [(rule, frozenset(rule.tags)) for rule in rules]
+        self._bit = {tag: 1 << n for n, tag in enumerate(sorted(all_tags(rules)))}
+        self._rules = [(rule, self._mask(rule.tags)) for rule in rules]
+
+    def _mask(self, tags: Iterable[str]) -> int:
+        # a tag no rule asks for is no bit
+        return sum(self._bit.get(tag, 0) for tag in tags)
~
     def match_rules(self, sku: Sku) -> list[Rule]:
-        tags = frozenset(sku.tags)
-        return [rule for rule, need in self._rules if need <= tags]
+        have = self._mask(sku.tags)
+        return [rule for rule, need in self._rules if need & have == need]
""".replace("~", " ")


@dataclass(frozen=True)
class Plan:
    """One experiment of the story. ``outcome`` is keep, crash, or a reason class of a discard."""

    title: str
    place: int
    outcome: str
    ratio: float | None
    pattern: str = "invariant-hoist"


PLANS = (
    Plan("Index rules by prefix", 1, "keep", 1.17),
    Plan("Cache the parsed tags", 1, "noise", 0.99),
    Plan("Bind the rounding context once", 2, "keep", 1.03),
    Plan("Cache the rate on country and category", 2, "keep", 1.12),
    Plan("Count in integer micro-units", 4, "tests", None),
    Plan("Build the bundle list once", 0, "keep", 1.041),
    Plan("Store lines as tuples", 0, "noise", 0.993),
    Plan("Sort discounts once per bundle", 5, "noise", 1.004),
    Plan("Batch conversion lookups per bundle", 3, "keep", 1.061),
    Plan("Cache the quantize context per thread", 3, "crash", None),
    Plan("Walk a trie over tag segments", 1, "slower", 0.973),
    Plan("Test rule tags with one bitmask", 1, "keep", 1.111),
    Plan("Intern the zero amount", 4, "noise", 1.003),
    Plan("Precompute the tier table per price list", 0, "keep", 1.064),
    Plan("Vectorise tiers", 0, "slower", 0.741),
    Plan("Flatten the nested rate dict", 2, "keep", 1.017),
    Plan("Prefetch rates together", 0, "crash", None, "gather-loop"),
    Plan("Import the exporter only when exporting", 6, "noise", 1.003, "lazy-import"),
    Plan("Bind hot lookups to locals", 0, "keep", 1.028),
    Plan("Store lines as parallel arrays", 3, "slower", 0.98),
    Plan("Skip discounts that change nothing", 5, "noise", 1.004),
)


def target(place: int, factor: float = 1.0) -> Target:
    path, name, line, domain, share = PLACES[place]
    return Target(
        path=path, qualname=name, line=line, domain=domain, score=1 / (place + 1), evidence="E2",
        share=None if share is None else share * factor, bound=1 / (1 - share) if share else None,
        expected=1.2, rules=("invariant-hoist", "set-membership"),
    )  # fmt: skip


def commit_of(session: int, number: int) -> str:
    return random.Random(session * 1000 + number).randbytes(20).hex()


def measured(seed: int, before: float, ratio: float, *, label: str = "bench_quote_batch") -> Measurement:
    """What a gate of nine paired rounds would say about this ratio."""
    dice = random.Random(seed)
    olds = tuple(before * dice.gauss(1, 0.006) for _ in range(15))
    news = tuple(before / ratio * dice.gauss(1, 0.006) for _ in range(15))
    return Measurement(
        metric="cpu", unit="ns", outcome="keep" if ratio > 1.012 else "discard", before=before, after=before / ratio,
        ratio=ratio, low=ratio * 0.989, high=ratio * 1.011, floor=0.012, pairs=15, p=0.001, label=label,
        samples_before=olds, samples_after=news, peak_before=98_700_000.0, peak_after=98_800_000.0,
    )  # fmt: skip


TESTS = TestRun(passed=412, failed=0, skipped=3, seconds=38.2, exit_code=0, command="pytest -q tests")
CHECKS = (
    Check(
        name="Recorded inputs replayed", state="pass", detail="From the test suite", tried=2048, agreed=2048
    ),
    Check(
        name="Generated inputs", state="pass", detail="Neighbours of recorded inputs", tried=500, agreed=500
    ),
    Check(name="Raised errors", state="pass", detail="Same type and message", tried=14, agreed=14),
    Check(name="Callers on several threads", state="not_checked", detail="Nothing in the suite covers this"),
)


class Clock:
    """Stamps events with times that move on; nothing here waits."""

    def __init__(self, start: float) -> None:
        self.now = start

    def stamp(self, event: e.Event, after: float = 2.0) -> e.Event:
        self.now += after
        return replace(event, at=self.now)


def opening(session: int, clock: Clock) -> Iterator[e.Event]:
    """From the start to the baseline."""
    at = clock.stamp
    yield at(e.SessionStarted(
        session=str(session), mode="start", crew="builtin", repo="pricing", base=commit_of(session, 0), base_ref="main",
        branch=f"codeflash/pricing-{session}", isolation=Isolation(level="L2", mechanism="bubblewrap"),
        fingerprint={"cpu": "8 cores", "python": "CPython 3.12.4", "host": "runner-3"},
    ), 0.4)  # fmt: skip
    yield at(e.AgentStarted(agent="router", task="find the language and the domain"))
    yield at(e.LanguageDetected(language="Python", files=84, lines=11_240, evidence=("pyproject.toml",)))
    yield at(e.DomainChosen(domain="deep", reason="time is spread over cpu, memory and imports"), 6)
    yield at(e.AgentFinished(agent="router", summary="Python, deep"))
    yield at(e.AgentStarted(agent="setup", task="prepare the environment"))
    yield at(e.SetupFinished(
        manager="uv", python="python3.12", python_version="3.12.4", lock_digest="3f0c91d2", cached=False, seconds=131.0,
        packages=42, test_command="pytest -q tests", benchmarks=("bench/bench_quote.py",),
    ), 131)  # fmt: skip
    yield at(e.AgentFinished(agent="setup", summary="uv, Python 3.12.4, 42 packages"))
    yield at(e.TestsRan(purpose="baseline", run=TESTS), 48)
    yield at(e.DependenciesResearched(packages=("pydantic", "orjson")), 1)
    yield at(e.TeamFormed(agents=("deep", "researcher", "review")), 1)
    yield at(e.AgentStarted(agent="deep", task="profile the baseline"))
    yield at(e.BaselineProfiled(
        commit=commit_of(session, 0), workload="bench_quote_batch", seconds=92.0, value=BASELINE_NS, unit="ns",
        metric="cpu", floor=0.012, targets=tuple(target(i) for i in range(len(PLACES))),
    ), 92)  # fmt: skip
    yield at(
        e.StateFileWritten(
            name="setup.md", digest="a" * 64, content="# Setup\n\n- manager: uv\n- python: 3.12.4\n"
        )
    )


def experiment(
    session: int, number: int, plan: Plan, best: float, consecutive: int, clock: Clock
) -> Iterator[e.Event]:
    """One experiment from its start to its outcome; ``best`` is the running best before it."""
    at, where = clock.stamp, target(plan.place)
    yield at(e.ExperimentStarted(
        number=number, experiment=f"uid-{session}-{number}", target=where, agent="deep", domain=where.domain,
        pattern=plan.pattern, title=plan.title,
        hypothesis=f"`{where.qualname}` spends much of its time on work that does not change between calls.",
    ), 40)  # fmt: skip
    yield at(e.ExperimentAdvanced(number=number, step="implement", detail="one function"), 20)
    yield at(e.ExperimentAdvanced(number=number, step="test"), 10)
    if plan.outcome == "crash":
        yield at(e.ExperimentCrashed(
            number=number, error="RecursionError: maximum recursion depth exceeded", diff=DIFF, seconds=80.0,
            output="Traceback (most recent call last):\n  File \"pricing/fx.py\", line 22\nRecursionError",
        ), 30)  # fmt: skip
        return
    yield at(e.ExperimentAdvanced(number=number, step="benchmark", round=7, rounds=15), 60)
    m = measured(session * 100 + number, BASELINE_NS / best, plan.ratio) if plan.ratio else None
    if plan.outcome != "keep":
        yield from _discarded(number, plan, m, consecutive, clock)
        return
    assert m is not None and plan.ratio is not None
    yield from _kept(session, number, plan, m, best * plan.ratio, clock)
    if number % 4 == 0:
        yield at(e.FindingSent(
            target=where.id, rank=plan.place + 1, text="The context is read on every call. Expect 3 to 5%.",
            proposals=("hoist the context",), obligations=("rounding stays half-even",),
        ))  # fmt: skip


def _discarded(
    number: int, plan: Plan, m: Measurement | None, consecutive: int, clock: Clock
) -> Iterator[e.Event]:
    at, where = clock.stamp, target(plan.place)
    yield at(e.ExperimentDiscarded(
        number=number, reason_class=plan.outcome, reason=_why(plan), measurement=m, consecutive=consecutive,
        checks=CHECKS if plan.outcome != "tests" else (), evidence="E2", diff=DIFF, seconds=140.0,
        tests=replace(TESTS, passed=408, failed=4, failures=("tests/test_tiers.py::test_half_even",), exit_code=1)
        if plan.outcome == "tests" else TESTS,
    ), 90)  # fmt: skip
    yield at(e.LearningNoted(
        number=number, domain=where.domain, pattern=plan.pattern, outcome="discard", target=where.id,
        claim=f"{plan.title} does not help {where.qualname}", evidence=_why(plan), ratio=plan.ratio,
    ))  # fmt: skip


def _kept(
    session: int, number: int, plan: Plan, m: Measurement, total: float, clock: Clock
) -> Iterator[e.Event]:
    """The keep, what it taught, and the new profile; ``total`` is the running best with it."""
    at, where, commit = clock.stamp, target(plan.place), commit_of(session, number)
    yield at(e.ExperimentKept(
        number=number, commit=commit, measurement=m, tests=TESTS, checks=CHECKS, evidence="E2", diff=DIFF, best=total,
        end_to_end=measured(session * 100 + number + 50, BASELINE_NS, total), seconds=262.0,
        output="$ pytest bench -k quote_batch\nbench_quote_batch  781.2 ms\n",
    ), 120)  # fmt: skip
    yield at(e.LearningNoted(
        number=number, domain=where.domain, pattern=plan.pattern, outcome="keep", target=where.id, commit=commit,
        claim=f"{plan.title} pays on {where.qualname}", evidence=f"{plan.ratio:.3f}x with Decimal rounding untouched",
        ratio=plan.ratio,
    ))  # fmt: skip
    targets = tuple(target(i, 1 / total) for i in range(len(PLACES)))
    yield at(e.Reprofiled(commit=commit, seconds=12.0, targets=targets), 14)


def _why(plan: Plan) -> str:
    return {
        "noise": "the interval touches the noise strip",
        "slower": "the whole interval lies below 1",
        "tests": "4 tests failed: half-even is applied per tier",
    }.get(plan.outcome, plan.outcome)


def loop(session: int, clock: Clock, plans: tuple[Plan, ...] = PLANS) -> Iterator[e.Event]:
    best, consecutive = 1.0, 0
    for number, plan in enumerate(plans, start=1):
        consecutive = 0 if plan.outcome == "keep" else consecutive + 1
        yield from experiment(session, number, plan, best, consecutive, clock)
        best = best * plan.ratio if plan.outcome == "keep" and plan.ratio else best


def running(session: int, number: int, clock: Clock) -> Iterator[e.Event]:
    """An experiment that is still being measured."""
    at, where = clock.stamp, target(0)
    yield at(e.ExperimentStarted(
        number=number, experiment=f"uid-{session}-{number}", target=where, agent="deep", domain="cpu",
        pattern="memoise", title="Memoise the bundle signature", hypothesis="It is asked for twice per line.",
    ), 30)  # fmt: skip
    yield at(e.ExperimentAdvanced(number=number, step="test"), 12)
    yield at(e.TestsRan(purpose=f"experiment {number}", run=TESTS, number=number), 38)
    yield at(
        e.ExperimentAdvanced(
            number=number, step="benchmark", detail="median 688 ms, not final", round=7, rounds=15
        ),
        40,
    )


def closing(
    session: int, clock: Clock, *, verdict: str = "APPROVE", best: float = 1.8, kept: int = 9
) -> Iterator[e.Event]:
    """From the plateau to the end, with a six-pass review."""
    at, head = clock.stamp, commit_of(session, 19)
    yield at(
        e.PlateauReached(cause="plateau", message="[complete] the last 2 brought nothing", consecutive=2)
    )
    yield at(e.AgentFinished(agent="deep", summary="nothing left to try"))
    yield at(e.AgentStarted(agent="review", task="six passes"))
    yield at(e.SessionMeasured(
        head=head, base=commit_of(session, 0), measurement=replace(measured(session, BASELINE_NS, best), level=0.95)
    ), 60)  # fmt: skip
    passes = tuple(_pass(name, verdict) for name in PASSES)
    for result in passes:
        yield at(e.PassFinished(result=result), 20)
    yield at(e.ReviewFiled(
        verdict=verdict, head=head, base=commit_of(session, 0), report_digest="3f0c91d2" * 8,
        results_digest="91ab07e4" * 8,
        summary="All six passes are done. One high finding was fixed. One medium finding is open.",
        passes=passes, seconds=860.0,
        without=tuple(
            {"commit": commit_of(session, n), "ratio": best * (0.8 + n / 60), "low": best * (0.78 + n / 60),
             "high": best * (0.82 + n / 60)} for n in (1, 4, 12)
        ),
    ))  # fmt: skip
    yield at(e.AgentFinished(agent="review", summary=verdict))
    for name, text in FILES.items():
        digest = "91ab07e4" * 8 if name == "results.tsv" else "b" * 64
        yield at(e.StateFileWritten(name=name, digest=digest, content=text))
    yield at(e.CleanedUp(preserved=("learnings.md", "results.tsv", "changelog.md"), removed=("trees",)))
    yield at(
        e.SessionEnded(outcome="finished", reason="reviewed", head=head, kept=kept, tried=21, seconds=6000.0)
    )


def _pass(name: str, verdict: str) -> PassResult:
    if name == "correctness":
        fixed = ReviewFinding(
            review_pass=name, severity="high", title="Rounding mode lost when quantize moved out of the loop",
            text="The old path rounded half-even per row. After the fix all **4,096** agree.", path="ledger/posting.py",
            line=118, state="fixed", resolution="Fixed in b82f9a6",
        )  # fmt: skip
        return PassResult(name=name, state="clear", summary="1 high, fixed", findings=(fixed,))
    if name == "safety":
        severity = "critical" if verdict == "BLOCK" else "medium"
        still = ReviewFinding(
            review_pass=name, severity=severity, title="Cache survives a rolled-back batch", path="pricing/rules.py",
            text="If a batch fails, the cache still holds its account. `on_rollback` must clear it.",
            line=97,
        )  # fmt: skip
        return PassResult(name=name, state="open", summary=f"1 {severity}, open", findings=(still,))
    return PassResult(name=name, state="clear", summary="Nothing found")


FILES = {
    "review-report.md": "# Review\n\nVerdict: **APPROVE**\n\n1. Comprehension: clear\n2. Correctness: clear\n",
    "results.tsv": "commit\ttarget\tbefore\tafter\tstatus\nb82f9a6\tquote_bundle\t722\t702\tkeep\n",
    "learnings.md": "# Learnings\n\n- Cache rates on (country, category)\n",
    "HANDOFF.md": "# Hand-off\n\nNext: `convert`\n",
}


def story(session: int, start: float, *, verdict: str = "APPROVE") -> Iterator[e.Event]:
    """A whole finished session."""
    clock = Clock(start)
    yield from opening(session, clock)
    yield from loop(session, clock)
    yield from closing(session, clock, verdict=verdict)


def half_story(session: int, start: float) -> Iterator[e.Event]:
    """A session in the middle of an experiment."""
    clock = Clock(start)
    yield from opening(session, clock)
    yield from loop(session, clock)
    yield from running(session, len(PLANS) + 1, clock)
