"""Exact types as sets of alternatives, read from the words of recordings.

``None`` stands for "could be anything"; an empty set for "nothing seen yet" (no element of an empty list, say).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """An exact type: ``name`` without ``builtins.``, ``items`` the kinds of elements (keys first for mappings)."""

    name: str
    items: tuple[Kinds | None, ...] = ()


Kinds = frozenset[Kind]

INT, FLOAT, BOOL, STR, BYTES = Kind("int"), Kind("float"), Kind("bool"), Kind("str"), Kind("bytes")
NONE = Kind("NoneType")
NUMBERS = frozenset({"int", "float", "bool"})
WHOLE = frozenset({"int", "bool"})
SCALARS = frozenset({"int", "float", "bool", "str", "bytes", "NoneType", "complex", "ellipsis", "range"})
HASHABLE = frozenset({"int", "bool", "str", "bytes", "NoneType"})
"""Exact types whose equality and hash are those of the language, without the surprises of floats."""
SEQUENCES = frozenset({"list", "tuple"})
SETS = frozenset({"set", "frozenset"})
VIEWS = frozenset({"dict_keys", "dict_values", "dict_items"})
CONTAINERS = SEQUENCES | SETS | {"dict", "str", "bytes", "bytearray", "range"} | VIEWS
MUTABLE = frozenset({"list", "dict", "set", "bytearray", "deque"})
ONE_ITEM = SEQUENCES | SETS
DEPTH = 2


def only(kind: Kind) -> Kinds:
    return frozenset({kind})


def names(kinds: Kinds | None) -> frozenset[str]:
    """The names of the alternatives; empty when unknown or nothing was seen."""
    return frozenset(kind.name for kind in kinds) if kinds else frozenset()


def within(kinds: Kinds | None, allowed: Iterable[str]) -> bool:
    """Whether something is known and every alternative is one of ``allowed``."""
    return bool(kinds) and names(kinds) <= frozenset(allowed)


def join(first: Kinds | None, second: Kinds | None) -> Kinds | None:
    if first is None or second is None:
        return None
    return first | second


def union(all_kinds: Iterable[Kinds | None]) -> Kinds | None:
    found: Kinds | None = frozenset()
    for each in all_kinds:
        found = join(found, each)
    return found


def immutable(kinds: Kinds | None) -> bool:
    """Whether no alternative, nor anything inside it, can change."""
    if not kinds:
        return False
    for kind in kinds:
        if kind.name in SCALARS:
            continue
        if kind.name not in ("tuple", "frozenset") or not kind.items:
            return False
        if not all(item == frozenset() or immutable(item) for item in kind.items):
            return False
    return True


def elements(kinds: Kinds | None) -> Kinds | None:
    """What iterating gives; None when some alternative is not a known builtin container."""
    if not kinds:
        return None
    return union(_element(kind) for kind in kinds)


def _element(kind: Kind) -> Kinds | None:
    if kind.name == "str":
        return only(STR)
    if kind.name in ("bytes", "bytearray", "range"):
        return only(INT)
    if kind.name == "dict_items" and len(kind.items) == 2:
        return only(Kind("tuple", (union(kind.items),)))
    if kind.name in (*ONE_ITEM, "dict", "dict_keys", "iterator", "deque") and kind.items:
        return kind.items[0]
    if kind.name in ("_io.StringIO", "_io.TextIOWrapper"):
        return only(STR)
    if kind.name in ("_io.BytesIO", "_io.BufferedReader"):
        return only(BYTES)
    if kind.name == "dict_values" and kind.items:
        return kind.items[-1]
    return None


def parse(words: str) -> Kinds | None:
    """``builtins.dict[builtins.str, builtins.int|builtins.float]`` as kinds; None for words that are not understood."""
    reader = _Reader(words)
    found = reader.mixture(DEPTH)
    return found if reader.at == len(reader.words) else None


class _Reader:
    def __init__(self, words: str) -> None:
        self.words, self.at = words.replace(" ", ""), 0

    def mixture(self, depth: int) -> Kinds | None:
        found = {self.one(depth)}
        while self._take("|"):
            found.add(self.one(depth))
        return frozenset(found)

    def one(self, depth: int) -> Kind:
        start = self.at
        while self.at < len(self.words) and self.words[self.at] not in "[],|":
            self.at += 1
        name = self.words[start : self.at].removeprefix("builtins.")
        items: list[Kinds | None] = []
        if self._take("["):
            items.append(self.mixture(depth - 1))
            while self._take(","):
                items.append(self.mixture(depth - 1))
            self._take("]")
        elif name in (*ONE_ITEM, "dict"):
            count = 2 if name == "dict" else 1
            items = [frozenset() if depth > 0 else None] * count
        return Kind(name, tuple(items))

    def _take(self, letter: str) -> bool:
        if self.at < len(self.words) and self.words[self.at] == letter:
            self.at += 1
            return True
        return False


def words_of(kinds: Kinds | None) -> str:
    """The words that :func:`parse` reads as ``kinds``; empty when unknown."""
    if not kinds or any(kind.name in ("pair", "iterator") for kind in kinds):
        return ""
    return "|".join(sorted(_word(kind) for kind in kinds))


def _word(kind: Kind) -> str:
    inner = [words_of(item) for item in kind.items]
    name = kind.name if "." in kind.name else f"builtins.{kind.name}"
    return f"{name}[{', '.join(inner)}]" if inner and all(inner) else name


def merged(kinds: Kinds | None) -> Kinds | None:
    """One alternative a name: ``list`` and ``list[int]`` become ``list[int]``."""
    if kinds is None:
        return None
    by_name: dict[tuple[str, int], Kind] = {}
    for kind in sorted(kinds, key=repr):
        key = (kind.name, len(kind.items))
        other = by_name.get(key)
        items = (
            kind.items
            if other is None
            else tuple(join(a, b) for a, b in zip(kind.items, other.items, strict=True))
        )
        by_name[key] = Kind(kind.name, tuple(merged(item) for item in items))
    return frozenset(by_name.values())


def observed(types: Mapping[str, int] | None) -> Kinds | None:
    """What a row of observed types says; None when nothing was observed or a name is not understood."""
    if not types:
        return None
    return merged(union(parse(words) for words in types))


def scalar_contents(kinds: Kinds | None) -> bool:
    """Scalars, or containers of nothing but scalars (or empty ones)."""
    if not kinds:
        return False
    for kind in kinds:
        if kind.name in SCALARS or kind.name in ("str", "bytes", "bytearray", "range"):
            continue
        if kind.name not in CONTAINERS | {"iterator"} or not kind.items:
            return False
        if not all(item is not None and (not item or within(item, SCALARS)) for item in kind.items):
            return False
    return True
