"""What gives the same value in every round of a loop is computed once before it.

Only expressions without effects, over names and objects that nothing in the loop can change, also not under another
name. The value must not be able to raise, because a loop may run no round at all; or it is the very first thing a
``while`` tests. A container made anew each round is only moved when the loop merely reads it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from engine.edit import Change
from engine.facts import Facts
from engine.rules.looking import (
    LOOPS,
    at_once,
    build,
    header,
    loops_around,
    own_nodes,
    repeated,
    statement_of,
    words,
)
from engine.rules.shape import Case, Proposal, Rule, code, proposal
from engine.site import Site, roles
from engine.site.binding import bound_before
from engine.site.judging import TOTAL
from engine.site.kinds import SCALARS, within

SINGLES = 3
_WEIGHTS = {ast.Call: 2, ast.BinOp: 1, ast.Compare: 1, ast.Subscript: 1, ast.Attribute: 1}
_WORDS = {
    "len": "count",
    "sorted": "ordered",
    "set": "members",
    "sum": "total",
    "max": "largest",
    "min": "smallest",
}
_QUESTIONS = frozenset({"isinstance", "issubclass", "hasattr", "getattr", "callable", "type", "id"})
_CANDIDATES = (ast.Call, ast.BinOp, ast.Compare, ast.Subscript, ast.Attribute)


def find(site: Site) -> Iterator[Proposal]:
    if not site.plain_function:
        return
    found: dict[ast.AST, dict[str, list[ast.expr]]] = {}
    taken: set[int] = set()
    for node in own_nodes(site):
        if id(node) in taken or not isinstance(node, _CANDIDATES):
            continue
        loop = hoistable(site, node)
        if loop is not None:
            taken.update(id(each) for each in ast.walk(node))
            found.setdefault(loop, {}).setdefault(ast.dump(node), []).append(node)
    for loop, groups in found.items():
        everything = list(groups.values())
        yield from _propose(site, loop, everything)
        if len(everything) > 1:
            for group in everything[:SINGLES]:
                yield from _propose(site, loop, [group])


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


def _propose(site: Site, loop: ast.AST, groups: list[list[ast.expr]]) -> Iterator[Proposal]:
    change = Change(site)
    start = loop if isinstance(loop, LOOPS) else statement_of(site, loop)
    assert isinstance(start, ast.stmt)
    lines: list[ast.stmt] = []
    for group in groups:
        name = change.fresh_name(*_name_for(group[0]))
        lines += build("name = value", name=name, value=group[0])
        for node in group:
            change.replace(node, ast.Name(id=name, ctx=ast.Load()))
    change.insert_before(start, lines)
    what = " and ".join(words(site, group[0], 40) for group in groups[:4])
    proven = all(site.blind.judge(group[0]).total for group in groups)
    obligations = () if proven else ("the types are those that were seen",)
    yield from proposal(change, f"Compute {what} once before the loop", obligations=obligations)


def _name_for(node: ast.expr) -> list[str]:
    """Readable names for the new local, best first."""
    if isinstance(node, ast.Attribute):
        return [node.attr.lstrip("_") or "held", f"own_{node.attr.lstrip('_')}"]
    if isinstance(node, ast.Call):
        func = node.func
        word = (
            func.attr
            if isinstance(func, ast.Attribute)
            else func.id
            if isinstance(func, ast.Name)
            else "value"
        )
        subject = node.args[0] if node.args else func.value if isinstance(func, ast.Attribute) else None
        base = subject.id if isinstance(subject, ast.Name) else ""
        named = _WORDS.get(word, f"{word}_value")
        return [f"{base}_{named}" if base else named, f"{named}_once"]
    if isinstance(node, ast.Subscript):
        return ["item", "held_item"] if not isinstance(node.slice, ast.Slice) else ["part", "held_part"]
    return ["flag", "test_value"] if isinstance(node, ast.Compare) else ["factor", "base_value"]


def _facts(**types: str) -> Facts:
    return Facts(arg_types={name: {kind: 9} for name, kind in types.items()})


INTS = _facts(xs="builtins.list[builtins.int]", n="builtins.int", s="builtins.str")
ROWS = _facts(xs="builtins.list[builtins.int]", ys="builtins.list[builtins.int]")

RULE = Rule(
    id="invariant-hoist",
    version=1,
    domain="cpu",
    tier="guarded",
    metric="cpu",
    summary="What does not change in a loop is computed once before it",
    gain=1.2,
    find=find,
    needs=("arg_types",),
    examples=(
        Case(
            why="a length in the test of a while",
            source=code("""
                def f(xs):
                    i = 0
                    total = 0
                    while i < len(xs):
                        total += xs[i]
                        i += 1
                    return total
            """),
            function="f",
            expected=code("""
                def f(xs):
                    i = 0
                    total = 0
                    xs_count = len(xs)
                    while i < xs_count:
                        total += xs[i]
                        i += 1
                    return total
            """),
            facts=INTS,
            inputs=("list[int]",),
        ),
        Case(
            why="arithmetic in a nested loop, moved out of both",
            source=code("""
                def f(xs, n):
                    out = []
                    for x in xs:
                        for y in xs:
                            out.append(x * y + n * n * 3)
                    return out
            """),
            function="f",
            expected=code("""
                def f(xs, n):
                    out = []
                    factor = n * n * 3
                    for x in xs:
                        for y in xs:
                            out.append(x * y + factor)
                    return out
            """),
            facts=INTS,
            inputs=("list[int]", "int"),
        ),
        Case(
            why="a call in a comprehension",
            source="def f(xs, s):\n    return [x for x in xs if s.lower().startswith('a')]\n",
            function="f",
            expected=code("""
                def f(xs, s):
                    startswith_value = s.lower().startswith('a')
                    return [x for x in xs if startswith_value]
            """),
            facts=INTS,
            inputs=("list[int]", "str"),
        ),
        Case(
            why="a sorted copy that is only read",
            source=code("""
                def f(xs, ys):
                    total = 0
                    for x in xs:
                        for y in sorted(ys):
                            total += x * y
                    return total
            """),
            function="f",
            expected=code("""
                def f(xs, ys):
                    total = 0
                    ys_ordered = sorted(ys)
                    for x in xs:
                        for y in ys_ordered:
                            total += x * y
                    return total
            """),
            facts=ROWS,
            inputs=("list[int]", "list[int]"),
        ),
    ),
    refuses=(
        Case(
            why="no round, no division by zero",
            source="def f(xs, n):\n    return [x + 1 // n for x in xs]\n",
            function="f",
            facts=INTS,
        ),
        Case(
            why="no round, no error of a square root",
            source=code("""
                import math


                def f(xs, n):
                    total = 0.0
                    for x in xs:
                        total += x * math.sqrt(n)
                    return total
            """),
            function="f",
            facts=INTS,
        ),
        Case(
            why="the list grows in the loop",
            source=code("""
                def f(xs):
                    i = 0
                    while i < len(xs):
                        if xs[i] > 3:
                            xs.append(xs[i] // 2)
                        i += 1
                    return xs
            """),
            function="f",
            facts=INTS,
        ),
        Case(
            why="the list grows under another name",
            source=code("""
                def f(xs):
                    ys = xs
                    i = 0
                    while i < len(xs):
                        if xs[i] > 3:
                            ys.append(0)
                        i += 1
                    return ys
            """),
            function="f",
            facts=INTS,
        ),
        Case(
            why="a call may change the list",
            source="def f(xs, g):\n    i = 0\n    while i < len(xs):\n        g(i)\n        i += 1\n",
            function="f",
            facts=INTS,
        ),
        Case(
            why="an attribute that may be a property",
            source="def f(xs, box):\n    return [x + box.size.width for x in xs]\n",
            function="f",
            facts=INTS,
        ),
        Case(
            why="a new list each round that is kept",
            source=code("""
                def f(xs, ys):
                    out = []
                    for x in xs:
                        out.append(sorted(ys))
                    return out
            """),
            function="f",
            facts=ROWS,
        ),
        Case(
            why="the name changes in the loop",
            source="def f(xs, n):\n    for x in xs:\n        n = n * n * x\n    return n\n",
            function="f",
            facts=INTS,
        ),
        Case(
            why="len is something else here",
            source="def f(xs, len):\n    i = 0\n    while i < len(xs):\n        i += 1\n    return i\n",
            function="f",
            facts=INTS,
        ),
        Case(
            why="a nested function changes the name",
            source=code("""
                def f(xs, n):
                    def grow():
                        nonlocal n
                        n += 1
                        return n

                    return [grow() + n * n * 3 for _ in xs]
            """),
            function="f",
            facts=INTS,
        ),
        Case(
            why="the loop asks whether there is a text at all",
            source="def f(xs, s):\n    return [s.lower().strip() if s is not None else x for x in xs]\n",
            function="f",
            facts=INTS,
        ),
        Case(
            why="the types were not seen",
            source="def f(xs, n):\n    return [x + n * n * 3 for x in xs]\n",
            function="f",
            facts=_facts(xs="builtins.list[builtins.int]"),
        ),
    ),
)
