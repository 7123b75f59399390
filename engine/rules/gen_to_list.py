"""A generator that is consumed whole at once is faster as a list: no frame is resumed for every item.

``join``, ``sorted``, ``tuple`` and ``list`` collect everything before they look at it, so only the way is shorter.
``sum``, ``min`` and ``max`` would hold all items at once: only for few of them, and only where it cannot matter whether
an item or the consumer raises first.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.edit import Change, Edit
from engine.facts import Facts
from engine.rules.looking import MANY, calls, most_generated, words
from engine.rules.shape import Case, Proposal, Rule, code, proposal
from engine.site import Site
from engine.site.kinds import WHOLE, Kinds, within

COLLECTING = frozenset({"sorted", "tuple", "list"})
STEPPING = frozenset({"sum", "min", "max"})
OBLIGATION = "no operator or attribute of an item raises StopIteration"


def find(site: Site) -> Iterator[Proposal]:
    if not site.plain_function:
        return
    for call in calls(site):
        name, generator = consumer(site, call)
        if generator is None or not _allowed(site, name, call, generator):
            continue
        proven = site.blind.judge(generator).pure and (
            name != "join" or isinstance(_receiver(call), ast.Constant)
        )
        obligations = () if site.analysis.judge(generator).pure else (OBLIGATION,)
        change = Change(site)
        if name == "list":
            _as_comprehension(change, call, generator)
        else:
            _as_list(change, call, generator)
        claim = f"Give {name}() a list in place of the generator {words(site, generator)}"
        claim = f"Write {words(site, call)} as a list comprehension" if name == "list" else claim
        yield from proposal(
            change, claim, tier="exact" if proven and not obligations else "guarded", obligations=obligations
        )


def consumer(site: Site, call: ast.Call) -> tuple[str, ast.GeneratorExp | None]:
    """What consumes a generator expression in this call, and the generator; ``("", None)`` when nothing does."""
    if not call.args or not isinstance(call.args[0], ast.GeneratorExp) or len(call.args) != 1:
        return "", None
    generator = call.args[0]
    name = site.types.builtin(call.func)
    if name in COLLECTING | STEPPING:
        return name, generator
    receiver = _receiver(call)
    if receiver is not None and not call.keywords and within(site.types.of(receiver), {"str"}):
        return "join", generator
    return "", None


def _receiver(call: ast.Call) -> ast.expr | None:
    func = call.func
    return func.value if isinstance(func, ast.Attribute) and func.attr == "join" else None


def _allowed(site: Site, name: str, call: ast.Call, generator: ast.GeneratorExp) -> bool:
    judged = site.analysis.judge(generator)
    if call.keywords and (name != "sorted" or not all(_harmless(site, k.value) for k in call.keywords)):
        return False
    if name not in STEPPING:
        return judged.mild
    count = most_generated(site, generator.generators)
    if count is None or count > MANY or not judged.pure:
        return False
    item = site.types.of(generator.elt)
    return judged.total or one_sort(name, item)


def one_sort(name: str, item: Kinds | None) -> bool:
    """Items that adding or comparing cannot raise on; whole numbers with floats can, when they are huge."""
    return within(item, WHOLE) or within(item, {"float"}) or (name != "sum" and within(item, {"str"}))


def _harmless(site: Site, value: ast.expr) -> bool:
    """Evaluated before or after the items, it is the same."""
    return isinstance(value, ast.Lambda | ast.Constant) and site.analysis.judge(value).total


def _brackets(change: Change, call: ast.Call, generator: ast.GeneratorExp) -> tuple[int, int, bool]:
    """Span of the generator, and whether its parentheses are those of the call."""
    start, end = change.site.source.span(generator)
    return start, end, change.site.source.span(call)[1] == end


def _listed(generator: ast.GeneratorExp) -> ast.ListComp:
    return ast.ListComp(elt=generator.elt, generators=generator.generators)


def _as_list(change: Change, call: ast.Call, generator: ast.GeneratorExp) -> None:
    start, end, shared = _brackets(change, call, generator)
    if shared:
        edits = [Edit(start + 1, start + 1, "["), Edit(end - 1, end - 1, "]")]
    else:
        edits = [Edit(start, start + 1, "["), Edit(end - 1, end, "]")]
    change.patch(generator, _listed(generator), edits)


def _as_comprehension(change: Change, call: ast.Call, generator: ast.GeneratorExp) -> None:
    first, last = change.site.source.span(call)
    start, end, _ = _brackets(change, call, generator)
    change.patch(call, _listed(generator), [Edit(first, start + 1, "["), Edit(end - 1, last, "]")])


INTS = Facts(arg_types={"xs": {"builtins.list[builtins.int]": 9}}, sizes={"xs": (0, 500)})

RULE = Rule(
    id="gen-to-list",
    version=1,
    domain="cpu",
    tier="exact",
    metric="cpu",
    summary="A generator that is consumed whole at once becomes a list",
    gain=1.15,
    find=find,
    examples=(
        Case(
            why="join makes a list of it anyway",
            source='def f(xs):\n    return ",".join(str(x) for x in xs)\n',
            function="f",
            expected='def f(xs):\n    return ",".join([str(x) for x in xs])\n',
            facts=INTS,
            inputs=("list[int]",),
        ),
        Case(
            why="list(generator) is a comprehension",
            source="def f(xs):\n    return list(x * 2 for x in xs if x > 1)\n",
            function="f",
            expected="def f(xs):\n    return [x * 2 for x in xs if x > 1]\n",
            facts=INTS,
            inputs=("list[int]",),
        ),
        Case(
            why="a sum of few whole numbers",
            source="def f(xs):\n    return sum(x * x for x in xs)\n",
            function="f",
            expected="def f(xs):\n    return sum([x * x for x in xs])\n",
            facts=INTS,
            inputs=("list[int]",),
        ),
        Case(
            why="the generator's own parentheses go, a comment stays",
            source=code("""
                def f(xs):
                    return sorted(
                        (x + 1 for x in xs),  # all of them
                        reverse=True,
                    )
            """),
            function="f",
            expected=code("""
                def f(xs):
                    return sorted(
                        [x + 1 for x in xs],  # all of them
                        reverse=True,
                    )
            """),
            facts=INTS,
            inputs=("list[int]",),
        ),
    ),
    refuses=(
        Case(
            why="any stops early",
            source="def f(xs):\n    return any(x > 3 for x in xs)\n",
            function="f",
            facts=INTS,
        ),
        Case(
            why="all stops early",
            source="def f(xs):\n    return all(x > 3 for x in xs)\n",
            function="f",
            facts=INTS,
        ),
        Case(
            why="a call that could do anything, so also end the generator",
            source="def f(xs, g):\n    return list(g(x) for x in xs)\n",
            function="f",
            facts=INTS,
        ),
        Case(
            why="nobody knows how many items there are",
            source="def f(xs):\n    return sum(x * x for x in xs)\n",
            function="f",
            facts=Facts(arg_types=INTS.arg_types),
        ),
        Case(
            why="too many items for a list",
            source="def f(xs):\n    return max(x * x for x in xs)\n",
            function="f",
            facts=Facts(arg_types=INTS.arg_types, sizes={"xs": (0, 200_000)}),
        ),
        Case(
            why="an endless source",
            source="from itertools import count\n\n\ndef f():\n    return sum(x for x in count())\n",
            function="f",
        ),
        Case(
            why="an item may raise another error than the sum before it",
            source="def f(xs, ys):\n    return sum(x / y for x, y in zip(xs, ys))\n",
            function="f",
            facts=Facts(
                arg_types={"xs": {"builtins.list": 3}, "ys": {"builtins.list": 3}}, sizes={"xs": (0, 5)}
            ),
        ),
        Case(
            why="sum is not the builtin here",
            source="def sum(xs):\n    return next(xs)\n\n\ndef f(xs):\n    return sum(x * x for x in xs)\n",
            function="f",
            facts=INTS,
        ),
        Case(
            why="join of something else",
            source="import os\n\n\ndef f(xs):\n    return os.path.join(x for x in xs)\n",
            function="f",
        ),
        Case(
            why="it looks at its own names",
            source="def f(xs):\n    return list(x for x in xs if locals())\n",
            function="f",
            facts=INTS,
        ),
    ),
)
