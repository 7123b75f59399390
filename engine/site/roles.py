"""What a use of a name does with the object behind it: reads it, changes it, hands it on."""

from __future__ import annotations

import ast
import builtins

from engine.site import known
from engine.site.scopes import Scopes

READ, CHANGE, ALIAS, ESCAPE, RETURN, STORE = "read", "change", "alias", "escape", "return", "store"
_CHANGING = frozenset(name for names in known.MUTATING_METHODS.values() for name in names)
_PURE = frozenset(name for names in known.PURE_METHODS.values() for name in names) - _CHANGING
_TESTS = (ast.If, ast.While, ast.IfExp, ast.Assert)


def role(scopes: Scopes, use: ast.Name) -> str:
    """The role of one use. Names of methods are taken at their word: callers ask only for exact builtin containers."""
    if isinstance(use.ctx, ast.Store | ast.Del):
        parent = scopes.parents.get(use)
        return CHANGE if isinstance(parent, ast.AugAssign) else STORE
    return _climb(scopes, use)


def reads(scopes: Scopes, node: ast.expr) -> bool:
    """Whether the place of an expression only looks at its value: iterates, tests, counts, compares."""
    return _climb(scopes, node) == READ


def _climb(scopes: Scopes, node: ast.expr) -> str:
    parent = scopes.parents.get(node)
    if isinstance(parent, ast.Subscript) and parent.value is node:
        return _subscript(scopes, parent)
    if isinstance(parent, ast.Attribute):
        return _attribute(scopes, parent)
    if isinstance(parent, ast.Call):
        return _argument(scopes, parent, node)
    if isinstance(parent, ast.For | ast.AsyncFor | ast.comprehension):
        return READ if parent.iter is node else STORE
    if isinstance(
        parent, ast.Compare | ast.UnaryOp | ast.BinOp | ast.FormattedValue | ast.Subscript | ast.Slice
    ):
        return READ
    if isinstance(parent, _TESTS) and parent.test is node:
        return READ
    if isinstance(parent, ast.AugAssign):
        return READ
    if isinstance(parent, ast.BoolOp | ast.IfExp):
        return _climb(scopes, parent)
    if isinstance(parent, ast.Return):
        return RETURN
    if isinstance(parent, ast.Expr):
        return READ
    if isinstance(parent, ast.Starred):
        return READ
    return ALIAS if isinstance(parent, ast.Assign | ast.AnnAssign | ast.NamedExpr) else ESCAPE


def _subscript(scopes: Scopes, node: ast.Subscript) -> str:
    if isinstance(node.ctx, ast.Store | ast.Del):
        return CHANGE
    if isinstance(node.slice, ast.Slice):
        return READ
    above = scopes.parents.get(node)
    deeper = isinstance(above, ast.Subscript | ast.Attribute)
    return _climb(scopes, node) if deeper else READ


def _attribute(scopes: Scopes, node: ast.Attribute) -> str:
    call = scopes.parents.get(node)
    if not isinstance(call, ast.Call) or call.func is not node:
        return ESCAPE
    if node.attr in _CHANGING:
        return CHANGE
    return READ if node.attr in _PURE else ESCAPE


def _argument(scopes: Scopes, call: ast.Call, node: ast.expr) -> str:
    func = call.func
    if not isinstance(func, ast.Name) or func.id not in known.PURE_BUILTINS or not hasattr(builtins, func.id):
        return ESCAPE
    if (func.id in ("min", "max") and len(call.args) > 1) or (func.id == "sum" and node is not call.args[0]):
        return ESCAPE  # the argument itself may be the result
    return READ if scopes.resolve(func) is None else ESCAPE


def changes_something(function: ast.AST) -> bool:
    """Whether anything below ``function`` changes an object in place, by a method's name or a store."""
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and node.attr in _CHANGING:
            return True
        if isinstance(node, ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load):
            return True
    return False
