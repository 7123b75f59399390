"""How often the gate errs on a simulated noisy machine: false keeps, and gains that it misses."""

from __future__ import annotations

import pytest

from engine.measure.gate import PLANS
from tests.engine.measure.simulation import experiment, keeps

NULLS, GAINS = 1000, 300


def test_two_thousand_times_the_same_code_is_kept_at_most_ten_times():
    found = {spread: keeps(NULLS, spread=spread, gain=1.0) for spread in (0.05, 0.08)}
    assert sum(found.values()) <= 10, found


@pytest.mark.parametrize("spread", [0.05, 0.08])
def test_a_true_ten_percent_is_found(spread):
    assert keeps(GAINS, spread=spread, gain=1.1, first=50_000) >= 0.89 * GAINS


@pytest.mark.parametrize("spread", [0.05, 0.08])
def test_a_true_twenty_percent_is_found_nearly_always(spread):
    assert keeps(GAINS, spread=spread, gain=1.2, first=90_000) >= 0.99 * GAINS


def test_slower_code_is_never_kept():
    assert keeps(200, spread=0.08, gain=0.95) == 0


def test_a_very_noisy_machine_still_does_not_keep_nothing():
    assert keeps(NULLS, spread=0.15, gain=1.0, first=7_000) <= 5


def test_waiting_code_without_a_first_stage_errs_as_rarely():
    verdicts = [experiment(seed, spread=0.05, gain=1.0, plan=PLANS["wall"]) for seed in range(400)]
    assert verdicts.count("keep") <= 4
    verdicts = [experiment(seed, spread=0.05, gain=1.1, plan=PLANS["wall"]) for seed in range(100)]
    assert verdicts.count("keep") >= 89


def test_the_same_seed_is_the_same_experiment():
    assert [experiment(s, spread=0.08, gain=1.05) for s in range(20)] == [
        experiment(s, spread=0.08, gain=1.05) for s in range(20)
    ]
