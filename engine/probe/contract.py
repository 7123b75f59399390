"""What a function was seen to be called with, so that an invented input can be called inside or outside of it.

Inside: types observed for that parameter, their numeric neighbours (bool, int, float), or types its annotation allows.
"""

import collections.abc
import typing

from .looks import type_name

_NUMBERS = ("builtins.bool", "builtins.int", "builtins.float")
_DEPTH = 3
_MOST = 200


def shape(value, path="", depth=0, into=None):
    """Set of (path, type name) of a value and of what it contains; paths are "[]" for items, "{}" for keys.

    The type of every item counts, however long the container: one odd item at its end is what an invented input has.
    """
    into = set() if into is None else into
    into.add((path, type_name(type(value))))
    if depth < _DEPTH:
        if isinstance(value, dict):
            _items(list(dict.keys(value)), path + "{}", depth, into)
            _items(list(dict.values(value)), path + "[]", depth, into)
        elif isinstance(value, (list, tuple, set, frozenset)):
            _items(list(value), path + "[]", depth, into)
    return into


def _items(items, path, depth, into):
    """Every type once; the insides of the first and the last containers."""
    kinds = set(map(type, items))
    for kind in kinds:
        into.add((path, type_name(kind)))
    if any(issubclass(kind, (dict, list, tuple, set, frozenset)) for kind in kinds):
        nested = [each for each in items if isinstance(each, (dict, list, tuple, set, frozenset))]
        for each in nested[:_MOST] + nested[_MOST:][-_MOST:]:
            shape(each, path, depth + 1, into)


class Contract:
    """Observed shapes by parameter (its position or keyword) and the annotations of the function."""

    def __init__(self, function, names):
        self._names = names
        self._seen = {}
        try:
            self._hints = typing.get_type_hints(function)
        except Exception:
            self._hints = {}

    def observe(self, args, kwargs):
        for key, value in places(args, kwargs):
            self._seen.setdefault(key, set()).update(shape(value))

    def fits(self, args, kwargs):
        return all(self._allows(key, value) for key, value in places(args, kwargs))

    def _allows(self, key, value):
        seen = self._seen.get(key, ())
        if all(self._known(path, kind, seen) for path, kind in shape(value)):
            return True
        name = self._names[key] if isinstance(key, int) and key < len(self._names) else key
        return name in self._hints and fits(value, self._hints[name])

    def _known(self, path, kind, seen):
        if (path, kind) in seen:
            return True
        return kind in _NUMBERS and any((path, number) in seen for number in _NUMBERS)


def places(args, kwargs):
    return list(enumerate(args)) + sorted(kwargs.items())


def fits(value, hint):
    """Does the value belong to the annotation? Any and what is not understood say no."""
    origin = typing.get_origin(hint)
    if hint is None or hint is type(None):
        return value is None
    if origin is None:
        return _is_a(value, hint)
    args = typing.get_args(hint)
    if origin is typing.Union or type(hint).__name__ == "UnionType":
        return any(fits(value, each) for each in args)
    if origin is typing.Literal:
        return any(type(value) is type(each) and value == each for each in args)
    if not isinstance(origin, type) or not isinstance(value, origin):
        return False
    return _items_fit(value, [each for each in args if each is not Ellipsis])


def _is_a(value, hint):
    if not isinstance(hint, type) or hint is object:
        return False
    numbers = (bool, int, float)
    if hint in numbers:
        return type(value) in numbers
    return type(value) is hint or (hint.__module__ == "collections.abc" and isinstance(value, hint))


def _items_fit(value, args):
    if not args:
        return True
    if isinstance(value, dict):
        return len(args) == 2 and all(fits(k, args[0]) and fits(v, args[1]) for k, v in value.items())
    if isinstance(value, (list, tuple, set, frozenset, collections.abc.Sequence)):
        return all(any(fits(item, each) for each in args) for item in value)
    return True
