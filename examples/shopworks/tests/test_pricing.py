"""Shares and discounts."""

import pytest
from shopworks import apply_coupons, sales_shares


def test_shares_of_all_sales():
    assert sales_shares([1, 3]) == [25.0, 75.0]
    assert sales_shares([]) == []
    assert sum(sales_shares([n % 40 for n in range(500)])) == pytest.approx(100.0)
    with pytest.raises(ZeroDivisionError):
        sales_shares([0, 0])


def test_a_coupon_is_good_for_one_article():
    assert apply_coupons([1000, 1000, 1000], iter([10, 50])) == [900, 500, 1000]
