"""A call that blocks in a coroutine stops every task of its loop; in a thread it stops only this one.

Only for calls that were seen to wait rather than compute: threads do not make Python code faster. What is called must
touch nothing shared, because it now runs beside the loop, and so must the coroutine afterwards.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.edit import Change
from engine.edit.imports import bring
from engine.facts import Facts
from engine.rules.looking import calls, words
from engine.rules.shape import Case, Proposal, Rule, code, proposal
from engine.rules.waiting import afterwards, alone, asyncio_is_used, callee, in_the_open, unique
from engine.site import Site

BLOCKING = frozenset(
    {
        "urllib.request.urlopen",
        "socket.create_connection",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "subprocess.run",
        "subprocess.check_output",
        "subprocess.check_call",
        "subprocess.call",
        "requests.get",
        "requests.head",
    }
)
"""Standard and well-known calls that wait, may run in any thread and need no loop."""

SLEEPS = frozenset({"time.sleep"})
SETTLED = frozenset({"time.sleep", "asyncio.sleep"})
LEAST_BLOCKED_NS = 1e6
LEAST_SHARE = 0.1


def find(site: Site) -> Iterator[Proposal]:
    if not site.is_coroutine or site.is_generator or site.left_alone or not asyncio_is_used(site):
        return
    share, cost = site.facts.blocked_share or 0.0, site.facts.cost_ns or 0.0
    if share < LEAST_SHARE or share * cost < LEAST_BLOCKED_NS:
        return
    for call in calls(site):
        statement = site.scopes.parents.get(call)
        if _whole_value(statement) and isinstance(statement, ast.stmt) and in_the_open(site, statement):
            yield from _propose(site, call, statement)


def _whole_value(statement: ast.AST | None) -> bool:
    """The call is all that its statement evaluates, so nothing else of it moves across the new wait."""
    if isinstance(statement, ast.Assign):
        return all(isinstance(target, ast.Name) for target in statement.targets)
    if isinstance(statement, ast.AnnAssign):
        return isinstance(statement.target, ast.Name)
    return isinstance(statement, ast.Expr | ast.Return)


def _propose(site: Site, call: ast.Call, statement: ast.stmt) -> Iterator[Proposal]:
    if any(isinstance(arg, ast.Starred) for arg in call.args) or any(k.arg is None for k in call.keywords):
        return
    values = [*call.args, *(keyword.value for keyword in call.keywords)]
    if not site.analysis.all(values).pure:
        return
    obligations = blocks(site, call)
    if obligations is None:
        return
    verdict = alone(site, afterwards(site, statement), SETTLED)
    if not verdict.good:
        return
    change = Change(site)
    thread = ast.Attribute(value=bring(change, "asyncio"), attr="to_thread", ctx=ast.Load())
    moved = ast.Call(func=thread, args=[call.func, *call.args], keywords=call.keywords)
    change.replace(call, ast.Await(moved))
    claim = f"Run {words(site, call)} in a thread while other tasks go on"
    yield from proposal(change, claim, obligations=unique([*obligations, *verdict.obligations]))


def blocks(site: Site, call: ast.Call) -> list[str] | None:
    """What must be assumed about a call that waits without the loop; None when it may not run in a thread."""
    told = ["other tasks may run at this point", "cancelling the task does not stop the thread"]
    if site.types.imported(call.func) in BLOCKING:
        return told
    inner = callee(site, call)
    if inner is None or inner.is_coroutine or not _sleeps(inner):
        return None
    verdict = alone(inner, inner.node.body, SLEEPS)
    return [*told, *verdict.obligations] if verdict.good else None


def _sleeps(inner: Site) -> bool:
    """Whether the function really waits somewhere itself."""
    return any(inner.types.imported(call.func) in SLEEPS for call in calls(inner))


BLOCKED = Facts(arg_types={"order": {"builtins.str": 9}}, blocked_share=0.7, waiting_share=0.25, cost_ns=5e6)
DRIVER = """import asyncio
import time


def label(order):
    time.sleep(0)
    return "label " + order


"""

RULE = Rule(
    id="block-thread",
    version=1,
    domain="async",
    tier="guarded",
    metric="wall",
    summary="A call that blocks in a coroutine runs in a thread",
    gain=3.0,
    find=find,
    needs=("blocked_share", "cost_ns"),
    python=(3, 9),
    examples=(
        Case(
            why="a driver that sleeps",
            source=DRIVER + "async def f(order):\n    text = label(order)\n    return text\n",
            function="f",
            expected=DRIVER
            + "async def f(order):\n    text = await asyncio.to_thread(label, order)\n    return text\n",
            facts=BLOCKED,
            inputs=("str",),
        ),
        Case(
            why="a standard call that waits",
            source="import asyncio\nimport socket\n\n\nasync def f(order):\n    return socket.gethostbyname(order)\n",
            function="f",
            expected=code("""
                import asyncio
                import socket


                async def f(order):
                    return await asyncio.to_thread(socket.gethostbyname, order)
            """),
            facts=BLOCKED,
        ),
    ),
    refuses=(
        Case(
            why="it computes: a thread would not help, a busy machine hides that",
            source=DRIVER.replace("    time.sleep(0)\n", "")
            + "async def f(order):\n    return label(order)\n",
            function="f",
            facts=BLOCKED,
        ),
        Case(
            why="it was not seen to block",
            source=DRIVER + "async def f(order):\n    return label(order)\n",
            function="f",
            facts=Facts(arg_types=BLOCKED.arg_types, blocked_share=0.01, waiting_share=0.9, cost_ns=5e6),
        ),
        Case(
            why="nobody measured whether it blocks",
            source=DRIVER + "async def f(order):\n    return label(order)\n",
            function="f",
            facts=Facts(arg_types=BLOCKED.arg_types),
        ),
        Case(
            why="what runs in the thread changes something shared",
            source=DRIVER.replace("    time.sleep(0)\n", "    time.sleep(0)\n    order.append(1)\n")
            + "async def f(order):\n    return label(order)\n",
            function="f",
            facts=Facts(arg_types={"order": {"builtins.list": 2}}, blocked_share=0.7, cost_ns=5e6),
        ),
        Case(
            why="a lock is held",
            source=DRIVER + "async def f(order, lock):\n    with lock:\n        return label(order)\n",
            function="f",
            facts=BLOCKED,
        ),
        Case(
            why="shared state is looked at afterwards",
            source=DRIVER
            + "async def f(self, order):\n    text = label(order)\n    return text + self.name\n",
            function="f",
            facts=BLOCKED,
        ),
        Case(
            why="a connection that belongs to one thread",
            source="import asyncio\n\n\nasync def f(order, base):\n    return base.execute(order)\n",
            function="f",
            facts=BLOCKED,
        ),
    ),
)
