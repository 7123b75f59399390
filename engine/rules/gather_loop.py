"""Calls that only wait, awaited one after the other, can wait together.

``asyncio.gather`` is used on every Python: a TaskGroup would turn an error into an ExceptionGroup, which callers do
not expect. The called coroutine must be one of the same file that touches nothing shared, so that neither the order of
the calls nor siblings that run on after an error can be noticed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.edit import Change
from engine.edit.imports import bring
from engine.facts import Facts
from engine.rules.looking import build, most_items, own_nodes, words
from engine.rules.shape import Case, Proposal, Rule, code, proposal
from engine.rules.waiting import alone, callee, in_the_open, unique
from engine.site import Site
from engine.site.scopes import plain_target

WAITS = frozenset({"asyncio.sleep"})
MOST = 100
LEAST_WAIT_NS = 1e6
WAITING = 0.8


def find(site: Site) -> Iterator[Proposal]:
    if (
        not site.is_coroutine
        or site.is_generator
        or site.left_alone
        or (site.facts.waiting_share or 0) < WAITING
    ):
        return
    for node in own_nodes(site):
        if isinstance(node, ast.ListComp):
            yield from _comprehension(site, node)
        elif isinstance(node, ast.For):
            yield from _loop(site, node)


def _comprehension(site: Site, node: ast.ListComp) -> Iterator[Proposal]:
    """``[await f(x) for x in xs]``."""
    if not isinstance(node.elt, ast.Await) or len(node.generators) != 1 or not in_the_open(site, node):
        return
    each = node.generators[0]
    if each.is_async or not site.analysis.all(each.ifs).total:
        return
    obligations = together(site, node.elt, each.iter)
    if obligations is None:
        return
    change = Change(site)
    listed = ast.ListComp(elt=node.elt.value, generators=node.generators)
    change.replace(node, _gathered(change, listed))
    yield from proposal(change, _claim(site, node.elt), obligations=obligations)


def _loop(site: Site, node: ast.For) -> Iterator[Proposal]:
    """``for x in xs: out.append(await f(x))``."""
    out, awaited = _appended(site, node)
    if (
        awaited is None
        or node.orelse
        or not plain_target(node.target)
        or not in_the_open(site, node)
        or not _dead_afterwards(site, node)
    ):
        return
    obligations = together(site, awaited, node.iter)
    if obligations is None or out in {each.id for each in ast.walk(awaited) if isinstance(each, ast.Name)}:
        return
    change = Change(site)
    each = ast.comprehension(target=node.target, iter=node.iter, ifs=[], is_async=0)
    value = _gathered(change, ast.ListComp(elt=awaited.value, generators=[each]))
    first = _empty_list_before(site, node, out)
    if first is not None:
        change.remove(first)
    template = "out = value" if first is not None else "out.extend(value)"
    change.replace_statement(node, build(template, out=out, value=value))
    yield from proposal(change, _claim(site, awaited), obligations=obligations)


def _claim(site: Site, awaited: ast.Await) -> str:
    return f"Wait for all of {words(site, awaited.value)} together, not one after the other"


def _gathered(change: Change, calls: ast.ListComp) -> ast.Await:
    gather = ast.Attribute(value=bring(change, "asyncio"), attr="gather", ctx=ast.Load())
    return ast.Await(ast.Call(func=gather, args=[ast.Starred(value=calls, ctx=ast.Load())], keywords=[]))


def _appended(site: Site, node: ast.For) -> tuple[str, ast.Await | None]:
    """The list that the loop's only statement appends an await to, when the list is the function's own."""
    if len(node.body) != 1 or not isinstance(node.body[0], ast.Expr):
        return "", None
    call = node.body[0].value
    if (
        not isinstance(call, ast.Call)
        or not isinstance(call.func, ast.Attribute)
        or call.func.attr != "append"
    ):
        return "", None
    out = call.func.value
    if (
        not isinstance(out, ast.Name)
        or len(call.args) != 1
        or call.keywords
        or not site.analysis.fresh(out.id)
    ):
        return "", None
    awaited = call.args[0]
    return out.id, awaited if isinstance(awaited, ast.Await) else None


def _dead_afterwards(site: Site, node: ast.For) -> bool:
    """Whether the loop's names are used nowhere else: a comprehension does not leave them behind."""
    inside = {id(each) for part in [node.target, *node.body] for each in ast.walk(part)}
    names = {each.id for each in ast.walk(node.target) if isinstance(each, ast.Name)}
    own = site.analysis.own
    return all(id(use) in inside for name in names for use in site.scopes.uses_of(name, own))


def _empty_list_before(site: Site, node: ast.For, out: str) -> ast.Assign | None:
    """``out = []`` directly above the loop."""
    block = next((b for b in _blocks(site, node) if node in b), [])
    before = block[block.index(node) - 1] if node in block and block.index(node) else None
    if not isinstance(before, ast.Assign) or len(before.targets) != 1:
        return None
    target, value = before.targets[0], before.value
    empty = isinstance(value, ast.List) and not value.elts
    return before if empty and isinstance(target, ast.Name) and target.id == out else None


def _blocks(site: Site, node: ast.AST) -> list[list[ast.stmt]]:
    parent = site.scopes.parents[node]
    return [
        block
        for name in ("body", "orelse", "finalbody")
        if isinstance(block := getattr(parent, name, None), list)
    ]


