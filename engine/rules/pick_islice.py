"""Taking one item, or the first few, of an iterator by listing all of it; ``islice`` stops after them.

Stopping early must go unnoticed: the iterator is made in the expression itself, and what it does not run any more can
neither raise nor have an effect. An index that does not exist still raises the same IndexError.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.edit import Change
from engine.edit.imports import bring
from engine.facts import Facts
from engine.rules.looking import MANY, own_nodes, words
from engine.rules.shape import Case, Proposal, Rule, code, proposal
from engine.site import Site
from engine.site.kinds import SETS, VIEWS, Kinds, within


def find(site: Site) -> Iterator[Proposal]:
    if not site.plain_function:
        return
    for node in own_nodes(site):
        if not isinstance(node, ast.Subscript) or not isinstance(node.ctx, ast.Load):
            continue
        call = node.value
        if isinstance(call, ast.Call) and _listing(site, call) and _wanted(node.slice) is not None:
            yield from _propose(site, node, call)


def _listing(site: Site, call: ast.Call) -> bool:
    """``list(source)`` or ``tuple(source)`` of an iterator made right there, which may stop unnoticed."""
    if site.types.builtin(call.func) not in ("list", "tuple") or len(call.args) != 1 or call.keywords:
        return False
    source = call.args[0]
    return _lazy(site, source) and site.analysis.judge(source).total and site.analysis.iterates(source).total


def _lazy(site: Site, source: ast.expr) -> bool:
    if isinstance(source, ast.GeneratorExp):
        return True
    if isinstance(source, ast.Call) and site.types.builtin(source.func) in (
        "enumerate",
        "zip",
        "reversed",
        "range",
    ):
        return True
    if isinstance(source, ast.Call) and site.types.imported(source.func).startswith("itertools."):
        return True
    kinds: Kinds | None = site.types.of(source)
    return within(kinds, SETS | VIEWS | {"dict", "range"})


def _wanted(index: ast.expr) -> tuple[int, bool] | None:
    """``(k, False)`` for ``[k]``, ``(k, True)`` for ``[:k]``, with k a constant that is not negative."""
    if isinstance(index, ast.Slice):
        if index.lower is not None or index.step is not None or index.upper is None:
            return None
        count = _whole(index.upper)
        return None if count is None else (count, True)
    count = _whole(index)
    return None if count is None else (count, False)


def _whole(node: ast.expr) -> int | None:
    if isinstance(node, ast.Constant) and type(node.value) is int and 0 <= node.value <= MANY:
        return node.value
    return None


def _propose(site: Site, node: ast.Subscript, call: ast.Call) -> Iterator[Proposal]:
    wanted = _wanted(node.slice)
    assert wanted is not None
    count, many = wanted
    change = Change(site)
    islice = bring(change, "itertools", "islice")
    numbers = [ast.Constant(count)] if many else [ast.Constant(count), ast.Constant(count + 1)]
    picked = ast.Call(func=islice, args=[call.args[0], *numbers], keywords=[])
    listed = ast.Call(func=call.func, args=[picked], keywords=[])
    first = ast.Subscript(value=listed, slice=ast.Constant(0), ctx=ast.Load())
    change.replace(node, listed if many else first)
    what = f"the first {count} items" if many else f"item {count}"
    tier = "exact" if site.blind.judge(call.args[0]).total else "guarded"
    yield from proposal(change, f"Stop {words(site, call)} after {what}", tier=tier)


DICT = Facts(arg_types={"d": {"builtins.dict[builtins.str, builtins.int]": 5}}, sizes={"d": (1, 90_000)})
LIST = Facts(arg_types={"xs": {"builtins.list[builtins.int]": 5}}, sizes={"xs": (1, 90_000)})

RULE = Rule(
    id="pick-islice",
    version=1,
    domain="memory",
    tier="guarded",
    metric="peak",
    summary="Listing a whole iterator for one item or the first few becomes islice",
    gain=2.0,
    find=find,
    examples=(
        Case(
            why="the first key",
            source="def f(d):\n    return list(d)[0]\n",
            function="f",
            expected="from itertools import islice\n\n\ndef f(d):\n    return list(islice(d, 0, 1))[0]\n",
            facts=DICT,
            inputs=("dict[str, int]",),
        ),
        Case(
            why="the first few of a generator, with imports to join",
            source=code("""
                import os
                from itertools import chain


                def f(xs):
                    return list(x * 2 for x in xs)[:3]
            """),
            function="f",
            expected=code("""
                import os
                from itertools import chain, islice


                def f(xs):
                    return list(islice((x * 2 for x in xs), 3))
            """),
            facts=LIST,
            inputs=("list[int]",),
        ),
    ),
    refuses=(
        Case(why="from the end", source="def f(d):\n    return list(d)[-1]\n", function="f", facts=DICT),
        Case(
            why="the iterator goes on being used",
            source="def f(xs):\n    it = iter(xs)\n    first = list(it)[0]\n    return first, list(it)\n",
            function="f",
            facts=LIST,
        ),
        Case(
            why="a later item raises",
            source="def f(xs):\n    return list(1 // x for x in xs)[:2]\n",
            function="f",
            facts=LIST,
        ),
        Case(
            why="a later item has an effect",
            source="def f(xs, g):\n    return list(g(x) for x in xs)[0]\n",
            function="f",
            facts=LIST,
        ),
        Case(
            why="the index could be negative",
            source="def f(d, k):\n    return list(d)[k]\n",
            function="f",
            facts=DICT,
        ),
        Case(why="nobody saw what it is", source="def f(d):\n    return list(d)[0]\n", function="f"),
        Case(
            why="a list is only copied",
            source="def f(xs):\n    return list(xs)[0]\n",
            function="f",
            facts=LIST,
        ),
    ),
)
