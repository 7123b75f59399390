"""Freezing and thawing arguments, and finding a target again, in this process."""

from __future__ import annotations

import functools
import io
import sys
import types
from collections.abc import Iterator

import pytest

from engine.probe import calls

MISSING = object()
NAMES = (__name__,)


def copy(*args: object, **kwargs: object) -> tuple[tuple, dict]:
    return calls.thaw(calls.freeze(args, kwargs, NAMES))


def test_values_come_back_equal_and_fresh() -> None:
    given = {"a": [1, 2.5, "x"], "b": {(1, 2): {3}}}
    args, kwargs = copy(given, flag=True)
    assert args == (given,) and kwargs == {"flag": True}
    assert args[0] is not given


def test_the_same_object_twice_stays_one_object() -> None:
    shared = [1]
    (a, b), kwargs = copy(shared, shared, again=shared)
    assert a is b and kwargs["again"] is a


def test_local_functions_travel_with_what_they_close_over() -> None:
    bonus = 7

    def add(x: int, *, y: int = 1) -> int:
        return x + y + bonus

    (found,), _ = copy(add)
    assert found(1) == 9 and found is not add
    assert found.__qualname__ == add.__qualname__


def test_functions_that_can_be_imported_stay_themselves() -> None:
    (found, builtin), _ = copy(calls.thaw, len)
    assert found is calls.thaw and builtin is len


def test_sentinels_and_modules_keep_their_identity() -> None:
    (found, module), _ = copy(MISSING, sys)
    assert found is MISSING and module is sys


def test_a_sentinel_without_a_name_is_refused() -> None:
    with pytest.raises(calls.Unfreezable, match="bare object"):
        calls.freeze((object(),), {}, NAMES)


@pytest.mark.parametrize(
    "value", [(x for x in "ab"), io.TextIOWrapper(io.BytesIO()), types.SimpleNamespace(f=iter)]
)
def test_what_cannot_be_copied_is_named(value: object) -> None:
    if isinstance(value, types.SimpleNamespace):
        assert copy(value)[0][0].f is iter
        return
    with pytest.raises(calls.Unfreezable, match=r"cannot be copied: .*(generator|TextIOWrapper)"):
        calls.freeze((value,), {}, NAMES)


def test_a_function_that_refers_to_itself_is_refused() -> None:
    def walk(n: int) -> int:
        return walk(n - 1) if n else 0

    with pytest.raises(calls.Unfreezable, match="refers to itself"):
        calls.freeze((walk,), {}, NAMES)


def test_deep_nesting_is_copied_beyond_the_usual_limit_and_refused_far_beyond() -> None:
    deep: list = []
    for _ in range(sys.getrecursionlimit() + 200):
        deep = [deep]
    (found,), _ = copy(deep)
    assert isinstance(found, list)
    for _ in range(20000):
        deep = [deep]
    with pytest.raises(calls.Unfreezable, match="too deeply"):
        calls.freeze((deep,), {}, NAMES)


def test_a_call_over_the_limit_is_refused_before_it_is_built() -> None:
    with pytest.raises(calls.TooLarge):
        calls.freeze((b"x" * (calls.CALL_BYTES + 1),), {}, NAMES)


class Holder:
    def plain(self) -> int:
        return 1

    def __hidden(self) -> int:
        return 2

    @property
    def made(self) -> int:
        return 3

    @functools.cached_property
    def kept(self) -> int:
        return 4

    @staticmethod
    def free() -> int:
        return 5

    @classmethod
    def of(cls) -> int:
        return 6

    class Inner:
        @functools.lru_cache  # noqa: B019
        def cached(self) -> int:
            return 7


def hide(function):
    def inner(*args):
        return function(*args)

    return inner


@hide
def decorated() -> int:
    return 8


@pytest.mark.parametrize(
    ("qualname", "name"),
    [
        ("Holder.plain", "plain"),
        ("Holder.__hidden", "_Holder__hidden"),
        ("Holder.made", "made"),
        ("Holder.kept", "kept"),
        ("Holder.free", "free"),
        ("Holder.of", "of"),
        ("Holder.Inner.cached", "cached"),
        ("decorated", "decorated"),
    ],
)
def test_a_target_is_found_under_whatever_wraps_it(qualname: str, name: str) -> None:
    owner, found, function = calls.resolve(__name__, qualname)
    assert found == name and vars(owner)[name] is not None
    assert isinstance(function, types.FunctionType)
    assert function.__name__ == qualname.rpartition(".")[2]


@pytest.mark.parametrize("qualname", ["nothing", "Holder.nothing", "MISSING", "NAMES.x"])
def test_what_is_not_there_is_a_lookup_error(qualname: str) -> None:
    with pytest.raises(LookupError):
        calls.resolve(__name__, qualname)


@pytest.fixture
def restored() -> Iterator[int]:
    before = sys.getrecursionlimit()
    yield before
    sys.setrecursionlimit(before)


def test_freezing_leaves_the_recursion_limit_alone(restored: int) -> None:
    calls.freeze(([1],), {}, NAMES)
    assert sys.getrecursionlimit() == restored
