"""Writes a small repo to disk: a package with cheap and dear functions, coroutines, imports, odd shapes, and tests."""

from __future__ import annotations

from pathlib import Path

INIT = '''
"""A small shop."""
from shop.prices import total
from shop import report
'''

PRICES = """
import functools

MISSING = object()


def total(rows):
    result = 0
    for row in rows:
        result += weight(row)
    return result


def weight(row):
    value = 0
    for step in range(400):
        value += (row * step) % 7
    return value


def cheap(a, b=2, *rest, flag=False, **options):
    return (a, b, rest, flag, options)


def lookup(table, key, default=MISSING):
    if default is MISSING:
        return table[key]
    return table.get(key, default)


def apply(function, value):
    return function(value)


def drain(rows):
    return sum(rows)


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def shuffle(items):
    items.append(len(items))
    items.sort(reverse=True)
    return items


def counted(function):
    @functools.wraps(function)
    def inner(*args):
        return function(*args)
    return inner


@counted
def wrapped(x):
    return x + 1


def hidden(function):
    def inner(*args):
        return function(*args) * 2
    return inner


@hidden
def doubled(x):
    return x + 1


def squares(n):
    for each in range(n):
        yield each * each


class Basket:
    def __init__(self, owner):
        self.owner = owner
        self.items = []

    def add(self, item):
        self.items.append(item)
        return len(self.items)

    def __secret(self, x):
        return x + len(self.items)

    def open(self, x):
        return self.__secret(x)

    @property
    def size(self):
        return len(self.items)

    @staticmethod
    def parse(text):
        return text.split(",")

    @classmethod
    def empty(cls):
        return cls("nobody")
"""

REPORT = """
import decimal
import colorsys


def build(n):
    parts = [str(i) * 10 for i in range(n)]
    return len("".join(parts))


def small(n):
    return [n]


def spread(n):
    return helper_free(n)


def helper_free(n):
    return decimal.Decimal(n)
"""

NET = """
import asyncio
import time


async def fetch(delay):
    await asyncio.sleep(delay)
    return delay


async def one_by_one(n):
    found = []
    for _ in range(n):
        found.append(await fetch(0.01))
    return found


async def together(n):
    return await asyncio.gather(*(fetch(0.02) for _ in range(n)))


async def blocking(seconds):
    time.sleep(seconds)
    return seconds


async def mixed():
    await asyncio.gather(one_by_one(4), together(3))
    await blocking(0.05)
"""

TESTS = """
import asyncio
import pytest
from shop import net, prices, report
from shop.prices import Basket


class Local:
    def __init__(self, n):
        self.n = n


def test_total():
    for _ in range(300):
        assert prices.total(list(range(40))) > 0
    assert prices.total([]) == 0
    assert prices.total([1.5]) > 0


@pytest.mark.parametrize("n", [3, 9])
def test_fib(n):
    assert prices.fib(n) > 0


def test_cheap():
    assert prices.cheap(1) == (1, 2, (), False, {})
    prices.cheap(1, 3, 4, 5, flag=True, extra="x")
    prices.cheap(a="x")
    for n in range(500):
        prices.cheap(n)


def test_lookup():
    assert prices.lookup({"a": 1}, "a") == 1
    assert prices.lookup({}, "a", None) is None
    with pytest.raises(KeyError):
        prices.lookup({}, "a")


def test_functions():
    bonus = 3
    assert prices.apply(lambda x: x + bonus, 1) == 4
    assert prices.apply(len, "abc") == 3
    assert prices.drain(n for n in range(3)) == 3
    assert prices.shuffle([3, 1]) == [3, 2, 1]
    assert prices.wrapped(1) == 2
    assert prices.doubled(1) == 4
    assert list(prices.squares(3)) == [0, 1, 4]


def test_basket():
    basket = Basket(Local(1))
    basket.add(Local(2))
    assert basket.open(1) == 2
    assert basket.size == 1
    assert Basket.parse("a,b") == ["a", "b"]
    assert Basket.empty().owner == "nobody"


def test_report():
    assert report.build(60000) > 0
    assert report.small(1) == [1]
    assert report.spread(2) == 2


def test_net():
    asyncio.run(net.mixed())


def test_fails():
    assert prices.weight(1) == -1
"""

BENCH_PLAIN = """
from shop.prices import fib, total


def bench_fib():
    fib(12)


class TimeTotal:
    params = [[10, 20]]

    def setup(self, n):
        self.rows = list(range(n))

    def time_total(self, n):
        total(self.rows)
"""

BENCH_SUITE = """
from shop.prices import shuffle


def test_shuffle(benchmark):
    assert benchmark(shuffle, [1, 2, 3])
"""


def write(root: Path, *, benchmarks: bool = False) -> Path:
    """The repo below ``root``; with benchmarks of two kinds when asked for."""
    files = {
        "src/shop/__init__.py": INIT,
        "src/shop/prices.py": PRICES,
        "src/shop/report.py": REPORT,
        "src/shop/net.py": NET,
        "tests/test_shop.py": TESTS,
    }
    if benchmarks:
        files |= {"benchmarks/bench_shop.py": BENCH_PLAIN, "benchmarks/test_speed.py": BENCH_SUITE}
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip("\n"), encoding="utf-8")
    return root
