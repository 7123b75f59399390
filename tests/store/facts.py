"""A whole session as the engine would state it, small but with every kind that projects something."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from engine import events as e
from engine.values import Check, Isolation, Measurement, PassResult, ReviewFinding, Target, TestRun

HEAD, BASE, REPORT, RESULTS = "b" * 40, "a" * 40, "d" * 64, "e" * 64
HOT = Target(
    path="shop/cart.py", qualname="total", line=10, domain="cpu", share=0.4, rules=("invariant-hoist",)
)
COLD = Target(path="shop/tax.py", qualname="rate", line=3, domain="cpu", share=None, note="not measured")
GOOD = Measurement(
    metric="cpu", unit="ns", outcome="keep", before=900.0, after=300.0, ratio=3.0, low=2.8, high=3.2, floor=0.02,
    pairs=9, samples_before=(900.0, 901.0), samples_after=(300.0, 299.0),
)  # fmt: skip
WHOLE = replace(GOOD, floor=0.03)
TESTS = TestRun(passed=12, failed=0, seconds=0.4, exit_code=0, command="pytest")


def opening() -> Iterator[e.Event]:
    yield e.SessionStarted(
        session="1", mode="start", crew="builtin", repo="shopworks", base=BASE, base_ref="main",
        branch="codeflash/shopworks-1", isolation=Isolation(level="L2", mechanism="bubblewrap"),
        fingerprint={"cpu": "test"},
    )  # fmt: skip
    yield e.AgentStarted(agent="router", task="find the language")
    yield e.LanguageDetected(language="python", files=9, lines=400)
    yield e.DomainChosen(domain="cpu", reason="the profile says so")
    yield e.AgentFinished(agent="router", summary="python, cpu")
    yield e.SetupFinished(
        manager="pip", python="/venv/bin/python", python_version="3.11.2", lock_digest="x", cached=False, seconds=2.0,
        test_command="pytest -q",
    )  # fmt: skip
    yield e.TestsRan(purpose="baseline", run=TESTS)
    yield e.DependenciesResearched(packages=("rich",))
    yield e.TeamFormed(agents=("cpu", "researcher"))
    yield e.BaselineProfiled(
        commit=BASE, workload="tests", seconds=1.0, targets=(HOT, COLD), value=1e6, unit="ns"
    )


def _try(number: int) -> Iterator[e.Event]:
    yield e.ExperimentStarted(
        number=number, experiment=f"u{number}", target=HOT, agent="cpu", domain="cpu", pattern="invariant-hoist",
        title=f"Try {number}", hypothesis="the lookup does not change in the loop",
    )  # fmt: skip
    yield e.ExperimentAdvanced(number=number, step="benchmark", round=2, rounds=9)


def keep(number: int, commit: str = HEAD) -> Iterator[e.Event]:
    yield from _try(number)
    yield e.ExperimentKept(
        number=number, commit=commit, measurement=GOOD, end_to_end=WHOLE, tests=TESTS, evidence="E2",
        diff="--- a\n+++ b\n", best=3.0, checks=(Check(name="recorded calls", state="pass", tried=40, agreed=40),),
    )  # fmt: skip
    yield e.LearningNoted(
        number=number, domain="cpu", pattern="invariant-hoist", outcome="keep", claim="Hoisting pays", evidence="3x",
        ratio=3.0, commit=commit,
    )  # fmt: skip
    yield e.Reprofiled(commit=commit, targets=(replace(HOT, share=0.1), COLD), seconds=1.0)


def discard(number: int, consecutive: int = 1) -> Iterator[e.Event]:
    yield from _try(number)
    yield e.ExperimentDiscarded(
        number=number, reason_class="noise", reason="within the floor", consecutive=consecutive
    )


def crash(number: int) -> Iterator[e.Event]:
    yield from _try(number)
    yield e.ExperimentCrashed(number=number, error="MemoryError", output="killed")


def review(verdict: str = "APPROVE", severity: str = "low", head: str = HEAD) -> Iterator[e.Event]:
    finding = ReviewFinding(
        review_pass="quality", severity=severity, title="A name is long", path="shop/cart.py", line=3
    )
    passes = (
        PassResult(name="comprehension", state="clear", summary="understood"),
        PassResult(name="quality", state="open", summary="one finding", findings=(finding,)),
    )
    yield e.SessionMeasured(head=head, base=BASE, measurement=GOOD)
    yield e.ClaimMeasured(number=4, commit=head, measurement=GOOD)
    yield from (e.PassFinished(result=each) for each in passes)
    yield e.ReviewFiled(
        verdict=verdict, head=head, base=BASE, summary="Fine.", report_digest=REPORT, results_digest=RESULTS,
        passes=passes, seconds=3.0,
    )  # fmt: skip


def closing(outcome: str = "finished", head: str = HEAD) -> Iterator[e.Event]:
    yield e.CleanedUp(preserved=("learnings.md",), removed=("trees",))
    yield e.SessionEnded(outcome=outcome, reason="plateau", head=head, kept=1, tried=4, seconds=60.0)


def whole(verdict: str = "APPROVE", severity: str = "low") -> Iterator[e.Event]:
    """Opening, keeps, a discard, a crash, a finding, a reverted keep, review and end, one second apart."""
    facts = [
        *opening(),
        e.FindingSent(target=HOT.id, rank=1, text="a loop invariant", proposals=("hoist",)),
        *keep(1, "c" * 40),
        *discard(2),
        *crash(3),
        e.MeasuringWaited(behind="session 9"),
        *keep(4),
        e.KeepReverted(number=1, commit="c" * 40, head=HEAD, reason="adds nothing on top of 4"),
        e.StateFileWritten(name="results.tsv", digest=RESULTS, content="commit\n"),
        e.PlateauReached(cause="plateau", message="[complete]", consecutive=3),
        *review(verdict, severity),
        e.StateFileWritten(name="results.tsv", digest=RESULTS, content="commit\n"),
        e.NoteLogged(source="engine", text="odd \x00 text \ud800 here"),
        *closing(),
    ]
    return (replace(fact, at=1_780_000_000.25 + i) for i, fact in enumerate(facts))
