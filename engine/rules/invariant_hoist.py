"""What gives the same value in every round of a loop is computed once before it.

Only expressions without effects, over names and objects that nothing in the loop can change, also not under another
name. The value must not be able to raise, because a loop may run no round at all; or it is the very first thing a
``while`` tests. A container made anew each round is only moved when the loop merely reads it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.edit import Change
from engine.facts import Facts
from engine.rules.hoisting import hoistable
from engine.rules.looking import LOOPS, build, own_nodes, statement_of, words
from engine.rules.shape import Case, Proposal, Rule, code, proposal
from engine.site import Site

SINGLES = 3
_WORDS = {
    "len": "count",
    "sorted": "ordered",
    "set": "members",
    "sum": "total",
    "max": "largest",
    "min": "smallest",
}
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
