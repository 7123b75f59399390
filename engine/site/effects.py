"""What a stretch of code does: which names it binds, which objects it changes, what in it cannot be known."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field

from engine.site import known, roles
from engine.site.binding import top_level
from engine.site.infer import Types
from engine.site.judging import EFFECT, MILD, TOTAL, Judge, Judgement
from engine.site.kinds import CONTAINERS, MUTABLE, SCALARS, SEQUENCES, SETS, Kinds, names, within
from engine.site.scopes import COMPREHENSIONS, FUNCTIONS, Scope, Scopes

_UNFOLLOWED = (
    ast.Import, ast.ImportFrom, ast.With, ast.AsyncWith, ast.AsyncFor, ast.Global, ast.Nonlocal, ast.ExceptHandler,
    ast.MatchAs, ast.MatchStar, ast.MatchMapping, ast.Match, ast.Delete,
)  # fmt: skip
"""Nodes that may run code of their own which is not followed."""


@dataclass(frozen=True)
class Change:
    """An object changed in place: the name its expression starts at, whether that very object or one inside it."""

    root: str
    direct: bool
    kinds: Kinds | None


@dataclass
class Effects:
    """What a stretch of code does. ``unknown``: something could run that may change anything reachable."""

    stored: set[tuple[Scope, str]] = field(default_factory=set)
    changes: list[Change] = field(default_factory=list)
    unknown: list[ast.AST] = field(default_factory=list)
    mild: list[ast.AST] = field(default_factory=list)
    leaves: list[ast.AST] = field(default_factory=list)
    awaits: list[ast.AST] = field(default_factory=list)


_SELF_CONTAINED = SCALARS | SEQUENCES | SETS | {"dict", "bytearray"}
"""Kinds that do not look into another object, as views of a dict do."""


class Analysis(Judge):
    """Questions about the statements of one function, too."""

    def __init__(self, scopes: Scopes, types: Types, function: ast.AST) -> None:
        super().__init__(scopes, types, function)
        self._seen: dict[tuple[int, ...], tuple[tuple[ast.AST, ...], Effects]] = {}

    # stretches of code

    def effects(self, nodes: Iterable[ast.AST]) -> Effects:
        """What running ``nodes`` does, nested functions left out unless called (a call of one is unknown)."""
        parts = tuple(nodes)
        key = tuple(id(node) for node in parts)
        held = self._seen.get(key)
        if held is None:
            held = self._seen[key] = (parts, Effects())
            for node in parts:
                self._collect(node, held[1])
        return held[1]

    def _collect(self, node: ast.AST, found: Effects) -> None:
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            if not isinstance(node, ast.Lambda):
                found.stored.add((self.scopes.around(node), node.name))
                if isinstance(node, ast.ClassDef) or node.decorator_list:
                    found.unknown.append(node)
            return
        self._note(node, found)
        for child in _inside(node):
            self._collect(child, found)

    def _note(self, node: ast.AST, found: Effects) -> None:
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            self._note_store(node, found)
        elif isinstance(node, ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load):
            self._note_change(node, found)
        elif isinstance(node, ast.Call):
            self._note_call(node, found)
        elif isinstance(node, ast.Yield | ast.YieldFrom | ast.Await):
            found.awaits.append(node)
        elif isinstance(node, ast.Return | ast.Break | ast.Raise | ast.Continue):
            found.leaves.append(node)
        elif isinstance(node, _UNFOLLOWED):
            found.unknown.append(node)
        elif isinstance(node, ast.For | ast.comprehension):
            _sort(self.iterates(node.iter), node, found)
        elif isinstance(node, ast.expr) and not isinstance(node, ast.Name | ast.Constant | ast.Starred):
            _sort(self._shallow(node), node, found)
        elif isinstance(node, ast.If | ast.While | ast.Assert):
            _sort(self.truth(node.test), node, found)

    def _shallow(self, node: ast.expr) -> Judgement:
        """The judgement of the node itself; its parts are visited on their own."""
        if isinstance(node, ast.BinOp):
            return self.operator(node.left, node.op, node.right)
        if isinstance(node, ast.Compare):
            left, found = node.left, TOTAL
            for op, right in zip(node.ops, node.comparators, strict=True):
                found, left = found & self._compared(left, op, right), right
            return found
        if isinstance(node, ast.NamedExpr | ast.Tuple | ast.List | ast.Slice | ast.JoinedStr):
            return TOTAL
        if isinstance(node, COMPREHENSIONS):
            return TOTAL
        return self.judge(node)

    def _note_store(self, node: ast.Name, found: Effects) -> None:
        owner = self.scopes.resolve(node) or self.own
        found.stored.add((owner, node.id))
        parent = self.scopes.parents.get(node)
        if isinstance(parent, ast.AugAssign):
            self._note_augmented(node, parent, found)
        elif isinstance(node.ctx, ast.Del):
            found.unknown.append(node)
        elif isinstance(parent, ast.Tuple | ast.List):
            self._note_unpacking(parent, found)

    def _note_unpacking(self, pattern: ast.AST, found: Effects) -> None:
        """Unpacking iterates the value: harmless for the language's own containers only."""
        parent = self.scopes.parents.get(pattern)
        if isinstance(parent, ast.Assign):
            _sort(self.iterates(parent.value), pattern, found)
        elif isinstance(parent, ast.For | ast.comprehension):
            good = within(self.types.iterated(parent.iter), CONTAINERS | {"pair"})
            _sort(TOTAL if good else MILD, pattern, found)
        else:
            found.mild.append(pattern)

    def _note_augmented(self, target: ast.Name, node: ast.AugAssign, found: Effects) -> None:
        kinds = self.types.of_target(target)
        if within(kinds, MUTABLE):
            found.changes.append(Change(target.id, True, kinds))
        if not within(kinds, SCALARS | {"tuple", "list"}) or self.types.of(node.value) is None:
            found.mild.append(node)
        if not kinds:
            found.changes.append(Change(target.id, True, None))

    def _note_change(self, node: ast.Subscript | ast.Attribute, found: Effects) -> None:
        kinds = self.types.of(node.value)
        builtin = isinstance(node, ast.Subscript) and within(kinds, {"list", "dict", "bytearray"})
        if not builtin:
            found.unknown.append(node)
            return
        found.changes.append(Change(root_of(node.value), isinstance(node.value, ast.Name), kinds))
        key = node.slice if isinstance(node, ast.Subscript) else None
        if key is not None and not isinstance(key, ast.Slice) and not within(self.types.of(key), SCALARS):
            found.mild.append(node)
        parent = self.scopes.parents.get(node)
        if isinstance(parent, ast.AugAssign):
            held = self.types.of(ast.copy_location(_loaded(node), node))
            if not within(held, SCALARS) or not within(self.types.of(parent.value), SCALARS):
                found.mild.append(parent)
        elif not isinstance(parent, ast.Assign | ast.AnnAssign | ast.For | ast.Delete):
            found.mild.append(node)

    def _note_call(self, node: ast.Call, found: Effects) -> None:
        method = node.func
        judged = self.judge(node)
        if judged.mild or not isinstance(method, ast.Attribute):
            _sort(judged if judged.mild else self._alone(node), node, found)
            return
        kinds = self.types.of(method.value)
        if kinds and all(method.attr in known.MUTATING_METHODS.get(name, ()) for name in names(kinds)):
            found.changes.append(Change(root_of(method.value), isinstance(method.value, ast.Name), kinds))
            self._note_mutator(method.attr, node, found)
            return
        _sort(self._alone(node), node, found)

    def _alone(self, node: ast.Call) -> Judgement:
        """The call itself when only an argument is harmful: the argument is noted where it stands."""
        name = self.types.builtin(node.func)
        if name in known.PURE_BUILTINS and not any(keyword.arg in (None, "key") for keyword in node.keywords):
            return self._builtin_call(name, node)
        if isinstance(node.func, ast.Attribute) and not any(keyword.arg is None for keyword in node.keywords):
            return self._method_call(node.func, node)
        return EFFECT

    def _note_mutator(self, name: str, node: ast.Call, found: Effects) -> None:
        """``append`` takes anything; those that compare, hash or iterate need arguments that do so harmlessly."""
        if node.keywords or any(isinstance(arg, ast.Starred) for arg in node.args):
            found.unknown.append(node)
        elif name in ("append", "insert", "clear", "reverse") or (name == "pop" and not node.args):
            return
        elif name in ("add", "discard", "setdefault", "pop"):
            if not all(within(self.types.of(arg), SCALARS) for arg in node.args[:1]):
                found.mild.append(node)
        elif name in ("extend", "update") and all(within(self.types.of(a), CONTAINERS) for a in node.args):
            return
        else:
            found.mild.append(node)

    # objects

    def fresh(self, name: str) -> bool:
        """Whether ``name`` is a local that only ever holds containers made here, which nothing else can reach."""
        bound = self.own.bindings.get(name, [])
        if not bound or self.own.is_module:
            return False
        for node in bound:
            parent = self.scopes.parents.get(node)
            single = isinstance(parent, ast.AnnAssign) or (
                isinstance(parent, ast.Assign) and len(parent.targets) == 1
            )
            simple = single and parent.value is not None  # type: ignore[union-attr]
            if isinstance(parent, ast.AugAssign) and within(self.types.of_target(parent.target), MUTABLE):
                continue
            if not isinstance(node, ast.Name) or not simple or not self.makes(parent.value):  # type: ignore[union-attr]
                return False
        uses = self.scopes.uses_of(name, self.own)
        here = all(self._same_function(use) for use in uses)
        kept = (use for use in uses if roles.role(self.scopes, use) in (roles.ALIAS, roles.ESCAPE))
        return here and all(self._copied(use) for use in kept)

    def _copied(self, use: ast.Name) -> bool:
        """Given to a method of a builtin that takes the items out and forgets the container."""
        call = self.scopes.parents.get(use)
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute) or use not in call.args:
            return False
        kinds = self.types.of(call.func.value)
        return call.func.attr in ("extend", "update", "join") and within(
            kinds, {"list", "set", "dict", "str"}
        )

    def _same_function(self, use: ast.AST) -> bool:
        return self.scopes.function_around(use) is self.function

    def makes(self, value: ast.expr | None) -> bool:
        """Whether evaluating ``value`` always makes a new object of its own."""
        if isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.SetComp | ast.DictComp):
            return True
        if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mult | ast.Add):
            return within(self.types.of(value), {"list"})
        if isinstance(value, ast.Subscript):
            return isinstance(value.slice, ast.Slice) and within(self.types.of(value.value), {"list"})
        if not isinstance(value, ast.Call):
            return False
        if isinstance(value.func, ast.Attribute):
            return self._makes_by_method(value.func)
        return self.types.builtin(value.func) in ("list", "dict", "set", "sorted")

    def _makes_by_method(self, method: ast.Attribute) -> bool:
        kinds = self.types.of(method.value)
        if within(kinds, {"str", "bytes"}):
            return method.attr in ("split", "rsplit", "splitlines")
        return method.attr == "copy" and within(kinds, {"list", "dict", "set"})

    def untouched(self, node: ast.expr, effects: Effects) -> bool:
        """Whether evaluating ``node`` before or after ``effects`` gives the same: its names and what it looks into."""
        for use in _names(node):
            owner = self.scopes.resolve(use)
            if owner is not None and (owner, use.id) in effects.stored:
                return False
            if owner is not None and not self._steady(owner, use.id) and (effects.unknown or effects.awaits):
                return False
        read = [each for each in ast.walk(node) if isinstance(each, ast.expr) and self._looks_into(each)]
        if all(isinstance(each, ast.Name) and self.fresh(each.id) for each in read):
            return not {each.id for each in _names(node)} & {change.root for change in effects.changes}
        if effects.unknown or effects.mild or effects.awaits:
            return False
        return all(self._apart(each, change) for each in read for change in effects.changes)

    def _steady(self, owner: Scope, name: str) -> bool:
        """Whether only this function can rebind ``name``, or nobody ever does."""
        if (owner is self.own and not owner.is_module) or owner.is_comprehension:
            return True
        bound = owner.bindings[name]
        return owner.is_module and len(bound) == 1 and top_level(self.scopes, bound[0])

    def _looks_into(self, node: ast.expr) -> bool:
        """Whether the value of ``node`` is an object that could change under it."""
        if isinstance(node, ast.Attribute):
            return not self.types.module_of(node.value)
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load) and (self.types.builtin(node) or self.types.module_of(node)):
                return False
            if self.types.imported(node) in known.PURE_FUNCTIONS:
                return False
            return not _frozen(self.types.of(node))
        if isinstance(node, ast.Subscript):
            return not _frozen(self.types.of(node))
        return False

    def _apart(self, node: ast.expr, change: Change) -> bool:
        """Whether what ``node`` reads cannot be the object that was changed."""
        kinds, root = self.types.of(node), root_of(node)
        seen = names(kinds)
        if not seen or not seen <= _SELF_CONTAINED:
            return False
        if change.kinds and not seen & names(change.kinds):
            return True
        if change.direct and change.root != root and self.fresh(change.root):
            return True
        return bool(root) and root != change.root and isinstance(node, ast.Name) and self.fresh(root)


def _sort(judged: Judgement, node: ast.AST, found: Effects) -> None:
    if not judged.pure:
        (found.mild if judged.mild else found.unknown).append(node)


def _frozen(kinds: Kinds | None) -> bool:
    """Never changes: scalars, and tuples of them as far as a look at the tuple goes."""
    return within(kinds, SCALARS)


def _inside(node: ast.AST) -> Iterable[ast.AST]:
    """The children; the name of a called function or method is part of its call."""
    if not isinstance(node, ast.Call):
        return ast.iter_child_nodes(node)
    func = [node.func.value] if isinstance(node.func, ast.Attribute) else []
    return [*func, *node.args, *node.keywords]


def _names(node: ast.AST) -> list[ast.Name]:
    return [each for each in ast.walk(node) if isinstance(each, ast.Name)]


def root_of(node: ast.expr) -> str:
    """The name that a chain of subscripts and attributes starts at; empty when it starts at something else."""
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _loaded(node: ast.Subscript | ast.Attribute) -> ast.expr:
    if isinstance(node, ast.Subscript):
        return ast.Subscript(value=node.value, slice=node.slice, ctx=ast.Load())
    return ast.Attribute(value=node.value, attr=node.attr, ctx=ast.Load())
