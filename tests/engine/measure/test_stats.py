"""The statistics against scipy, and properties that must hold whatever the numbers."""

from __future__ import annotations

import math
import random
import warnings

import numpy
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.measure import stats

FINITE = st.floats(-10, 10, allow_nan=False).filter(lambda v: v == 0 or abs(v) > 1e-6)


@pytest.mark.parametrize("n", [5, 8, 13, 20, 33, 40, 57, 80])
def test_the_exact_p_agrees_with_scipy(n):
    coin = random.Random(n)
    for shift in (-0.3, 0.0, 0.2, 0.6):
        sample = [coin.gauss(shift, 1) for _ in range(n)]
        expected = scipy.stats.wilcoxon(sample, alternative="greater", method="exact").pvalue
        found, ranked = stats.signed_rank_p(sample)
        assert ranked == n
        assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("n", [6, 9, 11])
def test_ties_and_zeros_agree_with_a_full_permutation_test(n):
    coin = random.Random(n)
    for _ in range(5):
        sample = [float(coin.choice([-2, -1, -1, 0, 1, 1, 2, 3])) for _ in range(n)]
        kept = numpy.array([v for v in sample if v])
        ranks = scipy.stats.rankdata(abs(kept))

        def statistic(x, ranks=ranks):
            return float(ranks[x > 0].sum())

        expected = scipy.stats.permutation_test(
            (kept,), statistic, permutation_type="samples", alternative="greater", n_resamples=numpy.inf
        ).pvalue
        assert stats.signed_rank_p(sample)[0] == pytest.approx(expected, rel=1e-9)


def test_no_differences_are_no_evidence():
    assert stats.signed_rank_p([0.0] * 30) == (1.0, 0)
    assert stats.signed_rank_p([]) == (1.0, 0)


def test_more_pairs_than_can_be_exact_are_refused():
    with pytest.raises(ValueError, match="at most 90 pairs"):
        stats.signed_rank_p([1.0] * 91)


def test_the_largest_sample_is_still_exact():
    p, _ = stats.signed_rank_p([float(i + 1) for i in range(90)])
    assert p == 2.0**-90
    assert stats.signed_rank_p([-float(i + 1) for i in range(90)])[0] == 1.0


@pytest.mark.parametrize(
    ("n", "alpha", "expected"), [(40, 0.025, 264), (20, 0.025, 52), (10, 0.025, 8), (6, 0.025, 0)]
)
def test_the_cut_of_the_signed_rank_law_is_the_published_one(n, alpha, expected):
    assert stats.signed_rank_cut(n, alpha) == expected


def test_a_sample_too_small_for_the_level_has_no_cut():
    assert stats.signed_rank_cut(3, 0.025) == -1
    assert stats.hodges_lehmann([1.0, 2.0, 4.0]) == stats.Interval(2.25, 1.0, 4.0)


@pytest.mark.parametrize("n", [10, 40, 80])
def test_the_hodges_lehmann_interval_is_where_the_test_turns(n):
    """Inside the interval no shift is rejected two-sided at 5%, just outside it is."""
    coin = random.Random(n)
    sample = [coin.gauss(0.1, 1) for _ in range(n)]
    found = stats.hodges_lehmann(sample)
    averages = [(a + b) / 2 for i, a in enumerate(sample) for b in sample[i:]]
    assert found.estimate == pytest.approx(float(numpy.median(averages)))
    for edge, inside in ((found.low, 1), (found.high, -1)):
        for step, rejected in ((inside * 1e-9, False), (-inside * 1e-9, True)):
            moved = [v - edge - step for v in sample]
            p = scipy.stats.wilcoxon(moved, method="exact").pvalue
            assert bool(p <= 0.05) is rejected


@pytest.mark.parametrize("level", [0.95, 0.99])
def test_the_block_interval_is_student_s(level):
    coin = random.Random(3)
    blocks = [coin.gauss(0.1, 0.05) for _ in range(8)]
    found = stats.block_interval(blocks, level)
    mean, error = numpy.mean(blocks), scipy.stats.sem(blocks)
    low, high = scipy.stats.t.interval(level, 7, loc=mean, scale=error)
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-4)


def test_the_block_interval_refuses_other_sizes_and_levels():
    with pytest.raises(ValueError, match="8 blocks"):
        stats.block_interval([0.1] * 7)
    with pytest.raises(ValueError, match=r"0\.95 or 0\.99"):
        stats.block_interval([0.1] * 8, 0.9)


@pytest.mark.parametrize("q", [0.0, 0.25, 0.5, 0.75, 0.95, 1.0])
def test_quantiles_interpolate_as_numpy_does(q):
    coin = random.Random(5)
    for n in (1, 2, 7, 21):
        sample = [coin.random() for _ in range(n)]
        assert stats.quantile(sample, q) == pytest.approx(float(numpy.quantile(sample, q)))


def test_unknown_is_not_zero():
    for empty in (lambda: stats.median([]), lambda: stats.quantile([], 0.5)):
        with pytest.raises(ValueError, match="not known"):
            empty()


def test_benjamini_hochberg_agrees_with_scipy():
    coin = random.Random(8)
    for _ in range(20):
        ps = [coin.random() ** 3 for _ in range(25)]
        adjusted = scipy.stats.false_discovery_control(ps, method="bh")
        assert stats.benjamini_hochberg(ps) == [bool(a <= 0.05) for a in adjusted]


def test_experiments_tried_without_a_claim_count():
    ps = [0.001, 0.02]
    assert stats.benjamini_hochberg(ps) == [True, True]
    assert stats.benjamini_hochberg(ps, m=40) == [True, False]


def test_several_benchmarks_give_a_geometric_mean_inside_its_interval():
    coin = random.Random(1)
    benchmarks = [[coin.gauss(mean, 0.02) for _ in range(8)] for mean in (0.0, 0.1, 0.4)]
    found = stats.combined(benchmarks, seed=4).exp()
    assert found.estimate == pytest.approx(math.exp(0.5 / 3), rel=0.02)
    assert found.low < found.estimate < found.high
    assert stats.combined(benchmarks, seed=4).exp() == found


@given(st.lists(FINITE, min_size=1, max_size=40))
@settings(max_examples=80, deadline=None)
def test_turning_the_signs_turns_the_answer(values):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one, n = stats.signed_rank_p(values)
        other, m = stats.signed_rank_p([-v for v in values])
    assert n == m
    assert one + other >= 1 or not n
    found, turned = stats.hodges_lehmann(values), stats.hodges_lehmann([-v for v in values])
    assert turned.estimate == pytest.approx(-found.estimate, abs=1e-12)
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low), abs=1e-12)
