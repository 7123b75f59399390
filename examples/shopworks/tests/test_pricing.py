"""Scores, discounts and totals."""

import pytest
from shopworks import apply_coupons, order_total, supplier_scores, typical_price


def test_scores_are_weighted_means():
    assert supplier_scores([[4.0, 3.5]], [2.0, 1.0]) == [pytest.approx(23 / 6)]
    assert supplier_scores([], [2.0]) == []
    assert supplier_scores([[]], []) == [0.0]


def test_all_suppliers_of_a_year():
    weights = [1.0 + n % 3 for n in range(12)]
    rows = [[(n * m) % 50 / 10 for m in range(12)] for n in range(600)]
    scores = supplier_scores(rows, weights)
    assert len(scores) == 600
    assert scores[0] == 0.0
    assert max(scores) < 5.0


def test_a_coupon_is_good_for_one_article():
    assert apply_coupons([1000, 1000, 1000], iter([10, 50])) == [900, 500, 1000]


def test_shipping_is_free_from_fifty_euros():
    assert order_total([("tea", 2, 700)], 490) == 1890
    assert order_total([("pot", 2, 2500)], 490) == 5000


def test_typical_price():
    assert typical_price([3, 1, 2]) == 2
