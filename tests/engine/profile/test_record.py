"""What the recorder keeps of many calls, and how it describes values. Pure, in this process."""

from __future__ import annotations

import collections
import random

from hypothesis import given
from hypothesis import strategies as st

from engine.probe import record, shapes


def fill(store: record.Store, calls: list[tuple[int, int]], blob: int = 10) -> None:
    for number, weight in enumerate(calls):
        if not store.count(weight):
            store.add(weight, bytes([number % 250]) * blob, weight)


@given(
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=900),
    st.integers(2, 40),
)
def test_the_smallest_and_largest_are_always_kept(calls: list[tuple[int, int]], limit: int) -> None:
    store = record.Store("t", limit)
    fill(store, calls)
    assert min(calls) in store.items and max(calls) in store.items
    assert len(store.items) <= limit
    assert store.bytes == sum(len(item["blob"]) for item in store.items.values())


def test_bytes_are_bounded_and_the_largest_still_gets_in(monkeypatch) -> None:
    monkeypatch.setattr(record, "TARGET_BYTES", 1000)
    store = record.Store("t", 200)
    fill(store, [(n, 0) for n in range(500)], blob=100)
    assert store.bytes <= 1000
    assert (0, 0) in store.items and (499, 0) in store.items


def test_the_choice_of_the_others_is_spread_and_repeatable() -> None:
    weights = [(n, 0) for n in range(5000)]
    random.Random(1).shuffle(weights)
    first, again = record.Store("t", 50), record.Store("t", 50)
    fill(first, weights)
    fill(again, weights)
    assert list(first.items) == list(again.items)
    assert sum(1 for n, _ in first.items if n > 2500) in range(12, 40)


def test_counts_follow_repeats() -> None:
    store = record.Store("t", 5)
    fill(store, [(1, 0)] * 7 + [(2, 0)])
    assert store.items[(1, 0)]["count"] == 7


def test_type_names_say_what_is_inside() -> None:
    assert shapes.type_name([1, 2]) == "builtins.list[builtins.int]"
    assert shapes.type_name([]) == "builtins.list"
    assert shapes.type_name({"a": [1.0]}) == "builtins.dict[builtins.str, builtins.list[builtins.float]]"
    assert shapes.type_name((1, "x")) == "builtins.tuple[builtins.int|builtins.str]"
    assert shapes.type_name(collections.Counter("a")) == "collections.Counter[builtins.str, builtins.int]"
    assert shapes.type_name(True) == "builtins.bool"


def test_keys_tell_equal_values_of_other_types_apart() -> None:
    keys = [shapes.key_of([value]) for value in (1, 1.0, True, 0.0, -0.0, "1", b"1", (1,), (1.0,))]
    assert len(set(keys)) == len(keys)
    assert shapes.key_of([float("nan")]) == shapes.key_of([float("nan")])
    assert shapes.key_of([[1]]) is None


class Loud:
    """Looking at it must not run its code."""

    def __len__(self) -> int:
        raise AssertionError("asked for its length")

    def __getattr__(self, name: str) -> object:
        raise AssertionError("asked for an attribute")

    def __iter__(self) -> object:
        raise AssertionError("iterated")


def test_looking_never_runs_code_of_the_target() -> None:
    loud = Loud()
    assert shapes.size_of(loud) is None
    assert shapes.weight_of([loud]) == (0, 0)
    assert shapes.attributes(loud) == {}
    assert shapes.type_name([loud]).endswith("Loud]")


class Boxed:
    def __init__(self, items: list[int]) -> None:
        self.items = items


def test_the_weight_of_a_call_counts_what_objects_hold() -> None:
    assert shapes.weight_of([Boxed([1, 2, 3])]) == (3, 0)
    assert shapes.weight_of([[1], 5, -3]) == (1, 8)
