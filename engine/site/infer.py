"""Exact types of expressions in one function: observed types of parameters, carried forward by the language's rules.

Answers are sets of alternatives (see :mod:`engine.site.kinds`); ``None`` whenever something could be anything else.
"""

from __future__ import annotations

import ast

from engine.facts import Facts
from engine.site import roles
from engine.site.forms import NOTHING, Forms, plain_tuple, tupled
from engine.site.kinds import (
    CONTAINERS,
    MUTABLE,
    STR,
    Kind,
    Kinds,
    elements,
    immutable,
    join,
    merged,
    observed,
    only,
    union,
    within,
)
from engine.site.scopes import Scope, Scopes

ROUNDS = 8


class Types(Forms):
    """Types of the expressions of ``function``. Names start as "nothing seen" and grow until nothing is added."""

    def __init__(self, scopes: Scopes, function: ast.AST, facts: Facts, patched: frozenset[str]) -> None:
        super().__init__(scopes, function, facts, patched)
        self._env: dict[tuple[Scope, str], Kinds | None] = {}
        self._changes = roles.changes_something(function)
        self._solve()
        self._solved = True

    def name(self, scope: Scope, name: str) -> Kinds | None:
        return self._env.get((scope, name))

    def _solve(self) -> None:
        """Grow from "nothing seen" until no binding adds an alternative; what keeps growing is unknown."""
        scopes = [scope for scope in self._own.walk() if scope is self._own or scope.is_comprehension]
        if not self._own.is_module:
            keys = [(scope, name) for scope in scopes for name in scope.bindings]
            self._env = dict.fromkeys(keys, NOTHING)
            for round_ in range(ROUNDS):
                changed = [key for key in keys if self._grow(key)]
                if not changed:
                    break
                if round_ == ROUNDS - 1:
                    self._env.update(dict.fromkeys(changed))
                    self._settle(keys)
        for key, kinds in list(self._env.items()):
            self._env[key] = kinds or self._seen_local(*key)

    def _settle(self, keys: list[tuple[Scope, str]]) -> None:
        """After giving up on some names, everything that rests on them is unknown too."""
        for _ in range(len(keys) + 1):
            if not any(self._grow(key) for key in keys):
                return

    def _grow(self, key: tuple[Scope, str]) -> bool:
        scope, name = key
        before = self._env[key]
        if before is None:
            return False
        found = union(self._bound(node, scope, name) for node in scope.bindings[name])
        after = merged(join(before, found if found is not None else self._seen_local(scope, name)))
        self._env[key] = after
        return after != before

    def _seen_local(self, scope: Scope, name: str) -> Kinds | None:
        """What recordings saw at the end of calls, for a name with one binding that nothing else explains."""
        if scope is not self._own or len(scope.bindings[name]) != 1:
            return None
        if isinstance(scope.bindings[name][0], ast.arg):
            return None
        return observed(self.facts.locals.get(name))

    def _bound(self, node: ast.AST, scope: Scope, name: str) -> Kinds | None:
        if isinstance(node, ast.arg):
            return self._parameter(node, scope, name)
        if not isinstance(node, ast.Name):
            return None
        if isinstance(node.ctx, ast.Del):
            return NOTHING
        return self._contents(self._stored(node), scope, name)

    def _parameter(self, node: ast.arg, scope: Scope, name: str) -> Kinds | None:
        if scope is not self._own:
            return None
        args = getattr(self.function, "args", None)
        if args is not None and node in (args.vararg, args.kwarg):
            return (
                only(Kind("tuple", (None,))) if node is args.vararg else only(Kind("dict", (only(STR), None)))
            )
        return self._contents(observed(self.facts.arg_types.get(name)), scope, name, given=True)

    def _contents(self, kinds: Kinds | None, scope: Scope, name: str, *, given: bool = False) -> Kinds | None:
        """Element types hold only while nothing unknown is put in through this name."""
        if not kinds or not any(kind.items for kind in kinds):
            return kinds
        uses = [(use, roles.role(self.scopes, use)) for use in self.scopes.uses_of(name, scope)]
        if not given and any(role in (roles.ESCAPE, roles.ALIAS) for _, role in uses):
            return frozenset(_hollow(kind) for kind in kinds)
        added = [self._added(use, kinds) for use, role in uses if role == roles.CHANGE]
        if None in added:
            return frozenset(_hollow(kind) for kind in kinds)
        held = frozenset(_with(kind, [each for each in added if each is not None]) for kind in kinds)
        return held if given or not self._changes else frozenset(_hollow(kind, within=True) for kind in held)

    def _added(self, use: ast.Name, kinds: Kinds) -> tuple[Kinds | None, ...] | None:
        """What a change through ``use`` puts into each slot of the container; None when that is not known."""
        parent = self.scopes.parents.get(use)
        if isinstance(parent, ast.Attribute):
            call = self.scopes.parents.get(parent)
            return self._added_by(parent.attr, call) if isinstance(call, ast.Call) else None
        if (
            not isinstance(parent, ast.Subscript)
            or parent.value is not use
            or isinstance(parent.slice, ast.Slice)
        ):
            return None
        above = self.scopes.parents.get(parent)
        if isinstance(above, ast.Delete):
            return ()
        value = self._put(above, kinds)
        return (self.of(parent.slice), value) if within(kinds, {"dict"}) else (value,)

    def _put(self, statement: ast.AST | None, kinds: Kinds) -> Kinds | None:
        """What ``x[k] = value`` or ``x[k] += value`` stores."""
        if isinstance(statement, ast.Assign):
            return self.of(statement.value)
        if isinstance(statement, ast.AugAssign):
            held = union(kind.items[-1] if kind.items else None for kind in kinds)
            return self.operated(held, statement.op, self.of(statement.value))
        return None

    def _added_by(self, method: str, call: ast.Call) -> tuple[Kinds | None, ...] | None:
        args = call.args
        if method in ("append", "add") and len(args) == 1:
            return (self.of(args[0]),)
        if method == "insert" and len(args) == 2:
            return (self.of(args[1]),)
        if method == "extend" and len(args) == 1:
            return (tupled(self.iterated(args[0])),)
        if method == "setdefault" and len(args) == 2:
            return (self.of(args[0]), self.of(args[1]))
        return () if method in ("clear", "discard", "pop", "popitem", "remove", "reverse", "sort") else None

    def _stored(self, target: ast.expr) -> Kinds | None:
        """What one store puts under a name, looking at the statement around the target."""
        parent = self.scopes.parents.get(target)
        if isinstance(parent, ast.Tuple | ast.List):
            whole = self._stored(parent)
            return self._unpacked(whole, parent, target)
        if isinstance(parent, ast.Assign):
            return self.of(parent.value)
        if isinstance(parent, ast.AnnAssign):
            return self.of(parent.value) if parent.value is not None else NOTHING
        if isinstance(parent, ast.NamedExpr):
            return self.of(parent.value)
        if isinstance(parent, ast.AugAssign):
            return self.operated(self.of_target(parent.target), parent.op, self.of(parent.value))
        if isinstance(parent, ast.For | ast.comprehension) and not getattr(parent, "is_async", 0):
            return self.iterated(parent.iter)
        if isinstance(parent, ast.withitem):
            return self._opened(parent.context_expr)
        return None

    def of_target(self, target: ast.expr) -> Kinds | None:
        """The kinds already held by the target of an augmented assignment."""
        if isinstance(target, ast.Name):
            return self._of_Name(target)
        return None

    def _unpacked(self, whole: Kinds | None, pattern: ast.Tuple | ast.List, target: ast.expr) -> Kinds | None:
        if whole == NOTHING:
            return NOTHING
        if isinstance(self.scopes.parents.get(target), ast.Starred) or not within(
            whole, CONTAINERS | {"pair"}
        ):
            return None
        at = pattern.elts.index(target)
        if any(isinstance(each, ast.Starred) for each in pattern.elts):
            return None
        found: Kinds | None = NOTHING
        for kind in whole or ():
            exact = kind.name == "pair" and at < len(kind.items)
            found = join(found, kind.items[at] if exact else elements(only(plain_tuple(kind))))
        return found

    def _opened(self, context: ast.expr) -> Kinds | None:
        return self._file(context) if isinstance(context, ast.Call) and self.opens_file(context) else None

    def _of_Name(self, node: ast.Name) -> Kinds | None:
        owner = self.scopes.resolve(node)
        if owner is None:
            return None
        if (owner, node.id) in self._env:
            return self._env[(owner, node.id)]
        return self._global(owner, node.id)

    def _global(self, owner: Scope, name: str) -> Kinds | None:
        """A module constant: one plain assignment of an immutable value, never patched."""
        bound = owner.bindings[name]
        if not owner.is_module or len(bound) != 1 or name in self.patched:
            return None
        parent = self.scopes.parents.get(bound[0])
        if not isinstance(parent, ast.Assign) or self.scopes.parents.get(parent) is not self.scopes.tree:
            return None
        kinds = self.of(parent.value) if isinstance(parent.targets[0], ast.Name) else None
        return kinds if immutable(kinds) else None


def _hollow(kind: Kind, *, within: bool = False) -> Kind:
    """The same container with unknown elements; ``within`` keeps elements that are not containers themselves."""
    return Kind(kind.name, tuple(_hollow_item(item) if within else None for item in kind.items))


def _hollow_item(item: Kinds | None) -> Kinds | None:
    if item is None:
        return None
    return frozenset(_hollow(kind) if kind.name in MUTABLE else _hollow(kind, within=True) for kind in item)


def _with(kind: Kind, added: list[tuple[Kinds | None, ...]]) -> Kind:
    """The container with more kinds in each slot."""
    items = list(kind.items)
    for each in added:
        for at, more in enumerate(each[: len(items)]):
            items[at] = join(items[at], more)
    return Kind(kind.name, tuple(items))
