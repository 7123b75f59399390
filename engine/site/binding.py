"""Whether a name surely has a value at some place: bound by an earlier statement on every path that leads there."""

from __future__ import annotations

import ast

from engine.site.scopes import COMPREHENSIONS, FUNCTIONS, Scope, Scopes


def bound_before(scopes: Scopes, name: str, owner: Scope, at: ast.AST) -> bool:
    """Whether ``name`` of ``owner`` has a value whenever ``at`` is reached."""
    nodes = owner.bindings.get(name, [])
    if any(deletes(node) for node in nodes):
        return False
    if any(isinstance(node, ast.arg) for node in nodes):
        return True
    binders = {id(_binder(scopes, node)) for node in nodes}
    child: ast.AST = at
    for above in scopes.chain(at):
        for body in _blocks(above):
            earlier = body[: body.index(child)] if child in body else []
            if any(id(each) in binders for each in earlier if not isinstance(each, ast.For)):
                return True
        if isinstance(above, ast.For) and child in above.body and id(above) in binders:
            return True
        if isinstance(above, FUNCTIONS):
            return False
        child = above
    return False


def _binder(scopes: Scopes, node: ast.AST) -> ast.AST | None:
    """The statement that surely binds when it ends: not one inside a branch of it."""
    if isinstance(node, ast.MatchAs | ast.MatchStar | ast.MatchMapping | ast.ExceptHandler):
        return None
    for each in (node, *scopes.chain(node)):
        if isinstance(each, ast.For):
            return each
        if isinstance(each, ast.stmt):
            return each
        if isinstance(each, (ast.BoolOp, ast.IfExp, ast.Compare, ast.comprehension, *COMPREHENSIONS)):
            return None
    return None


def deletes(node: ast.AST) -> bool:
    return (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Del)) or isinstance(
        node, ast.ExceptHandler
    )


def top_level(scopes: Scopes, node: ast.AST) -> bool:
    for each in (node, *scopes.chain(node)):
        if isinstance(each, ast.stmt):
            return scopes.parents.get(each) is scopes.tree
    return False


def _blocks(node: ast.AST) -> list[list[ast.AST]]:
    found = [getattr(node, name, None) for name in ("body", "orelse", "finalbody", "handlers")]
    return [each for each in found if isinstance(each, list)]
