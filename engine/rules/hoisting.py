"""Out of which loop an expression may be moved: what no round changes, and what the loop does not ask first."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from engine.rules.looking import LOOPS, at_once, header, loops_around, repeated, statement_of
from engine.site import Site, roles
from engine.site.binding import bound_before
from engine.site.judging import TOTAL
from engine.site.kinds import SCALARS, within

_WEIGHTS = {ast.Call: 2, ast.BinOp: 1, ast.Compare: 1, ast.Subscript: 1, ast.Attribute: 1}
_QUESTIONS = frozenset({"isinstance", "issubclass", "hasattr", "getattr", "callable", "type", "id"})


def hoistable(site: Site, node: ast.expr) -> ast.AST | None:
    """The outermost loop that ``node`` may be moved out of; None when there is none."""
    if not _worth_it(site, node) or not _may_move(site, node):
        return None
    best = None
    for loop in loops_around(site, node):
        if guarded_inside(site, node, loop):
            break
        start = loop if isinstance(loop, LOOPS) else statement_of(site, loop)
        if (
            isinstance(loop, ast.AsyncFor)
            or not isinstance(start, ast.stmt)
            or not _stays(site, node, loop, start)
        ):
            break
        if site.analysis.judge(node).total or _first_tested(site, node, loop):
            best = loop
    return best


def guarded_inside(site: Site, node: ast.expr, loop: ast.AST) -> bool:
    """Whether the loop asks what its names are before it evaluates ``node``, or handles what that may raise.

    Such a question may be about a type that was never seen, so then only a proof from the source is good enough.
    """
    if site.blind.judge(node).total:
        return False
    for above in site.scopes.chain(node):
        if isinstance(above, ast.Try | ast.Match) or type(above).__name__ == "TryStar":
            return True
        if above is loop:
            break
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    inside = (each for part in repeated(loop) for each in ast.walk(part))
    return any(isinstance(each, ast.Name) and each.id in names and _asked(site, each) for each in inside)


def _asked(site: Site, use: ast.Name) -> bool:
    """Whether this use asks what kind of object the name holds: ``is``, ``isinstance`` and such, its bare truth."""
    parent = site.scopes.parents.get(use)
    if isinstance(parent, ast.Compare):
        none = any(
            isinstance(each, ast.Constant) and each.value is None
            for each in [parent.left, *parent.comparators]
        )
        return none or any(isinstance(op, ast.Is | ast.IsNot) for op in parent.ops)
    if isinstance(parent, ast.Call):
        return isinstance(parent.func, ast.Name) and parent.func.id in _QUESTIONS
    if isinstance(parent, ast.If | ast.While | ast.IfExp):
        return parent.test is use
    if isinstance(parent, ast.UnaryOp):
        return isinstance(parent.op, ast.Not)
    return isinstance(parent, ast.BoolOp) or (isinstance(parent, ast.comprehension) and use in parent.ifs)


def _worth_it(site: Site, node: ast.expr) -> bool:
    if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
        return False
    parent = site.scopes.parents.get(node)
    if isinstance(parent, ast.Call) and parent.func is node:
        return False
    names = [each for each in ast.walk(node) if isinstance(each, ast.Name)]
    weight = sum(_WEIGHTS.get(type(each), 0) for each in ast.walk(node))
    own = any(site.scopes.resolve(each) is site.analysis.own for each in names)
    return own and weight >= 2


def _may_move(site: Site, node: ast.expr) -> bool:
    """Pure, evaluated by the function's own code, and not a new object that the loop may keep or change."""
    if any(isinstance(each, ast.JoinedStr) for each in site.scopes.chain(node)):
        return False
    if not site.analysis.judge(node).pure:
        return False
    if isinstance(node, ast.Attribute | ast.Subscript) and not _makes_new(node):
        return True
    return within(site.types.of(node), SCALARS) or _only_read(site, node)


def _makes_new(node: ast.expr) -> bool:
    return isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice)


def _only_read(site: Site, node: ast.expr) -> bool:
    """Whether the place where ``node`` stands looks at its value without handing it on."""
    if not site.analysis.makes(node) and not _makes_new(node):
        return False
    return roles.reads(site.scopes, node)


def _stays(site: Site, node: ast.expr, loop: ast.AST, start: ast.stmt) -> bool:
    """Whether nothing that runs between the new place and the last round changes what ``node`` gives."""
    if isinstance(loop, ast.GeneratorExp) and not at_once(site, loop):
        return False
    stretch = [loop] if loop is start else header(start)
    if not site.analysis.untouched(node, site.analysis.effects(stretch)):
        return False
    uses = [each for each in ast.walk(node) if isinstance(each, ast.Name)]
    owners = [(each, site.scopes.resolve(each)) for each in uses]
    inner = [site.scopes.of[each] for each in ast.walk(node) if each in site.scopes.of]
    if any(owner is not None and owner.is_comprehension and owner not in inner for _, owner in owners):
        return False
    local = [each for each, owner in owners if owner is site.analysis.own]
    return all(bound_before(site.scopes, each.id, site.analysis.own, start) for each in local)


def _first_tested(site: Site, node: ast.expr, loop: ast.AST) -> bool:
    """Whether ``node`` is evaluated in the test of a ``while`` before anything else there could raise."""
    if not isinstance(loop, ast.While):
        return False
    return first_evaluated(site, loop.test, node)


def first_evaluated(site: Site, whole: ast.expr, node: ast.expr) -> bool:
    """Whether evaluating ``whole`` surely evaluates ``node``, with nothing before it that may raise or act."""
    if whole is node:
        return True
    if isinstance(whole, ast.BoolOp):
        return first_evaluated(site, whole.values[0], node)
    if isinstance(whole, ast.IfExp):
        return first_evaluated(site, whole.test, node)
    if not isinstance(whole, ast.Compare | ast.BinOp | ast.UnaryOp | ast.Call | ast.Subscript):
        return False
    for part in _in_order(whole):
        if any(each is node for each in ast.walk(part)):
            return first_evaluated(site, part, node)
        if site.analysis.judge(part) != TOTAL:
            return False
    return False


def _in_order(whole: ast.expr) -> Sequence[ast.expr]:
    if isinstance(whole, ast.Compare):
        return [whole.left, *whole.comparators[:1]]
    if isinstance(whole, ast.BinOp):
        return [whole.left, whole.right]
    if isinstance(whole, ast.UnaryOp):
        return [whole.operand]
    if isinstance(whole, ast.Call):
        base = [whole.func.value] if isinstance(whole.func, ast.Attribute) else []
        return [*base, *whole.args]
    return [whole.value, whole.slice] if isinstance(whole, ast.Subscript) else []
