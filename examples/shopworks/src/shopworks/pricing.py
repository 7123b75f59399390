"""Shares and discounts."""

from __future__ import annotations

from typing import Iterator, List


def sales_shares(sold: List[int]) -> List[float]:
    """Percent of all pieces sold, for each article; raises ZeroDivisionError when nothing was sold at all."""
    shares = []
    for pieces in sold:
        shares.append(100 * pieces / sum(sold))
    return shares


def apply_coupons(prices: List[int], coupons: Iterator[int]) -> List[int]:
    """Prices in cents, each less the next coupon in percent; every coupon is good for one article."""
    reduced = []
    for price in prices:
        percent = next(coupons, 0)
        reduced.append(price - price * percent // 100)
    return reduced
