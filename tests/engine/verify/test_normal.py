"""The normal form: equal exactly when the strict comparator says so."""

from __future__ import annotations

import array
import collections
import datetime
import decimal
import enum
import re
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.probe.normal import MAX_NODES, Normal, TooLarge


def digest(*values: Any, **options: Any) -> str:
    form = Normal(**options)
    for value in values:
        form.add(value)
    return str(form.digest())


class Slotted:
    __slots__ = ("__hidden", "shown")

    def __init__(self, shown: Any, hidden: Any = None) -> None:
        self.shown, self.__hidden = shown, hidden


class Plain:
    def __init__(self, **names: Any) -> None:
        self.__dict__.update(names)


class OddList(list):  # type: ignore[type-arg]
    pass


class Color(enum.Enum):
    RED = 1
    BLUE = 2


Point = collections.namedtuple("Point", "x y")

DIFFERENT = [
    (1, True),
    (1, 1.0),
    (0.0, -0.0),
    (0, False),
    ("1", 1),
    ("a", b"a"),
    (b"a", bytearray(b"a")),
    ([1], (1,)),
    ([1, 2, 3, 4, 1], [1, 2, 3, 4, True]),
    ([1.0] * 5, [1] * 5),
    ([], [[]]),
    ({1: 2, 3: 4}, {3: 4, 1: 2}),
    ({}, collections.OrderedDict()),
    ({"a": 1}, collections.Counter("a")),
    ({1}, frozenset([1])),
    ([1], OddList([1])),
    (Point(1, 2), (1, 2)),
    (Point(1, 2), Point(1, 3)),
    (Slotted(1), Slotted(2)),
    (Slotted(1, 1), Slotted(1, 2)),
    (Plain(a=1), Plain()),
    (Plain(a=1), Plain(a=2)),
    (Color.RED, Color.BLUE),
    (ValueError("a"), ValueError("b")),
    (ValueError("a"), TypeError("a")),
    (decimal.Decimal("1.0"), decimal.Decimal("1.00")),
    (datetime.datetime(2026, 1, 1), datetime.datetime(2026, 1, 2)),
    (re.compile("a"), re.compile("b")),
    (re.match("a", "ab"), re.match("a", "ac")),
    (array.array("i", [1]), array.array("i", [2])),
    (range(3), range(4)),
    (slice(1, 2), slice(1, 3)),
    (collections.deque([1], 3), collections.deque([1], 4)),
    (collections.defaultdict(list), collections.defaultdict(dict)),
    (iter([1, 2]), iter([1, 3])),
    (memoryview(b"a"), memoryview(b"b")),
    (len, abs),
    (1 << 20000, (1 << 20000) + 1),
]


@pytest.mark.parametrize(("left", "right"), DIFFERENT, ids=lambda value: type(value).__name__)
def test_these_differ(left: Any, right: Any) -> None:
    assert digest(left) != digest(right)


def test_nan_equals_nan_whatever_its_bits() -> None:
    assert digest(float("nan")) == digest(-float("nan"))


def test_sets_have_no_order() -> None:
    assert digest({"a", "b", "c"}) == digest({"c", "b", "a"})


def test_which_objects_are_the_same_is_seen_for_mutable_ones_only() -> None:
    one: list[int] = [1]
    assert digest([one, one]) != digest([[1], [1]])
    assert digest(one, {"result": one}) != digest(one, {"result": [1]})
    text = "".join(["a", "b"])
    assert digest((text, text)) == digest(("ab", "".join(["a", "b"])))


def test_cycles_and_great_depth_end() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    other: list[Any] = []
    other.append(other)
    assert digest(cycle) == digest(other)
    deep: Any = None
    for _ in range(30_000):
        deep = [deep]
    assert digest(deep)


def test_a_huge_value_is_refused_instead_of_compared_in_part() -> None:
    with pytest.raises(TooLarge):
        digest([(number, None) for number in range(MAX_NODES)])


def test_lazy_values_are_used_up_only_on_request() -> None:
    source = iter([1, 2])
    digest(source)
    assert list(source) == [1, 2]
    assert digest((n for n in [1, 2]), consume=True) != digest((n for n in [1, 3]), consume=True)


def test_what_nobody_can_look_into_is_named() -> None:
    form = Normal()
    form.add(Plain(lock=threading.Lock()))
    assert form.opaque == {"_thread.lock"}


def test_paths_of_the_tree_do_not_count() -> None:
    assert digest("/a/tree/x.txt", roots=["/a/tree"]) == digest("/b/tree/x.txt", roots=["/b/tree"])


def test_numeric_mode_sets_floats_aside() -> None:
    form = Normal(numeric=True)
    form.add([1.5, {"a": 2.5}, 3])
    assert form.floats == [1.5, 2.5]
    assert digest([1.5], numeric=True) == digest([1.25], numeric=True) != digest([1], numeric=True)


def test_arrays() -> None:
    numpy = pytest.importorskip("numpy", reason="comes with the development requirements")
    row = numpy.arange(6.0)
    assert digest(row) == digest(row.copy())
    assert digest(row) != digest(row.reshape(2, 3))
    assert digest(row) != digest(row.astype("f4"))
    assert digest(row, row[1:]) != digest(row, row[1:].copy()), "a view of an argument is not a copy of it"
    assert digest(numpy.float64(1)) != digest(1.0)
    assert digest(numpy.float64(1), numeric=True) == digest(1.0, numeric=True)
    assert digest(numpy.array([1, None], dtype=object)) != digest(numpy.array([1, 2], dtype=object))


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


def exact(value: Any) -> Any:
    """An independent, slow spelling of strict equality."""
    if isinstance(value, dict):
        return ("dict", [(exact(k), exact(v)) for k, v in value.items()])
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, [exact(item) for item in value])
    return (type(value).__name__, value.hex() if isinstance(value, float) else value)


@settings(derandomize=True, database=None, max_examples=300, deadline=None)
@given(plain, plain)
def test_digests_agree_with_strict_equality(left: Any, right: Any) -> None:
    assert (digest(left) == digest(right)) == (exact(left) == exact(right))
