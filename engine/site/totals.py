"""Calls that cannot raise: builtins and methods of ``str``, by the kinds of what they are given."""

from __future__ import annotations

import ast

from engine.site import known
from engine.site.infer import Types
from engine.site.kinds import CONTAINERS, HASHABLE, NUMBERS, SCALARS, WHOLE, Kinds, within


def total_builtin(name: str, node: ast.Call, kinds: list[Kinds | None], types: Types) -> bool:
    """Whether a call of a builtin with arguments of these kinds cannot raise."""
    if len(node.args) != 1:
        same = all(within(k, WHOLE) for k in kinds) or all(within(k, {"float"}) for k in kinds)
        if name in ("min", "max"):
            return len(node.args) > 1 and (same or all(within(k, {"str"}) for k in kinds))
        return name == "range" and len(node.args) == 2 and all(within(k, WHOLE) for k in kinds)
    kind, item = kinds[0], types.iterated(node.args[0])
    if name == "len":
        return within(kind, CONTAINERS - {"range"})
    if name in ("list", "tuple"):
        return within(kind, CONTAINERS) or isinstance(node.args[0], ast.GeneratorExp)
    if name in ("set", "frozenset"):
        return within(item, HASHABLE)
    if name == "sorted":
        return any(within(item, group) for group in (WHOLE, {"float"}, {"str"}))
    if name == "sum":
        return within(item, WHOLE) or within(item, {"float"})
    if name in ("any", "all"):
        return within(item, SCALARS)
    if name == "range":
        return within(kind, WHOLE)
    if name in ("abs", "bool", "repr"):
        return within(kind, NUMBERS if name == "abs" else {"float", "bool", "str", "NoneType"})
    return (name in ("int", "float", "str") and within(kind, {name} - {"int"})) or (
        name == "int" and within(kind, WHOLE)
    )


def total_method(name: str, node: ast.Call, arguments: list[Kinds | None]) -> bool:
    """Whether a call of a method of ``str`` with arguments of these kinds cannot raise."""
    if not node.args:
        return name in known.STR_TOTAL or (name in ("split", "rsplit", "encode") and name != "encode")
    if name == "replace":
        return len(node.args) == 2 and all(within(each, {"str"}) for each in arguments)
    return name in known.STR_TOTAL_WITH_TEXT and len(node.args) == 1 and within(arguments[0], {"str"})
