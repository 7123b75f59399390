"""Which name means what: scopes of a module, their bindings, and where each use of a name resolves to.

Follows the language: class bodies are skipped by nested functions, the first iterable of a comprehension belongs to
the enclosing scope, a walrus binds outside comprehensions, decorators, defaults and annotations are evaluated outside.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
ScopeNode = ast.AST


@dataclass(eq=False)
class Scope:
    """``bindings``: name -> the nodes that bind it here. ``shared``: names declared global or nonlocal here."""

    node: ScopeNode
    parent: Scope | None
    bindings: dict[str, list[ast.AST]] = field(default_factory=dict)
    global_names: set[str] = field(default_factory=set)
    nonlocal_names: set[str] = field(default_factory=set)
    uses: list[ast.Name] = field(default_factory=list)
    by_name: dict[str, list[ast.Name]] = field(default_factory=dict)
    children: list[Scope] = field(default_factory=list)

    @property
    def is_class(self) -> bool:
        return isinstance(self.node, ast.ClassDef)

    @property
    def is_module(self) -> bool:
        return self.parent is None

    @property
    def is_comprehension(self) -> bool:
        return isinstance(self.node, COMPREHENSIONS)

    @property
    def names(self) -> set[str]:
        """Every name bound or used in this scope."""
        return set(self.bindings) | {use.id for use in self.uses} | self.global_names | self.nonlocal_names

    def walk(self) -> Iterator[Scope]:
        yield self
        for child in self.children:
            yield from child.walk()


class Scopes:
    """All scopes of one module. ``parents`` maps each node to the node it hangs on."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.parents: dict[ast.AST, ast.AST] = {}
        self._scope_at: dict[ast.AST, Scope] = {}
        self.of: dict[ast.AST, Scope] = {}
        self.star_import = False
        self.module = self._open(tree, None)
        for parent in ast.walk(tree):
            for child in ast.iter_child_nodes(parent):
                self.parents[child] = parent
        self._body(tree.body, self.module)
        for scope in list(self.module.walk()):
            for name in scope.global_names:
                if name in scope.bindings:
                    self.module.bindings.setdefault(name, []).extend(scope.bindings.pop(name))
        for scope in list(self.module.walk()):
            for name in scope.nonlocal_names & set(scope.bindings):
                owner = self.lookup(name, scope)
                if owner is not None:
                    owner.bindings.setdefault(name, []).extend(scope.bindings.pop(name))

    def scope(self, node: ast.AST) -> Scope:
        """The scope that ``node`` (a function, class, comprehension or module) opens."""
        return self.of[node]

    def around(self, node: ast.AST) -> Scope:
        """The scope in which ``node`` is evaluated. Only names, statements and scope nodes are kept by node."""
        at: ast.AST | None = node
        while at is not None:
            if at in self._scope_at:
                return self._scope_at[at]
            at = self.parents.get(at)
        return self.module

    def lookup(self, name: str, scope: Scope) -> Scope | None:
        """The scope whose binding ``name`` means when used in ``scope``; None for a builtin or an unknown name."""
        if name in scope.global_names:
            return self.module if name in self.module.bindings else None
        at: Scope | None = scope
        while at is not None:
            visible = at is scope or not at.is_class
            if visible and name in at.bindings and name not in at.nonlocal_names:
                return at
            at = at.parent
        return None

    def resolve(self, use: ast.Name) -> Scope | None:
        return self.lookup(use.id, self.around(use))

    def uses_of(self, name: str, owner: Scope) -> list[ast.Name]:
        """Every load, store or delete of ``name`` that means the binding in ``owner``."""
        found = []
        for scope in owner.walk():
            here = scope.by_name.get(name)
            if here and self.lookup(name, scope) is owner:
                found.extend(here)
        return found

    def chain(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes around ``node``, from its parent to the module."""
        at = self.parents.get(node)
        while at is not None:
            yield at
            at = self.parents.get(at)

    def function_around(self, node: ast.AST) -> ast.AST:
        """The nearest function, lambda or class around ``node``, or the module."""
        for each in self.chain(node):
            if isinstance(each, (*FUNCTIONS, ast.ClassDef)):
                return each
        return self.tree

    @cached_property
    def imported(self) -> frozenset[str]:
        """Modules that any import of the file names, wherever it stands."""
        plain = {a.name for n in ast.walk(self.tree) if isinstance(n, ast.Import) for a in n.names}
        return frozenset(
            plain | {n.module or "" for n in ast.walk(self.tree) if isinstance(n, ast.ImportFrom)}
        )

    # building

    def _open(self, node: ast.AST, parent: Scope | None) -> Scope:
        scope = Scope(node=node, parent=parent)
        self.of[node] = scope
        if parent is not None:
            parent.children.append(scope)
        return scope

    def _body(self, body: Sequence[ast.AST], scope: Scope) -> None:
        for node in body:
            self._visit(node, scope)

    def _bind(self, scope: Scope, name: str, node: ast.AST) -> None:
        scope.bindings.setdefault(name, []).append(node)

    def _visit(self, node: ast.AST, scope: Scope) -> None:
        method = getattr(self, f"_see_{type(node).__name__}", None)
        if isinstance(node, (ast.stmt, ast.Name, ast.ExceptHandler, ast.Lambda, *COMPREHENSIONS)):
            self._scope_at[node] = scope
        if method is not None:
            method(node, scope)
        elif isinstance(node, COMPREHENSIONS):
            self._see_comprehension(node, scope)
        else:
            self._body(list(ast.iter_child_nodes(node)), scope)

    def _see_Name(self, node: ast.Name, scope: Scope) -> None:
        scope.uses.append(node)
        scope.by_name.setdefault(node.id, []).append(node)
        if isinstance(node.ctx, ast.Store | ast.Del):
            self._bind(scope, node.id, node)

    def _see_NamedExpr(self, node: ast.NamedExpr, scope: Scope) -> None:
        self._visit(node.value, scope)
        target = scope
        while target.is_comprehension and target.parent is not None:
            target = target.parent
        self._scope_at[node.target] = target
        self._see_Name(node.target, target)

    def _see_Global(self, node: ast.Global, scope: Scope) -> None:
        scope.global_names.update(node.names)

    def _see_Nonlocal(self, node: ast.Nonlocal, scope: Scope) -> None:
        scope.nonlocal_names.update(node.names)

    def _see_Import(self, node: ast.Import, scope: Scope) -> None:
        for alias in node.names:
            self._bind(scope, alias.asname or alias.name.partition(".")[0], alias)

    def _see_ImportFrom(self, node: ast.ImportFrom, scope: Scope) -> None:
        for alias in node.names:
            if alias.name == "*":
                self.star_import = True
            else:
                self._bind(scope, alias.asname or alias.name, alias)

    def _see_ExceptHandler(self, node: ast.ExceptHandler, scope: Scope) -> None:
        if node.name:
            self._bind(scope, node.name, node)
        self._body(list(ast.iter_child_nodes(node)), scope)

    def _see_MatchAs(self, node: ast.MatchAs, scope: Scope) -> None:
        self._pattern(node, node.name, scope)

    def _see_MatchStar(self, node: ast.MatchStar, scope: Scope) -> None:
        self._pattern(node, node.name, scope)

    def _see_MatchMapping(self, node: ast.MatchMapping, scope: Scope) -> None:
        self._pattern(node, node.rest, scope)

    def _pattern(self, node: ast.AST, name: str | None, scope: Scope) -> None:
        if name:
            self._bind(scope, name, node)
        self._body(list(ast.iter_child_nodes(node)), scope)

    def _see_ClassDef(self, node: ast.ClassDef, scope: Scope) -> None:
        self._bind(scope, node.name, node)
        self._body([*node.decorator_list, *node.bases, *node.keywords], scope)
        inner = self._open(node, scope)
        self._type_params(node, inner)
        self._body(node.body, inner)

    def _see_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> None:
        self._bind(scope, node.name, node)
        self._body(node.decorator_list, scope)
        self._arguments_outside(node.args, scope)
        if node.returns is not None:
            self._visit(node.returns, scope)
        inner = self._open(node, scope)
        self._type_params(node, inner)
        self._parameters(node.args, inner)
        self._body(node.body, inner)

    _see_AsyncFunctionDef = _see_FunctionDef

    def _see_Lambda(self, node: ast.Lambda, scope: Scope) -> None:
        self._arguments_outside(node.args, scope)
        inner = self._open(node, scope)
        self._parameters(node.args, inner)
        self._visit(node.body, inner)

    def _type_params(self, node: ast.AST, scope: Scope) -> None:
        for each in getattr(node, "type_params", []):
            self._bind(scope, each.name, each)
            self._body(list(ast.iter_child_nodes(each)), scope)

    def _arguments_outside(self, args: ast.arguments, scope: Scope) -> None:
        self._body([*args.defaults, *(d for d in args.kw_defaults if d is not None)], scope)
        self._body([arg.annotation for arg in all_args(args) if arg.annotation is not None], scope)

    def _parameters(self, args: ast.arguments, scope: Scope) -> None:
        for arg in all_args(args):
            self._bind(scope, arg.arg, arg)

    def _see_comprehension(self, node: ast.AST, scope: Scope) -> None:
        inner = self._open(node, scope)
        generators: list[ast.comprehension] = node.generators  # type: ignore[attr-defined]
        self._visit(generators[0].iter, scope)
        for number, each in enumerate(generators):
            if number:
                self._visit(each.iter, inner)
            self._visit(each.target, inner)
            self._body(each.ifs, inner)
        outs = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]  # type: ignore[attr-defined]
        self._body(outs, inner)


def all_args(args: ast.arguments) -> list[ast.arg]:
    """Every parameter, in the order of the signature."""
    found = [*args.posonlyargs, *args.args, *([args.vararg] if args.vararg else []), *args.kwonlyargs]
    return [*found, *([args.kwarg] if args.kwarg else [])]


def plain_target(target: ast.expr) -> bool:
    if isinstance(target, ast.Tuple | ast.List):
        return all(plain_target(each) for each in target.elts)
    return isinstance(target, ast.Name)
