"""The kinds of expressions, form by form, from the kinds of their parts: what the language defines for builtins."""

from __future__ import annotations

import ast

from engine.facts import Facts
from engine.site import known
from engine.site.kinds import (
    BOOL,
    BYTES,
    CONTAINERS,
    FLOAT,
    INT,
    NONE,
    NUMBERS,
    ONE_ITEM,
    SEQUENCES,
    STR,
    WHOLE,
    Kind,
    Kinds,
    elements,
    join,
    merged,
    names,
    observed,
    only,
    union,
    within,
)
from engine.site.naming import Naming
from engine.site.scopes import Scopes

NOTHING: Kinds = frozenset()
BOOLS: Kinds = only(BOOL)
PLAIN = {
    int: INT,
    float: FLOAT,
    bool: BOOL,
    str: STR,
    bytes: BYTES,
    type(None): NONE,
    complex: Kind("complex"),
}
DEEPEST = 60


class Forms(Naming):
    """``of`` answers for any expression; what names hold is known to the class below."""

    def __init__(self, scopes: Scopes, function: ast.AST, facts: Facts, patched: frozenset[str]) -> None:
        super().__init__(scopes, function, facts, patched)
        self._memo: dict[int, tuple[ast.expr, Kinds | None]] = {}
        self._solved = False
        self._depth = 0

    def of(self, node: ast.expr) -> Kinds | None:
        """The kinds of ``node``; an empty set only while nothing is known to reach it."""
        held = self._memo.get(id(node))
        if held is not None:
            return held[1]
        method = getattr(self, f"_of_{type(node).__name__}", None)
        if method is None or self._depth > DEEPEST:
            return None
        self._depth += 1
        try:
            found: Kinds | None = method(node)
        finally:
            self._depth -= 1
        if self._solved:
            self._memo[id(node)] = (node, found)
        return found

    def _file(self, call: ast.Call) -> Kinds | None:
        """A text or binary file, by the mode written in the call."""
        modes = [*call.args[1:2], *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
        mode = modes[0].value if modes and isinstance(modes[0], ast.Constant) else "" if not modes else None
        if not isinstance(mode, str) or any(keyword.arg in (None, "buffering") for keyword in call.keywords):
            return None
        if "b" not in mode:
            return only(Kind("_io.TextIOWrapper"))
        return only(Kind("_io.BufferedReader")) if mode in ("rb", "br") and len(call.args) < 3 else None

    def iterated(self, source: ast.expr) -> Kinds | None:
        """What one item of iterating ``source`` is."""
        if isinstance(source, ast.Call):
            name = self.builtin(source.func)
            if name in ("enumerate", "zip") and not any(isinstance(a, ast.Starred) for a in source.args):
                parts = [self.iterated(arg) for arg in source.args]
                parts = [only(INT), *parts[:1]] if name == "enumerate" else parts
                return only(Kind("pair", tuple(parts))) if NOTHING not in parts else NOTHING
            if name in ("reversed", "sorted", "iter") and len(source.args) == 1:
                return self.iterated(source.args[0])
            method = source.func
            if isinstance(method, ast.Attribute) and method.attr == "items" and not source.args:
                return self._pairs(self.of(method.value))
        kinds = self.of(source)
        return NOTHING if kinds == NOTHING else elements(kinds)

    def _pairs(self, kinds: Kinds | None) -> Kinds | None:
        if kinds == NOTHING:
            return NOTHING
        if not within(kinds, {"dict"}):
            return None
        return frozenset(Kind("pair", kind.items) for kind in kinds or ())

    def _of_Constant(self, node: ast.Constant) -> Kinds | None:
        kind = PLAIN.get(type(node.value))
        return only(kind) if kind else None

    def _of_JoinedStr(self, node: ast.JoinedStr) -> Kinds | None:
        return only(STR)

    def _of_NamedExpr(self, node: ast.NamedExpr) -> Kinds | None:
        return self.of(node.value)

    def _of_List(self, node: ast.List) -> Kinds | None:
        return self._display("list", node.elts)

    def _of_Tuple(self, node: ast.Tuple) -> Kinds | None:
        return self._display("tuple", node.elts)

    def _of_Set(self, node: ast.Set) -> Kinds | None:
        return self._display("set", node.elts)

    def _display(self, name: str, elts: list[ast.expr]) -> Kinds | None:
        parts = [self.iterated(e.value) if isinstance(e, ast.Starred) else self.of(e) for e in elts]
        return only(Kind(name, (merged(union(parts)),)))

    def _of_Dict(self, node: ast.Dict) -> Kinds | None:
        if any(key is None for key in node.keys):
            return only(Kind("dict", (None, None)))
        keys = union(self.of(key) for key in node.keys if key is not None)
        return only(Kind("dict", (keys, union(self.of(value) for value in node.values))))

    def _of_ListComp(self, node: ast.ListComp) -> Kinds | None:
        return only(Kind("list", (self.of(node.elt),)))

    def _of_SetComp(self, node: ast.SetComp) -> Kinds | None:
        return only(Kind("set", (self.of(node.elt),)))

    def _of_DictComp(self, node: ast.DictComp) -> Kinds | None:
        return only(Kind("dict", (self.of(node.key), self.of(node.value))))

    def _of_GeneratorExp(self, node: ast.GeneratorExp) -> Kinds | None:
        return only(Kind("iterator", (self.of(node.elt),)))

    def _of_IfExp(self, node: ast.IfExp) -> Kinds | None:
        return join(self.of(node.body), self.of(node.orelse))

    def _of_BoolOp(self, node: ast.BoolOp) -> Kinds | None:
        return union(self.of(value) for value in node.values)

    def _of_UnaryOp(self, node: ast.UnaryOp) -> Kinds | None:
        if isinstance(node.op, ast.Not):
            return BOOLS
        kinds = self.of(node.operand)
        if kinds == NOTHING:
            return NOTHING
        if within(kinds, WHOLE):
            return only(INT)
        return kinds if within(kinds, {"float"}) and not isinstance(node.op, ast.Invert) else None

    def _of_Compare(self, node: ast.Compare) -> Kinds | None:
        if all(isinstance(op, ast.Is | ast.IsNot | ast.In | ast.NotIn) for op in node.ops):
            return BOOLS
        sides = [self.of(each) for each in (node.left, *node.comparators)]
        return (
            BOOLS
            if all(within(side, CONTAINERS | NUMBERS | {"NoneType"}) or side == NOTHING for side in sides)
            else None
        )

    def _of_BinOp(self, node: ast.BinOp) -> Kinds | None:
        power = node.right.value if isinstance(node.right, ast.Constant) else None
        if isinstance(node.op, ast.Pow) and type(power) is int and power >= 0:
            base = self.of(node.left)
            return (
                only(INT)
                if within(base, WHOLE)
                else base
                if within(base, {"float"}) or base == NOTHING
                else None
            )
        return self.operated(self.of(node.left), node.op, self.of(node.right))

    def operated(self, left: Kinds | None, op: ast.operator, right: Kinds | None) -> Kinds | None:
        if left is None or right is None:
            return None
        if not left or not right:
            return NOTHING
        if within(left, NUMBERS) and within(right, NUMBERS):
            return _arithmetic(names(left), op, names(right))
        if isinstance(op, ast.Add) and names(left) == names(right) and len(names(left)) == 1:
            name = next(iter(names(left)))
            return merged(left | right) if name in SEQUENCES | {"str", "bytes"} else None
        if isinstance(op, ast.Mod) and within(left, {"str"}):
            return only(STR)
        if isinstance(op, ast.Mult) and within(left, SEQUENCES | {"str", "bytes"}) and within(right, WHOLE):
            return left
        return None

    def _of_Subscript(self, node: ast.Subscript) -> Kinds | None:
        kinds = self.of(node.value)
        if kinds == NOTHING:
            return NOTHING
        if isinstance(node.slice, ast.Slice):
            return kinds if within(kinds, SEQUENCES | {"str", "bytes"}) else None
        if within(kinds, {"dict"}):
            return union(kind.items[-1] if kind.items else None for kind in kinds or ())
        if self.of(node.slice) == NOTHING:
            return NOTHING
        if within(kinds, SEQUENCES | {"str", "bytes", "range"}) and within(self.of(node.slice), WHOLE):
            return elements(kinds)
        return None

    def _of_Attribute(self, node: ast.Attribute) -> Kinds | None:
        if self.module_of(node.value) == "math" and node.attr in known.MATH_CONSTANTS:
            return only(FLOAT)
        if isinstance(node.value, ast.Name) and self.plain_attribute(node):
            return observed(self.facts.arg_types.get(f"{node.value.id}.{node.attr}"))
        return None

    def _of_Call(self, node: ast.Call) -> Kinds | None:
        name = self.builtin(node.func)
        if name:
            return self._builtin_result(name, node)
        listed = known.PURE_FUNCTIONS.get(self.imported(node.func))
        if listed:
            return only(Kind(listed))
        if isinstance(node.func, ast.Attribute):
            return self._method_result(node.func, node)
        return None

    def _builtin_result(self, name: str, node: ast.Call) -> Kinds | None:
        if any(isinstance(arg, ast.Starred) for arg in node.args):
            return None
        simple = {
            **dict.fromkeys(("len", "ord", "hash", "id"), INT),
            **dict.fromkeys(("bool", "isinstance", "issubclass", "all", "any", "callable"), BOOL),
            **dict.fromkeys(("chr", "repr", "ascii", "hex", "oct", "bin"), STR),
            "range": Kind("range"),
        }
        if name in simple:
            return only(simple[name])
        if name in ("int", "float", "str") and len(node.args) <= 1:
            return only(Kind(name))
        if name == "open":
            return self._file(node)
        return self._container_result(name, node)

    def _container_result(self, name: str, node: ast.Call) -> Kinds | None:
        first = node.args[0] if node.args else None
        if name in ("list", "tuple", "set", "frozenset", "sorted"):
            item = self.iterated(first) if first is not None else NOTHING
            return only(Kind("list" if name == "sorted" else name, (tupled(item),)))
        if name == "dict" and not node.args and not node.keywords:
            return only(Kind("dict", (NOTHING, NOTHING)))
        if first is None:
            return None
        if name == "abs":
            return self._of_UnaryOp(ast.UnaryOp(op=ast.USub(), operand=first))
        if name in ("min", "max") and all(keyword.arg == "key" for keyword in node.keywords):
            return self.iterated(first) if len(node.args) == 1 else union(self.of(arg) for arg in node.args)
        if name == "sum" and len(node.args) == 1:
            item = self.iterated(first)
            if item == NOTHING:
                return only(INT)
            return (
                only(INT) if within(item, WHOLE) else join(only(INT), item) if within(item, NUMBERS) else None
            )
        if name == "round" and len(node.args) == 1:
            return (
                only(INT)
                if within(self.of(first), NUMBERS)
                else NOTHING
                if self.of(first) == NOTHING
                else None
            )
        return None

    def _method_result(self, method: ast.Attribute, node: ast.Call) -> Kinds | None:
        kinds = self.of(method.value)
        if kinds == NOTHING:
            return NOTHING
        if within(kinds, {"str"}):
            return self._str_result(method.attr)
        if within(kinds, {"dict"}) and method.attr in ("keys", "values", "items") and not node.args:
            return frozenset(Kind(f"dict_{method.attr}", kind.items) for kind in kinds or ())
        if within(kinds, {"dict"}) and method.attr == "get" and len(node.args) in (1, 2):
            held = union(kind.items[-1] if kind.items else None for kind in kinds or ())
            return join(held, self.of(node.args[1]) if len(node.args) == 2 else only(NONE))
        if method.attr == "copy" and within(kinds, ONE_ITEM | {"dict"}):
            return kinds
        if method.attr in ("index", "count") and within(kinds, CONTAINERS):
            return only(INT)
        if within(kinds, {"bytes"}) and method.attr == "decode":
            return only(STR)
        if method.attr == "readlines" and not node.args and kinds:
            lines = elements(kinds)
            return only(Kind("list", (lines,))) if lines is not None else None
        return None

    def _str_result(self, method: str) -> Kinds | None:
        if method.startswith(known.BOOL_PREFIXES):
            return BOOLS
        if method == "encode":
            return only(BYTES)
        name = known.STR_RETURNS.get(method)
        if name in ("list", "tuple"):
            return only(Kind(name, (only(STR),)))
        return only(Kind(name)) if name else None


def _arithmetic(left: frozenset[str], op: ast.operator, right: frozenset[str]) -> Kinds | None:
    """Numbers with numbers, as the language defines them. ``int ** int`` may be a float, so it is not told."""
    if isinstance(op, ast.Add | ast.Sub | ast.Mult | ast.FloorDiv | ast.Mod):
        both: set[Kind] = set()
        for a in left:
            for b in right:
                both.add(FLOAT if "float" in (a, b) else INT)
        return frozenset(both)
    if isinstance(op, ast.Div):
        return only(FLOAT)
    if left | right <= WHOLE and isinstance(op, ast.LShift | ast.RShift):
        return only(INT)
    if left | right <= WHOLE and isinstance(op, ast.BitAnd | ast.BitOr | ast.BitXor):
        return only(INT) if left == right == {"int"} else frozenset({INT, BOOL})
    return None


def plain_tuple(kind: Kind) -> Kind:
    return Kind("tuple", (union(kind.items),)) if kind.name == "pair" else kind


def tupled(kinds: Kinds | None) -> Kinds | None:
    """Pairs of ``zip`` and ``enumerate`` as the tuples they are once stored."""
    return None if kinds is None else frozenset(plain_tuple(kind) for kind in kinds)
