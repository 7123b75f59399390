"""Scores, discounts and totals."""

from __future__ import annotations

import statistics
from typing import Iterator, List, Tuple


def supplier_scores(rows: List[List[float]], weights: List[float]) -> List[float]:
    """One score a supplier: the weighted mean of its marks."""
    scores = []
    for row in rows:
        score = 0.0
        for position in range(len(row)):
            score += row[position] * weights[position] / sum(weights)
        scores.append(score)
    return scores


def apply_coupons(prices: List[int], coupons: Iterator[int]) -> List[int]:
    """Prices in cents, each less the next coupon in percent; every coupon is good for one article."""
    reduced = []
    for price in prices:
        percent = next(coupons, 0)
        reduced.append(price - price * percent // 100)
    return reduced


def order_total(lines: List[Tuple[str, int, int]], shipping: int) -> int:
    """Cents to pay for ``(sku, pieces, price)`` lines; shipping is free from 50 euros on."""
    goods = 0
    for _, pieces, price in lines:
        goods += pieces * price
    return goods if goods >= 5000 else goods + shipping


def typical_price(prices: List[int]) -> float:
    """The price in the middle, for the yearly report."""
    return statistics.median(prices)
