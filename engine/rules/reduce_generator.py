"""A long list that is made only to be reduced to one value need not exist: a generator gives its items one by one.

The list runs every item before the consumer starts. So items must be pure, and it must not matter whether an item or
the consumer raises first; ``any`` and ``all`` may skip items altogether, which therefore must not be able to raise.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.edit import Change, Edit
from engine.facts import Facts
from engine.rules.gen_to_list import one_sort
from engine.rules.looking import MANY, calls, most_generated, words
from engine.rules.shape import Case, Proposal, Rule, proposal
from engine.site import Site
from engine.site.effects import Analysis
from engine.site.kinds import HASHABLE, within

CONSUMERS = frozenset({"sum", "any", "all", "min", "max", "set"})


def find(site: Site) -> Iterator[Proposal]:
    if not site.plain_function:
        return
    for call in calls(site):
        name = site.types.builtin(call.func)
        if (
            name not in CONSUMERS
            or len(call.args) != 1
            or call.keywords
            or not isinstance(call.args[0], ast.ListComp)
        ):
            continue
        items = call.args[0]
        count = most_generated(site, items.generators)
        if count is None or count <= MANY or not allowed(site.analysis, name, items):
            continue
        change = Change(site)
        change.patch(
            items, ast.GeneratorExp(elt=items.elt, generators=items.generators), _edits(site, call, items)
        )
        tier = "exact" if allowed(site.blind, name, items) else "guarded"
        yield from proposal(change, f"Let {name}() take {words(site, items)} one by one", tier=tier)


def allowed(analysis: Analysis, name: str, items: ast.ListComp) -> bool:
    """Whether it cannot matter when, and for ``any`` and ``all`` whether, an item is made."""
    judged = analysis.judge(items)
    if name in ("any", "all"):
        return judged.total and analysis.truth(items.elt).total
    item = analysis.types.of(items.elt)
    steady = within(item, HASHABLE | {"float"}) if name == "set" else one_sort(name, item)
    return judged.total or (judged.pure and steady)


def _edits(site: Site, call: ast.Call, items: ast.ListComp) -> list[Edit]:
    """Drop the brackets where the call's own parentheses follow at once, else make them parentheses."""
    start, end = site.source.span(items)
    last = site.source.span(call)[1]
    alone = site.source.data[start - 1 : start] == b"(" and end == last - 1
    first, final = ("", "") if alone else ("(", ")")
    return [Edit(start, start + 1, first), Edit(end - 1, end, final)]


LARGE = Facts(arg_types={"xs": {"builtins.list[builtins.int]": 3}}, sizes={"xs": (0, 250_000)})

RULE = Rule(
    id="reduce-generator",
    version=1,
    domain="memory",
    tier="exact",
    metric="peak",
    summary="A long list made only to be reduced becomes a generator",
    gain=2.0,
    find=find,
    needs=("sizes",),
    examples=(
        Case(
            why="a sum over a large list",
            source="def f(xs):\n    return sum([x * 2 for x in xs])\n",
            function="f",
            expected="def f(xs):\n    return sum(x * 2 for x in xs)\n",
            facts=LARGE,
            inputs=("list[int]",),
        ),
        Case(
            why="any over comparisons that cannot raise",
            source="def f(xs):\n    return any( [x > 3 for x in xs] )\n",
            function="f",
            expected="def f(xs):\n    return any( (x > 3 for x in xs) )\n",
            facts=LARGE,
            inputs=("list[int]",),
        ),
        Case(
            why="a range that is long by itself",
            source="def f(n):\n    return max([i * i - n for i in range(300_000)])\n",
            function="f",
            expected="def f(n):\n    return max(i * i - n for i in range(300_000))\n",
            facts=Facts(arg_types={"n": {"builtins.int": 4}}),
        ),
    ),
    refuses=(
        Case(
            why="any would hide that a later item raises",
            source="def f(xs):\n    return any([1 / x > 3 for x in xs])\n",
            function="f",
            facts=LARGE,
        ),
        Case(
            why="few items: the list is faster",
            source="def f(xs):\n    return sum([x * 2 for x in xs])\n",
            function="f",
            facts=Facts(arg_types=LARGE.arg_types, sizes={"xs": (0, 900)}),
        ),
        Case(
            why="no size was seen", source="def f(xs):\n    return sum([x * 2 for x in xs])\n", function="f"
        ),
        Case(
            why="the items have effects",
            source="def f(xs, g):\n    return sum([g(x) for x in xs])\n",
            function="f",
            facts=LARGE,
        ),
        Case(
            why="adding may raise before a later item does",
            source="def f(xs):\n    return sum([x.size / x.count for x in xs])\n",
            function="f",
            facts=Facts(arg_types={"xs": {"builtins.list[pkg.mod.Box]": 3}}, sizes={"xs": (0, 250_000)}),
        ),
        Case(
            why="sum is another function here",
            source="from numpy import sum\n\n\ndef f(xs):\n    return sum([x * 2 for x in xs])\n",
            function="f",
            facts=LARGE,
        ),
    ),
)