def together(site: Site, awaited: ast.Await, source: ast.expr) -> tuple[str, ...] | None:
    """What must be assumed so that the calls may wait together; None when they may not."""
    call, count = awaited.value, most_items(site, source)
    if not isinstance(call, ast.Call) or count is None or not 2 <= count <= MOST:
        return None
    waited = (site.facts.cost_ns or 0) * (site.facts.waiting_share or 0) / count
    if (
        waited < LEAST_WAIT_NS
        or not site.analysis.judge(source).pure
        or not site.analysis.iterates(source).total
    ):
        return None
    values = [*call.args, *(keyword.value for keyword in call.keywords)]
    inner = callee(site, call)
    if inner is None or not inner.is_coroutine or not site.analysis.all(values).pure:
        return None
    verdict = alone(inner, inner.node.body, WAITS)
    if not verdict.good:
        return None
    return unique(
        [f"if several calls of {inner.qualname} fail, the first to fail is raised", *verdict.obligations]
    )


ASKED = Facts(
    arg_types={"xs": {"builtins.list[builtins.int]": 9}},
    sizes={"xs": (0, 8)},
    waiting_share=0.97,
    cost_ns=40e6,
)
ASK = """import asyncio


async def ask(x):
    await asyncio.sleep(0)
    return x + 1


"""

RULE = Rule(
    id="gather-loop",
    version=1,
    domain="async",
    tier="guarded",
    metric="wall",
    summary="Awaits in a loop that only wait are gathered",
    gain=6.0,
    find=find,
    needs=("waiting_share", "cost_ns", "sizes"),
    examples=(
        Case(
            why="a loop that appends",
            source=ASK
            + "async def f(xs):\n    out = []\n    for x in xs:\n        out.append(await ask(x))\n    return out\n",
            function="f",
            expected=ASK
            + "async def f(xs):\n    out = await asyncio.gather(*[ask(x) for x in xs])\n    return out\n",
            facts=ASKED,
            inputs=("list[int]",),
        ),
        Case(
            why="a comprehension",
            source=ASK + "async def f(xs):\n    return sum([await ask(x) for x in xs if x > 1])\n",
            function="f",
            expected=ASK
            + "async def f(xs):\n    return sum(await asyncio.gather(*[ask(x) for x in xs if x > 1]))\n",
            facts=ASKED,
            inputs=("list[int]",),
        ),
        Case(
            why="a list that already holds something",
            source=ASK
            + "async def f(xs):\n    out = [0]\n    for x in xs:\n        out.append(await ask(x))\n    return out\n",
            function="f",
            expected=ASK
            + code("""
                async def f(xs):
                    out = [0]
                    out.extend(await asyncio.gather(*[ask(x) for x in xs]))
                    return out
            """),
            facts=ASKED,
            inputs=("list[int]",),
        ),
    ),
    refuses=(
        Case(
            why="each call sees what the one before has left",
            source=code("""
                import asyncio


                async def book(left, cents):
                    rest = left["all"] - cents
                    await asyncio.sleep(0)
                    left["all"] = rest
                    return rest


                async def f(left, xs):
                    out = []
                    for x in xs:
                        out.append(await book(left, x))
                    return out
            """),
            function="f",
            facts=Facts(
                arg_types={**ASKED.arg_types, "left": {"builtins.dict[builtins.str, builtins.int]": 2}},
                sizes={"xs": (0, 8)},
                waiting_share=0.97,
                cost_ns=40e6,
            ),
        ),
        Case(
            why="it never waits",
            source=ASK + "async def f(xs):\n    return [await ask(x) for x in xs]\n",
            function="f",
            facts=Facts(arg_types=ASKED.arg_types, sizes={"xs": (0, 8)}, waiting_share=0.05, cost_ns=40e6),
        ),
        Case(
            why="it waits too little for a task to pay",
            source=ASK + "async def f(xs):\n    return [await ask(x) for x in xs]\n",
            function="f",
            facts=Facts(arg_types=ASKED.arg_types, sizes={"xs": (0, 8)}, waiting_share=0.97, cost_ns=1e6),
        ),
        Case(
            why="so many at once needs a limit",
            source=ASK + "async def f(xs):\n    return [await ask(x) for x in xs]\n",
            function="f",
            facts=Facts(arg_types=ASKED.arg_types, sizes={"xs": (0, 5000)}, waiting_share=0.97, cost_ns=40e9),
        ),
        Case(
            why="nobody knows what the awaited object shares",
            source="import asyncio\n\n\nasync def f(xs, client):\n    return [await client.get(x) for x in xs]\n",
            function="f",
            facts=ASKED,
        ),
        Case(
            why="a handler would see siblings run on",
            source=ASK
            + code("""
                async def f(xs):
                    try:
                        return [await ask(x) for x in xs]
                    except ValueError:
                        return []
            """),
            function="f",
            facts=ASKED,
        ),
        Case(
            why="the next call needs the last answer",
            source=ASK
            + code("""
                async def f(xs):
                    out = []
                    for x in xs:
                        out.append(await ask(x + len(out)))
                    return out
            """),
            function="f",
            facts=ASKED,
        ),
        Case(
            why="prints, whose order would change",
            source=ASK.replace("    return x + 1", "    print(x)\n    return x")
            + "async def f(xs):\n    return [await ask(x) for x in xs]\n",
            function="f",
            facts=ASKED,
        ),
    ),
)
