"""Asking suppliers and moving money to them."""

from __future__ import annotations

import asyncio
from typing import Dict, List, Tuple

LATENCY = 0.002


async def ask_price(sku: str) -> int:
    """What the supplier wants for one article, in cents. Stands for a request over the network."""
    await asyncio.sleep(LATENCY)
    return 100 + sum(sku.encode("utf-8")) % 900


async def collect_prices(skus: List[str]) -> List[int]:
    """The supplier's price of each article."""
    prices = []
    for sku in skus:
        prices.append(await ask_price(sku))
    return prices


async def book(balances: Dict[str, int], account: str, cents: int) -> int:
    """Take ``cents`` from an account that the bank holds; gives what is left. Never below zero."""
    left = max(balances[account] - cents, 0)
    await asyncio.sleep(LATENCY)
    balances[account] = left
    return left


async def settle_transfers(balances: Dict[str, int], transfers: List[Tuple[str, int]]) -> List[int]:
    """Book the transfers one after the other; each sees what the one before has left."""
    left = []
    for account, cents in transfers:
        left.append(await book(balances, account, cents))
    return left
