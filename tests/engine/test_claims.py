"""When the review says that a claim does not hold: by intervals, the noise floor, and what can be seen at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.agents.review.benchmarks import judge_claim
from engine.run import Attempt
from engine.values import Measurement, Target

TARGET = Target(path="shop/stock.py", qualname="shippable", line=7, domain="cpu")


def measured(ratio: float, spread: float = 0.01, floor: float = 0.02) -> Measurement:
    return Measurement(
        metric="cpu", unit="ns", outcome="measured", ratio=ratio, low=ratio * (1 - spread), high=ratio * (1 + spread),
        floor=floor, pairs=20,
    )  # fmt: skip


def attempt(claim: Measurement) -> Attempt:
    return Attempt(
        number=3, uid="u", target=TARGET, agent="cpu", pattern="set-membership", title="t", hypothesis="h",
        tier="guarded", metric="cpu", status="keep", measurement=claim,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("claimed", "again", "severities"),
    [
        (1.30, 1.30, []),
        (1.30, 1.27, []),  # apart, but by less than the floor and the intervals
        (1.30, 1.20, ["high"]),
        (1.06, 1.005, ["high"]),
        (20.0, 10.0, ["high"]),
        (100.0, 50.0, ["high"]),
        (454.0, 413.0, ["note"]),  # a fifth of a thousandth of the time before
        (1.20, 1.30, ["note"]),
    ],
)
def test_a_claim_is_held_against_what_is_measured_again(
    claimed: float, again: float, severities: list[str]
) -> None:
    claim = measured(claimed)
    found = list(judge_claim(attempt(claim), claim, measured(again)))
    assert [each.severity for each in found] == severities
    assert all(each.path == TARGET.path and "experiment 3" in each.title.lower() for each in found)


def test_a_noisy_floor_forgives_more() -> None:
    claim, again = measured(1.30), measured(1.20)
    assert list(judge_claim(attempt(claim), claim, again))
    assert not list(judge_claim(attempt(claim), claim, replace(again, floor=0.08)))
