"""The keep rule on made-up numbers: each branch, and the properties that no numbers may break."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.measure import gate
from engine.measure.gate import PLANS, Score, decide

CPU, WALL = PLANS["cpu"], PLANS["wall"]


def pairs(n, ratio=1.0, spread=0.01, seed=1):
    coin = random.Random(seed)

    def score(base):
        least = base * math.exp(abs(coin.gauss(0, spread)) / 4)
        return Score(least, least * math.exp(abs(coin.gauss(0, spread))))

    return [(score(1000.0 * ratio), score(1000.0)) for _ in range(n)]


def test_nothing_gained_ends_after_twenty_pairs():
    found = decide(pairs(20), plan=CPU, delta=0.02)
    assert (found.verdict, found.more, found.witnesses) == ("discard", 0, ())
    assert len(found.ratios) == 2


def test_a_gain_goes_on_and_both_witnesses_see_it():
    shown = pairs(40, ratio=1.1)
    assert (
        decide(shown[:20], plan=CPU, delta=0.02).verdict,
        decide(shown[:20], plan=CPU, delta=0.02).more,
    ) == ("more", 20)
    found = decide(shown, plan=CPU, delta=0.02)
    assert (found.verdict, found.witnesses) == ("keep", (1, 2))
    assert found.p < 1e-9


def test_one_witness_is_enough():
    shown = pairs(40, ratio=1.1)
    a, b = shown[3]
    lucky = [*shown[:3], (Score(b.least * 0.9, a.middle), b), *shown[4:]]
    assert decide(lucky, plan=CPU, delta=0.02).witnesses == (2,)


def test_a_gain_inside_the_floor_is_not_a_gain():
    shown = pairs(40, ratio=1.03)
    assert decide(shown, plan=CPU, delta=0.02).verdict == "keep"
    assert decide(shown, plan=CPU, delta=0.04).verdict == "unclear"


def borderline():
    """Median gains just above the floor in most pairs, one quarter without any."""
    steady = pairs(30, ratio=1.06, spread=0.2, seed=2)
    return [*steady, *pairs(10, ratio=1.0, spread=0.2, seed=3)]


def test_unclear_with_a_promising_estimate_is_extended_once():
    shown = borderline()
    found = decide(shown, plan=CPU, delta=0.02)
    assert (found.verdict, found.more) == ("more", 40)
    last = decide([*shown, *shown], plan=CPU, delta=0.02)
    assert last.verdict in ("keep", "unclear")
    assert last.more == 0


def test_the_second_look_is_stricter():
    """The same evidence that just suffices at forty pairs must be clearer at eighty."""
    low, high = gate.EXTENDED_P, gate.WITNESS_P
    assert low == high / 2


def test_waiting_code_is_decided_at_eighty_pairs_by_the_second_witness_alone():
    found = decide(pairs(80, ratio=1.1), plan=WALL, delta=0.02)
    assert (found.verdict, found.witnesses) == ("keep", (2,))
    assert decide(pairs(80), plan=WALL, delta=0.02).verdict == "unclear"
    for other in (20, 40):
        with pytest.raises(ValueError, match="80"):
            decide(pairs(other), plan=WALL, delta=0.02)


def test_nobody_peeks_between_stages():
    for n in (19, 21, 30, 60, 79):
        with pytest.raises(ValueError, match="after"):
            decide(pairs(n), plan=CPU, delta=0.02)


def test_fewer_than_twenty_differences_are_no_second_witness():
    """Differences that equal the floor exactly are dropped; the rest are too few, however clear they look."""
    at_floor = (Score(1000.0, 2000.0), Score(1000.0, 1000.0))
    for clear, expected in ((19, ()), (20, (2,))):
        shown = [*[at_floor] * (40 - clear), *[(Score(1000.0, 8000.0), Score(1000.0, 1000.0))] * clear]
        found = decide(shown, plan=CPU, delta=1.0)
        assert (found.ranked, found.witnesses) == (clear, expected)


def test_the_headline_is_the_fastest_case_on_cpu_and_the_median_on_wall():
    shown = pairs(40, ratio=1.2)
    assert gate.headline(shown, plan=CPU, delta=0.02).estimator == "fastest case"
    assert gate.headline(shown, plan=WALL, delta=0.02).estimator == "median"


def test_when_the_estimators_disagree_the_smaller_leads():
    shown = [(Score(1500.0, 1800.0), Score(1000.0, 1600.0))] * 40
    head = gate.headline(shown, plan=CPU, delta=0.02)
    assert (head.estimator, head.apart) == ("median", True)
    assert head.interval.estimate == pytest.approx(1.125)
    assert head.other.estimate == pytest.approx(1.5)


def test_the_guard_on_a_related_benchmark_asks_again_before_it_fails():
    slower = pairs(30, ratio=0.8)
    assert gate.related(pairs(10), 0.02) == "pass"
    assert gate.related(slower[:10], 0.02) == "more"
    assert gate.related(slower, 0.02) == "fail"
    assert gate.related([*slower[:10], *pairs(20, ratio=1.3)], 0.02) == "pass"


def test_the_floor_is_never_below_two_percent():
    quiet = [Score(1000.0, 1001.0)] * 40
    assert gate.floor_of(quiet, by_least=True) == 0.02


def test_the_floor_is_the_upper_quartile_of_abba_windows():
    """Every window compares its own ABBA halves; a slow patch of a machine raises it."""
    coin = random.Random(4)
    scores = [Score(1000.0 * math.exp(coin.gauss(0, 0.05)), 1100.0) for _ in range(40)]
    windows = []
    for start in range(21):
        part = scores[start : start + 20]
        a = min(s.least for i, s in enumerate(part) if i % 4 in (0, 3))
        b = min(s.least for i, s in enumerate(part) if i % 4 in (1, 2))
        windows.append(abs(math.log(a / b)))
    expected = math.exp(sorted(windows)[15]) - 1
    assert gate.floor_of(scores, by_least=True) == pytest.approx(max(0.02, expected))
    assert gate.floor_of(scores, by_least=False) == 0.02


SCORES = st.builds(
    lambda least, extra: Score(least, least * extra),
    st.floats(1e3, 1e9),
    st.floats(1.0, 3.0, exclude_max=True),
)
MANY = st.lists(st.tuples(SCORES, SCORES), min_size=20, max_size=20)


@given(MANY)
@settings(max_examples=60, deadline=None)
def test_swapping_the_arms_turns_every_difference(shown):
    turned = [(b, a) for a, b in shown]
    assert gate.differences(turned) == pytest.approx([-d for d in gate.differences(shown)])
    assert gate.part_ratios(turned, 4) == pytest.approx([-r for r in gate.part_ratios(shown, 4)])
    both = {decide(each, plan=CPU, delta=0.02).verdict for each in (shown, turned)}
    assert both != {"keep"}


@given(MANY, st.sampled_from([0.25, 8.0, 1024.0]))
@settings(max_examples=40, deadline=None)
def test_a_faster_clock_changes_nothing(shown, factor):
    scaled = [tuple(Score(s.least * factor, s.middle * factor) for s in pair) for pair in shown]
    assert decide(scaled, plan=CPU, delta=0.02) == decide(shown, plan=CPU, delta=0.02)
    one, other = (gate.headline(each, plan=CPU, delta=0.02) for each in (shown, scaled))
    assert other.interval.estimate == pytest.approx(one.interval.estimate)
