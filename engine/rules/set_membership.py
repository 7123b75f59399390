"""Asking a list again and again whether it holds something reads it again and again; a set made once answers at once.

Only for lists of exact texts, whole numbers and the like, asked for such values: their equality and their hash agree.
The list must stay as it is while the loop runs. Should it hold something without a hash after all, the list stays.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.edit import Change
from engine.facts import Facts
from engine.rules.looking import (
    LOOPS,
    at_once,
    build,
    header,
    loops_around,
    most_items,
    own_nodes,
    statement_of,
    words,
)
from engine.rules.shape import Case, Proposal, Rule, code, proposal
from engine.site import Site
from engine.site.binding import bound_before
from engine.site.kinds import HASHABLE, SEQUENCES, elements, within

ENOUGH = 8
"""A set pays from about this many items on."""


def find(site: Site) -> Iterator[Proposal]:
    if not site.plain_function:
        return
    found: dict[tuple[ast.AST, str], list[ast.Compare]] = {}
    for node in own_nodes(site):
        if isinstance(node, ast.Compare) and _fits(site, node):
            loop = _widest_loop(site, node)
            if loop is not None:
                found.setdefault((loop, _list(node).id), []).append(node)
    for (loop, name), probes in found.items():
        yield from _propose(site, loop, name, probes)


def _list(node: ast.Compare) -> ast.Name:
    last = node.comparators[0]
    assert isinstance(last, ast.Name)
    return last


def _fits(site: Site, node: ast.Compare) -> bool:
    """``value in name`` with the right types and a list worth it."""
    if len(node.ops) != 1 or not isinstance(node.ops[0], ast.In | ast.NotIn):
        return False
    held = node.comparators[0]
    if not isinstance(held, ast.Name) or not within(site.types.of(held), SEQUENCES):
        return False
    if not within(elements(site.types.of(held)), HASHABLE) or not within(site.types.of(node.left), HASHABLE):
        return False
    count = most_items(site, held)
    return count is not None and count >= ENOUGH


def _widest_loop(site: Site, node: ast.Compare) -> ast.AST | None:
    """The outermost loop around the probe in which the list stays as it is."""
    best, held = None, _list(node)
    for loop in loops_around(site, node):
        start = loop if isinstance(loop, LOOPS) else statement_of(site, loop)
        if not site.analysis.untouched(held, site.analysis.effects(_stretch(loop, start))):
            break
        if isinstance(loop, ast.GeneratorExp) and not at_once(site, loop):
            break
        if bound_before(site.scopes, held.id, site.analysis.own, start):
            best = loop
    return best


def _stretch(loop: ast.AST, start: ast.stmt) -> list[ast.AST]:
    """What runs between making the set and the last probe."""
    return [loop] if isinstance(loop, LOOPS) else header(start)


def _propose(site: Site, loop: ast.AST, name: str, probes: list[ast.Compare]) -> Iterator[Proposal]:
    change = Change(site)
    members = change.fresh_name("members", f"{name}_set", "known")
    start = loop if isinstance(loop, LOOPS) else statement_of(site, loop)
    held = _list(probes[0])
    proven = within(elements(site.blind.types.of(held)), HASHABLE)
    guarded = "try:\n    members = set(held)\nexcept TypeError:\n    members = held\n"
    template = "members = set(held)\n" if proven else guarded
    if (
        "set" in site.patched
        or site.scopes.lookup("set", site.analysis.own) is not None
        or site.scopes.star_import
    ):
        return
    assert isinstance(start, ast.stmt)
    change.insert_before(start, build(template, members=members, held=name))
    for probe in probes:
        change.replace(probe.comparators[0], ast.Name(id=members, ctx=ast.Load()))
    values = sorted({words(site, probe.left, 30) for probe in probes})
    claim = f"Look up {', '.join(values)} in a set made once from {name}, not in the list each time"
    yield from proposal(
        change, claim, obligations=(f"what is looked up in {name} has a hash that agrees with ==",)
    )


STRINGS = Facts(
    arg_types={"xs": {"builtins.list[builtins.str]": 9}, "ys": {"builtins.list[builtins.str]": 9}},
    sizes={"xs": (0, 900), "ys": (0, 900)},
)
FLOATS = Facts(
    arg_types={"xs": {"builtins.list[builtins.float]": 9}, "ys": {"builtins.list[builtins.float]": 9}},
    sizes={"xs": (0, 900), "ys": (0, 900)},
)

RULE = Rule(
    id="set-membership",
    version=1,
    domain="cpu",
    tier="guarded",
    metric="cpu",
    summary="Membership tests in a loop ask a set made once instead of a list",
    gain=1.6,
    find=find,
    needs=("arg_types", "sizes"),
    examples=(
        Case(
            why="a comprehension",
            source="def f(xs, ys):\n    return [y for y in ys if y not in xs]\n",
            function="f",
            expected=code("""
                def f(xs, ys):
                    try:
                        members = set(xs)
                    except TypeError:
                        members = xs
                    return [y for y in ys if y not in members]
            """),
            facts=STRINGS,
            inputs=("list[str]", "list[str]"),
        ),
        Case(
            why="a loop that fills a list of its own",
            source=code("""
                def f(xs, ys):
                    out = []
                    # look at all
                    for y in ys:
                        if y in xs:
                            out.append(y)
                    return out
            """),
            function="f",
            expected=code("""
                def f(xs, ys):
                    out = []
                    try:
                        members = set(xs)
                    except TypeError:
                        members = xs
                    # look at all
                    for y in ys:
                        if y in members:
                            out.append(y)
                    return out
            """),
            facts=STRINGS,
            inputs=("list[str]", "list[str]"),
        ),
    ),
    refuses=(
        Case(why="one probe", source="def f(xs, ys):\n    return ys[0] in xs\n", function="f", facts=STRINGS),
        Case(
            why="floats: not a number is not equal to itself",
            source="def f(xs, ys):\n    return [y for y in ys if y in xs]\n",
            function="f",
            facts=FLOATS,
        ),
        Case(
            why="values with an equality of their own",
            source="def f(xs, ys):\n    return [y for y in ys if y in xs]\n",
            function="f",
            facts=Facts(
                arg_types={"xs": {"builtins.list[pkg.mod.Key]": 3}, "ys": {"builtins.list[pkg.mod.Key]": 3}}
            ),
        ),
        Case(
            why="the list grows in the loop",
            source=code("""
                def f(xs, ys):
                    for y in ys:
                        if y not in xs:
                            xs.append(y)
                    return xs
            """),
            function="f",
            facts=STRINGS,
        ),
        Case(
            why="the list grows through another name",
            source=code("""
                def f(xs, ys):
                    seen = xs
                    for y in ys:
                        if y not in xs:
                            seen.append(y)
                    return seen
            """),
            function="f",
            facts=STRINGS,
        ),
        Case(
            why="a call in the loop may change the list",
            source="def f(xs, ys, g):\n    for y in ys:\n        if y not in xs:\n            g(y)\n",
            function="f",
            facts=STRINGS,
        ),
        Case(
            why="the name means another list later",
            source="def f(xs, ys):\n    for y in ys:\n        if y in xs:\n            xs = [y]\n    return xs\n",
            function="f",
            facts=STRINGS,
        ),
        Case(
            why="a lazy generator asks later",
            source="def f(xs, ys):\n    return (y for y in ys if y in xs)\n",
            function="f",
            facts=STRINGS,
        ),
        Case(
            why="a short list is faster",
            source="def f(xs, ys):\n    return [y for y in ys if y in xs]\n",
            function="f",
            facts=Facts(arg_types=STRINGS.arg_types, sizes={"xs": (0, 4), "ys": (0, 900)}),
        ),
        Case(
            why="nobody saw what is looked up",
            source="def f(xs, ys):\n    return [y for y in ys if y in xs]\n",
            function="f",
            facts=Facts(arg_types={"xs": STRINGS.arg_types["xs"]}, sizes={"xs": (0, 900)}),
        ),
    ),
)
