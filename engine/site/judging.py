"""What evaluating an expression does: may it raise, may it change anything.

Everything not known to be harmless counts as harmful. ``mild`` marks the one doubt that rules may turn into an
obligation: operators and attributes of values whose types were not seen.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.site import known
from engine.site.binding import bound_before, deletes, top_level
from engine.site.infer import Types
from engine.site.kinds import (
    CONTAINERS,
    HASHABLE,
    NUMBERS,
    SCALARS,
    SEQUENCES,
    SETS,
    VIEWS,
    WHOLE,
    Kinds,
    names,
    scalar_contents,
    within,
)
from engine.site.known import words
from engine.site.scopes import Scopes, plain_target
from engine.site.totals import total_builtin, total_method

_CLASSES = words("int float str bytes bool list tuple dict set frozenset complex bytearray")


@dataclass(frozen=True)
class Judgement:
    """``pure``: no effect at all. ``total``: cannot raise either. ``mild``: pure but for operators of unseen types."""

    pure: bool
    total: bool
    mild: bool

    def __and__(self, other: Judgement) -> Judgement:
        return Judgement(self.pure and other.pure, self.total and other.total, self.mild and other.mild)


TOTAL = Judgement(True, True, True)
PURE = Judgement(True, False, True)
MILD = Judgement(False, False, True)
EFFECT = Judgement(False, False, False)


class Judge:
    """Judgements of the expressions of one function."""

    def __init__(self, scopes: Scopes, types: Types, function: ast.AST) -> None:
        self.scopes, self.types, self.function = scopes, types, function
        self.own = scopes.scope(function)
        self._memo: dict[int, tuple[ast.expr, Judgement]] = {}

    # expressions

    def judge(self, node: ast.expr) -> Judgement:
        held = self._memo.get(id(node))
        if held is None:
            method = getattr(self, f"_judge_{type(node).__name__}", None)
            held = self._memo[id(node)] = (node, EFFECT if method is None else method(node))
        return held[1]

    def all(self, nodes: Iterable[ast.expr | None]) -> Judgement:
        found = TOTAL
        for node in nodes:
            found = found & (self.judge(node) if node is not None else TOTAL)
        return found

    def _judge_Constant(self, node: ast.Constant) -> Judgement:
        return TOTAL

    def _judge_Lambda(self, node: ast.Lambda) -> Judgement:
        return self.all([*node.args.defaults, *node.args.kw_defaults])

    def _judge_Name(self, node: ast.Name) -> Judgement:
        return TOTAL if self.bound(node) else PURE

    def _judge_Starred(self, node: ast.Starred) -> Judgement:
        return self.judge(node.value) & self.iterates(node.value)

    def _judge_Tuple(self, node: ast.Tuple | ast.List) -> Judgement:
        return self.all(node.elts)

    _judge_List = _judge_Tuple

    def _judge_Set(self, node: ast.Set) -> Judgement:
        return self.all(node.elts) & self._hashes(node.elts)

    def _judge_Dict(self, node: ast.Dict) -> Judgement:
        if any(key is None for key in node.keys):
            return EFFECT
        keys = [key for key in node.keys if key is not None]
        return self.all([*keys, *node.values]) & self._hashes(keys)

    def _hashes(self, nodes: Sequence[ast.expr]) -> Judgement:
        return TOTAL if all(within(self.types.of(each), HASHABLE | {"float"}) for each in nodes) else MILD

    def _judge_IfExp(self, node: ast.IfExp) -> Judgement:
        return self.all([node.test, node.body, node.orelse]) & self.truth(node.test)

    def _judge_BoolOp(self, node: ast.BoolOp) -> Judgement:
        found = self.all(node.values)
        for each in node.values[:-1]:
            found = found & self.truth(each)
        return found

    def truth(self, node: ast.expr) -> Judgement:
        """Testing a value; those of unseen types may have a ``__bool__`` of their own."""
        return TOTAL if within(self.types.of(node), CONTAINERS | SCALARS) else MILD

    def _judge_UnaryOp(self, node: ast.UnaryOp) -> Judgement:
        inner = self.judge(node.operand)
        if isinstance(node.op, ast.Not):
            return inner & self.truth(node.operand)
        plain = NUMBERS if not isinstance(node.op, ast.Invert) else WHOLE
        return inner & (TOTAL if within(self.types.of(node.operand), plain) else MILD)

    def _judge_BinOp(self, node: ast.BinOp) -> Judgement:
        return self.all([node.left, node.right]) & self.operator(node.left, node.op, node.right)

    def operator(self, left: ast.expr, op: ast.operator, right: ast.expr) -> Judgement:
        """Applying a binary operator. Numbers of one kind cannot raise on + - *; big ints with floats can."""
        a, b = self.types.of(left), self.types.of(right)
        if within(a, NUMBERS) and within(b, NUMBERS):
            alike = (within(a, WHOLE) and within(b, WHOLE)) or (within(a, {"float"}) and within(b, {"float"}))
            return TOTAL if alike and isinstance(op, ast.Add | ast.Sub | ast.Mult) else PURE
        if isinstance(op, ast.Add) and names(a) == names(b) and within(a, {"str"}):
            return TOTAL
        builtin = CONTAINERS | NUMBERS
        if within(a, builtin) and within(b, builtin) and not isinstance(op, ast.Mod):
            return PURE
        return MILD

    def _judge_Compare(self, node: ast.Compare) -> Judgement:
        found = self.all([node.left, *node.comparators])
        left = node.left
        for op, right in zip(node.ops, node.comparators, strict=True):
            found = found & self._compared(left, op, right)
            left = right
        return found

    def _compared(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Judgement:
        if isinstance(op, ast.Is | ast.IsNot):
            return TOTAL
        a, b = self.types.of(left), self.types.of(right)
        if isinstance(op, ast.In | ast.NotIn):
            return self._contained(a, b)
        equal = isinstance(op, ast.Eq | ast.NotEq)
        if within(a, SCALARS) and within(b, SCALARS):
            alike = (
                names(a) | names(b) <= NUMBERS
                or names(a) == names(b) <= {"str"}
                or names(a) == names(b) <= {"bytes"}
            )
            return TOTAL if equal or alike else PURE
        if equal and scalar_contents(a) and scalar_contents(b):
            return TOTAL
        return MILD

    def _contained(self, item: Kinds | None, container: Kinds | None) -> Judgement:
        if not within(item, SCALARS):
            return MILD
        if within(container, SEQUENCES | SETS | {"dict"} | VIEWS) and scalar_contents(container):
            return TOTAL
        if within(container, {"str"}) and within(item, {"str"}):
            return TOTAL
        return PURE if within(container, {"str", "bytes", "range"}) else MILD

    def _judge_Subscript(self, node: ast.Subscript) -> Judgement:
        inner = self.all([node.value]) & self._index(node.slice)
        kinds = self.types.of(node.value)
        if isinstance(node.slice, ast.Slice):
            return inner & (TOTAL if within(kinds, SEQUENCES | {"str", "bytes"}) else MILD)
        if within(kinds, {"dict"}) and within(self.types.of(node.slice), HASHABLE | {"float"}):
            return inner & PURE
        if within(kinds, SEQUENCES | {"str", "bytes", "range"}) and within(self.types.of(node.slice), WHOLE):
            return inner & PURE
        return inner & MILD

    def _index(self, node: ast.expr) -> Judgement:
        if not isinstance(node, ast.Slice):
            return self.judge(node)
        ends = [end for end in (node.lower, node.upper) if end is not None]
        found = self.all(ends)
        if node.step is not None or not all(within(self.types.of(e), WHOLE | {"NoneType"}) for e in ends):
            return found & MILD if node.step is None else found & EFFECT
        return found

    def _judge_Attribute(self, node: ast.Attribute) -> Judgement:
        if self.types.module_of(node.value):
            whole = self.types.imported(node)
            constant = (
                whole.startswith("math.") and node.attr in known.MATH_CONSTANTS | known.MATH_RETURNS.keys()
            )
            return TOTAL if constant else PURE
        if self.types.plain_attribute(node):
            return PURE
        return self.judge(node.value) & MILD

    def _judge_JoinedStr(self, node: ast.JoinedStr) -> Judgement:
        return self.all(node.values)

    def _judge_FormattedValue(self, node: ast.FormattedValue) -> Judgement:
        inner = self.all([node.value])
        kinds = self.types.of(node.value)
        if node.format_spec is None and within(kinds, {"str", "float", "bool", "NoneType"}):
            return inner
        return inner & (PURE if within(kinds, SCALARS) else MILD)

    def _judge_ListComp(self, node: ast.ListComp) -> Judgement:
        return self._comprehension(node.generators, [node.elt])

    def _judge_GeneratorExp(self, node: ast.GeneratorExp) -> Judgement:
        return self._comprehension(node.generators, [node.elt])

    def _judge_SetComp(self, node: ast.SetComp) -> Judgement:
        return self._comprehension(node.generators, [node.elt]) & self._hashes([node.elt])

    def _judge_DictComp(self, node: ast.DictComp) -> Judgement:
        return self._comprehension(node.generators, [node.key, node.value]) & self._hashes([node.key])

    def _comprehension(self, generators: list[ast.comprehension], outs: list[ast.expr]) -> Judgement:
        found = self.all(outs)
        for each in generators:
            if each.is_async or not plain_target(each.target):
                return EFFECT
            simple = isinstance(each.target, ast.Name)
            found = found & self.judge(each.iter) & self.iterates(each.iter) & self.all(each.ifs)
            found = found & (TOTAL if simple or self._unpacks(each.iter) else PURE)
            for test in each.ifs:
                found = found & self.truth(test)
        return found

    def _unpacks(self, source: ast.expr) -> bool:
        """Whether each item is a pair made by the language itself."""
        return within(self.types.iterated(source), {"pair"})

    def iterates(self, source: ast.expr) -> Judgement:
        """Iterating over ``source`` once it is evaluated."""
        kinds = self.types.of(source)
        if within(kinds, CONTAINERS):
            return TOTAL
        if isinstance(source, ast.GeneratorExp) or (
            isinstance(source, ast.Call) and self._lazy_itertools(source)
        ):
            return TOTAL
        if isinstance(source, ast.Call) and self.types.builtin(source.func) in (
            "enumerate",
            "zip",
            "reversed",
        ):
            return self.all([]) if all(self.iterates(a) == TOTAL for a in source.args) else MILD
        return MILD

    # calls

    def _judge_Call(self, node: ast.Call) -> Judgement:
        inner = self.all([*node.args, *(keyword.value for keyword in node.keywords)])
        if any(keyword.arg is None for keyword in node.keywords):
            return EFFECT
        name = self.types.builtin(node.func)
        if name in known.PURE_BUILTINS:
            return inner & self._builtin_call(name, node)
        if name in known.EXCEPTIONS:
            return inner & PURE
        if self.types.imported(node.func) in known.PURE_FUNCTIONS:
            return inner & self._listed_call(node)
        if self._lazy_itertools(node):
            return inner
        if isinstance(node.func, ast.Attribute):
            return inner & self.judge(node.func.value) & self._method_call(node.func, node)
        return EFFECT

    def _lazy_itertools(self, node: ast.Call) -> bool:
        """An iterator of ``itertools`` over builtin containers, made and run without effect or error."""
        module, _, name = self.types.imported(node.func).rpartition(".")
        count = known.LAZY_ITERTOOLS.get(name) if module == "itertools" else None
        if count is None or node.keywords or (count and len(node.args) != count):
            return False
        last = node.args[-1] if count else None
        if last is not None and not (
            isinstance(last, ast.Constant) and type(last.value) is int and last.value >= 0
        ):
            return False
        return all(self.iterates(arg).total for arg in (node.args[:-1] if count else node.args))

    def _builtin_call(self, name: str, node: ast.Call) -> Judgement:
        keys = {keyword.arg for keyword in node.keywords}
        plain = not keys and not any(isinstance(arg, ast.Starred) for arg in node.args)
        kinds = [self.types.of(arg) for arg in node.args]
        if name in ("isinstance", "issubclass", "type"):
            asked = name == "isinstance" and len(node.args) == 2 and kinds[0] is not None
            return (TOTAL if asked and self._builtin_classes(node.args[1]) else MILD) if plain else EFFECT
        if name == "reversed" and not all(within(kind, SEQUENCES | {"str", "range"}) for kind in kinds):
            return MILD
        if name in ("enumerate", "zip", "reversed"):
            return TOTAL if plain and all(self.iterates(a) == TOTAL for a in node.args) else MILD
        if "key" in keys or not all(self._builtin_value(arg) for arg in node.args):
            return EFFECT if "key" in keys else MILD
        if not all(scalar_contents(each) for each in kinds) and name not in (
            "len",
            "list",
            "tuple",
            "range",
        ):
            return MILD
        return TOTAL if plain and total_builtin(name, node, kinds, self.types) else PURE

    def _builtin_classes(self, node: ast.expr) -> bool:
        each = node.elts if isinstance(node, ast.Tuple) else [node]
        return all(self.types.builtin(one) in _CLASSES for one in each)

    def _builtin_value(self, arg: ast.expr) -> bool:
        kinds = self.types.of(arg)
        return (
            within(kinds, CONTAINERS | SCALARS)
            or isinstance(arg, ast.GeneratorExp)
            or self.iterates(arg) == TOTAL
        )

    def _listed_call(self, node: ast.Call) -> Judgement:
        kinds = [self.types.of(arg) for arg in node.args]
        if node.keywords or not all(within(each, NUMBERS) for each in kinds):
            return MILD
        name = self.types.imported(node.func).rpartition(".")[2]
        return TOTAL if name in known.MATH_TOTAL and all(within(k, {"float"}) for k in kinds) else PURE

    def _method_call(self, method: ast.Attribute, node: ast.Call) -> Judgement:
        kinds = self.types.of(method.value)
        if not kinds or not all(method.attr in known.PURE_METHODS.get(name, ()) for name in names(kinds)):
            return EFFECT
        if not scalar_contents(kinds) and method.attr in ("count", "index"):
            return MILD
        arguments = [self.types.of(arg) for arg in node.args]
        if not all(
            scalar_contents(each) or isinstance(arg, ast.GeneratorExp)
            for each, arg in zip(arguments, node.args, strict=True)
        ):
            return MILD
        if within(kinds, {"str"}) and not node.keywords and total_method(method.attr, node, arguments):
            return TOTAL
        views = within(kinds, {"dict"}) and method.attr in ("items", "keys", "values") and not node.args
        return TOTAL if views else PURE

    # names

    def bound(self, use: ast.Name) -> bool:
        """Whether ``use`` surely has a value: a builtin, a parameter, or bound by an earlier statement."""
        owner = self.scopes.resolve(use)
        if owner is None:
            return bool(self.types.builtin(use))
        if owner.is_comprehension:
            return True
        if owner.is_module:
            return all(
                self.scopes.parents.get(b) is not None and not deletes(b) for b in owner.bindings[use.id]
            ) and any(top_level(self.scopes, b) for b in owner.bindings[use.id])
        if owner is not self.own or any(deletes(b) for b in owner.bindings[use.id]):
            return False
        return bound_before(self.scopes, use.id, owner, use)
