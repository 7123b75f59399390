"""What modules keep between passes is put back; what they were given is left alone."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.engine.measure.bench import probe

SOURCE = """
import collections
import functools

COUNT = 0
KNOWN = {"a": 1}
ORDER = [1, 2]
SEEN = set()
RECENT = collections.deque([1], maxlen=3)
RANKED = collections.OrderedDict(x=1)
NESTED = {"inner": {"list": []}}
UNTOUCHED = {"stays": [1]}


class Shape:
    total = 0
    all = []

    def __init__(self):
        self.cache = {}


SHAPE = Shape()


class Box(dict):
    pass


BOX = Box()


@functools.lru_cache(None)
def square(n):
    return n * n


def remember(n, cache={}):
    return cache.setdefault(n, n)


def counter():
    count = 0

    def up():
        nonlocal count
        count += 1
        return count

    return up


UP = counter()


def everything():
    global COUNT, LATE
    COUNT += 1
    LATE = True
    KNOWN["b"] = 2
    del KNOWN["a"]
    ORDER.append(3)
    SEEN.add(1)
    RECENT.append(2)
    RANKED["y"] = 2
    NESTED["inner"]["list"].append(1)
    Shape.total += 1
    Shape.late = 1
    Shape.all.append(1)
    SHAPE.cache[1] = 1
    SHAPE.late = 1
    BOX["k"] = 1
    square(3)
    remember(4)
    UP()
    everything.calls = 1
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    (tmp_path / "kept_state.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("kept_state")
    del sys.modules["kept_state"]


@pytest.fixture
def snapshot(module: ModuleType, tmp_path: Path):
    return probe("bench_state").Snapshot(str(tmp_path))


def test_everything_a_pass_left_behind_is_put_back(module, snapshot):
    same = module.UNTOUCHED["stays"], module.ORDER, module.SHAPE
    assert not snapshot.changed()
    for _ in range(2):
        module.everything()
        assert snapshot.changed()
        snapshot.restore()
        assert not snapshot.changed()
    assert (0, {"a": 1}, [1, 2], set()) == (module.COUNT, module.KNOWN, module.ORDER, module.SEEN)
    assert (list(module.RECENT), list(module.RANKED), module.NESTED) == ([1], ["x"], {"inner": {"list": []}})
    assert (module.Shape.total, module.Shape.all, hasattr(module.Shape, "late")) == (0, [], False)
    assert (vars(module.SHAPE), dict(module.BOX)) == ({"cache": {}}, {})
    assert module.square.cache_info().currsize == 0
    assert module.remember.__defaults__ == ({},)
    assert module.UP() == 1
    assert not hasattr(module, "LATE")
    assert not hasattr(module.everything, "calls")
    assert same == (module.UNTOUCHED["stays"], module.ORDER, module.SHAPE)
    assert module.RECENT.maxlen == 3


CHANGES: dict[str, Callable[[ModuleType], object]] = {
    "a name bound anew": lambda m: setattr(m, "COUNT", 1),
    "a dict": lambda m: m.KNOWN.update(z=1),
    "a value in a dict": lambda m: m.KNOWN.update(a=[]),
    "a list": lambda m: m.ORDER.append(1),
    "an inner list": lambda m: m.NESTED["inner"]["list"].append(1),
    "a class": lambda m: setattr(m.Shape, "total", 5),
    "an object": lambda m: setattr(m.SHAPE, "cache", None),
    "a cache": lambda m: m.square(2),
    "a default": lambda m: m.remember(2),
    "a closure": lambda m: m.UP(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_each_kind_of_memory_is_seen(module, snapshot, change):
    change(module)
    assert snapshot.changed()
    snapshot.restore()
    assert not snapshot.changed()


def test_reading_changes_nothing(module, snapshot):
    assert module.KNOWN["a"] == 1
    assert sorted(module.ORDER) == [1, 2]
    assert not snapshot.changed()


def test_modules_outside_the_tree_are_left_alone(module, snapshot):
    sys.modules["json"].codeflash_test = [1]
    try:
        assert not snapshot.changed()
        snapshot.restore()
        assert sys.modules["json"].codeflash_test == [1]
    finally:
        del sys.modules["json"].codeflash_test
