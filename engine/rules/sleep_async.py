"""``time.sleep`` in a coroutine stops every task of its loop; ``asyncio.sleep`` only this one.

Other tasks then run at a point where none could before. So no lock may be held there, no handler may see the
cancellation that is now possible, and the coroutine may touch nothing shared afterwards.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.edit import Change
from engine.edit.imports import bring
from engine.facts import Facts
from engine.rules.looking import calls, words
from engine.rules.shape import Case, Proposal, Rule, code, proposal
from engine.rules.waiting import afterwards, alone, asyncio_is_used, in_the_open, unique
from engine.site import Site

WAITS = frozenset({"time.sleep", "asyncio.sleep"})


def find(site: Site) -> Iterator[Proposal]:
    if not site.is_coroutine or site.is_generator or site.left_alone or not asyncio_is_used(site):
        return
    for call in calls(site):
        statement = site.scopes.parents.get(call)
        if site.types.imported(call.func) != "time.sleep" or not isinstance(statement, ast.Expr):
            continue
        if not _fixed_wait(site, call) or not in_the_open(site, statement):
            continue
        verdict = alone(site, afterwards(site, statement), WAITS)
        if verdict.good:
            yield from _propose(site, call, verdict.obligations)


def _fixed_wait(site: Site, call: ast.Call) -> bool:
    """One number that is never negative: ``time.sleep`` refuses those, ``asyncio.sleep`` does not."""
    if len(call.args) != 1 or call.keywords:
        return False
    return number(site, call.args[0]) is not None


def number(site: Site, node: ast.expr) -> float | None:
    """A constant that is not negative, written here or as a constant of the module."""
    if isinstance(node, ast.Constant):
        value = node.value
        return (
            value if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else None
        )
    if not isinstance(node, ast.Name) or site.types.of(node) is None:
        return None
    owner = site.scopes.resolve(node)
    parent = (
        site.scopes.parents.get(owner.bindings[node.id][0]) if owner is not None and owner.is_module else None
    )
    return number(site, parent.value) if isinstance(parent, ast.Assign) else None


def _propose(site: Site, call: ast.Call, obligations: list[str]) -> Iterator[Proposal]:
    change = Change(site)
    asyncio = bring(change, "asyncio")
    sleep = ast.Attribute(value=asyncio, attr="sleep", ctx=ast.Load())
    change.replace(call, ast.Await(ast.Call(func=sleep, args=call.args, keywords=[])))
    claim = f"Let other tasks run during {words(site, call)}"
    yield from proposal(
        change, claim, obligations=unique(["other tasks may run at this point", *obligations])
    )


WEIGH = Facts(arg_types={"grams": {"builtins.list[builtins.int]": 9}, "near": {"builtins.int": 9}})

RULE = Rule(
    id="sleep-async",
    version=1,
    domain="async",
    tier="guarded",
    metric="wall",
    summary="time.sleep in a coroutine becomes asyncio.sleep",
    gain=4.0,
    find=find,
    examples=(
        Case(
            why="a constant of the module; the import joins",
            source=code("""
                import time

                PAUSE = 0


                async def f(n):
                    time.sleep(PAUSE)
                    return n + 1
            """),
            function="f",
            expected=code("""
                import asyncio
                import time

                PAUSE = 0


                async def f(n):
                    await asyncio.sleep(PAUSE)
                    return n + 1
            """),
            facts=Facts(arg_types={"n": {"builtins.int": 3}}),
            inputs=("int",),
            files={},
        ),
        Case(
            why="between readings that are its own",
            source=code("""
                import asyncio
                import time


                async def f(grams, near):
                    last = grams[0]
                    for grams_now in grams[1:]:
                        if abs(grams_now - last) <= near:
                            return grams_now
                        last = grams_now
                        time.sleep(0)  # let the scale settle
                    return last
            """),
            function="f",
            expected=code("""
                import asyncio
                import time


                async def f(grams, near):
                    last = grams[0]
                    for grams_now in grams[1:]:
                        if abs(grams_now - last) <= near:
                            return grams_now
                        last = grams_now
                        await asyncio.sleep(0)  # let the scale settle
                    return last
            """),
            facts=WEIGH,
            inputs=("list[int]", "int"),
        ),
    ),
    refuses=(
        Case(
            why="a lock is held",
            source=code("""
                import asyncio
                import time


                async def f(lock):
                    with lock:
                        time.sleep(0.01)
            """),
            function="f",
        ),
        Case(
            why="shared state is read, then written after the wait",
            source=code("""
                import asyncio
                import time


                async def f(bays, truck):
                    number = bays["next"]
                    time.sleep(0.01)
                    bays["next"] = number + 1
                    return number
            """),
            function="f",
            facts=Facts(arg_types={"bays": {"builtins.dict[builtins.str, builtins.int]": 3}}),
        ),
        Case(
            why="an attribute is read after the wait",
            source="import asyncio\nimport time\n\n\nasync def f(self):\n    time.sleep(0.01)\n    return self.count\n",
            function="f",
        ),
        Case(
            why="a global is read after the wait",
            source=code("""
                import asyncio
                import time

                COUNTS = {}


                async def f(key):
                    time.sleep(0.01)
                    return COUNTS.get(key)
            """),
            function="f",
        ),
        Case(
            why="a call that may touch anything follows",
            source="import asyncio\nimport time\n\n\nasync def f(g):\n    time.sleep(0.01)\n    return g()\n",
            function="f",
        ),
        Case(
            why="a handler would see the cancellation",
            source=code("""
                import asyncio
                import time


                async def f():
                    try:
                        time.sleep(0.01)
                    finally:
                        return 1
            """),
            function="f",
        ),
        Case(
            why="not a coroutine",
            source="import asyncio\nimport time\n\n\ndef f():\n    time.sleep(0.01)\n",
            function="f",
        ),
        Case(
            why="the time may be negative",
            source="import asyncio\nimport time\n\n\nasync def f(n):\n    time.sleep(n)\n",
            function="f",
        ),
        Case(
            why="another kind of loop",
            source="import time\n\nimport trio\n\n\nasync def f():\n    time.sleep(0.01)\n",
            function="f",
            files={},
        ),
    ),
)
