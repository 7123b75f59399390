"""Types as words: what the recorder wrote and what annotations say, both as kinds of values that can be invented."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

_SCALARS = frozenset(("int", "str", "float", "bool", "bytes", "bytearray", "none"))
_CONTAINERS = {
    "list": "list",
    "tuple": "tuple",
    "set": "set",
    "frozenset": "frozenset",
    "dict": "dict",
    "List": "list",
    "Tuple": "tuple",
    "Set": "set",
    "FrozenSet": "frozenset",
    "Dict": "dict",
    "Sequence": "list",
    "MutableSequence": "list",
    "Iterable": "list",
    "Collection": "list",
    "Mapping": "dict",
    "MutableMapping": "dict",
    "AbstractSet": "set",
}
_DEPTH = 5
_TOKENS = re.compile(r"[\[\],|]|[^\[\],|\s]+")


@dataclass(frozen=True)
class Kind:
    """A scalar, or a container of parts; each part is the kinds its values may have. ``fixed``: one part a place."""

    name: str
    parts: tuple[tuple[Kind, ...], ...] = ()
    fixed: bool = False


def _make(name: str, parts: list[list[Kind]], *, fixed: bool = False) -> list[Kind]:
    """[] when a part cannot be invented; an unknown content becomes small whole numbers and texts."""
    if not parts:
        simple = [Kind("int"), Kind("str")]
        parts = [simple, simple] if name == "dict" else [simple]
    if any(not part for part in parts):
        return []
    if name in ("set", "frozenset", "dict"):
        parts[0] = [kind for kind in parts[0] if _hashable(kind)]
        if not parts[0]:
            return []
    if name == "dict" and len(parts) != 2:
        return []
    return [Kind(name, tuple(tuple(part) for part in parts), fixed)]


def _hashable(kind: Kind) -> bool:
    if kind.name in ("list", "set", "dict", "bytearray"):
        return False
    return all(_hashable(each) for part in kind.parts for each in part)


def from_observed(name: str) -> list[Kind]:
    """Kinds of one observed type, such as ``builtins.list[builtins.int|builtins.str]``; [] for what is not builtin."""
    tokens = _TOKENS.findall(name)
    kinds, rest = _union(tokens, 0)
    return kinds if rest == len(tokens) else []


def _union(tokens: list[str], at: int) -> tuple[list[Kind], int]:
    """Alternatives separated by bars, up to a comma or a closing bracket."""
    kinds, at = _one(tokens, at)
    whole = bool(kinds)
    while at < len(tokens) and tokens[at] == "|":
        more, at = _one(tokens, at + 1)
        whole = whole and bool(more)
        kinds = kinds + more
    return (kinds if whole else []), at


def _one(tokens: list[str], at: int) -> tuple[list[Kind], int]:
    if at >= len(tokens):
        return [], at
    word = tokens[at].removeprefix("builtins.")
    parts, at = _parts(tokens, at + 1)
    if word == "NoneType":
        return [Kind("none")], at
    if word in _SCALARS and not parts:
        return [Kind(word)], at
    if word in ("list", "tuple", "set", "frozenset", "dict"):
        return _make(word, parts), at
    return [], at


def _parts(tokens: list[str], at: int) -> tuple[list[list[Kind]], int]:
    if at >= len(tokens) or tokens[at] != "[":
        return [], at
    parts = []
    while at < len(tokens) and tokens[at] != "]":
        part, at = _union(tokens, at + 1)
        parts.append(part)
    return parts, at + 1


def from_annotation(node: ast.expr | None, depth: int = 0) -> list[Kind]:
    """Kinds an annotation allows; [] for none, Any, type variables and classes."""
    if node is None or depth > _DEPTH:
        return []
    if isinstance(node, ast.Constant):
        return _from_constant(node, depth)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return from_annotation(node.left, depth + 1) + from_annotation(node.right, depth + 1)
    if isinstance(node, ast.Subscript):
        return _from_subscript(node, depth)
    name = _last_name(node)
    if name in _SCALARS and name != "none":
        return [Kind(name)]
    return _make(_CONTAINERS[name], []) if name in _CONTAINERS else []


def _from_constant(node: ast.Constant, depth: int) -> list[Kind]:
    if node.value is None:
        return [Kind("none")]
    if isinstance(node.value, str):
        try:
            return from_annotation(ast.parse(node.value, mode="eval").body, depth + 1)
        except SyntaxError:
            return []
    return []


def _from_subscript(node: ast.Subscript, depth: int) -> list[Kind]:
    name = _last_name(node.value)
    inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if name == "Optional":
        return [*from_annotation(inner[0], depth + 1), Kind("none")]
    if name == "Union":
        return [kind for each in inner for kind in from_annotation(each, depth + 1)]
    if name not in _CONTAINERS:
        return []
    endless = any(isinstance(each, ast.Constant) and each.value is Ellipsis for each in inner)
    parts = [
        from_annotation(each, depth + 1)
        for each in inner
        if not (isinstance(each, ast.Constant) and each.value is ...)
    ]
    return _make(_CONTAINERS[name], parts, fixed=_CONTAINERS[name] == "tuple" and not endless)


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
