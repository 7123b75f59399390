"""Tempting functions on which no rule at all may propose anything: each looks like an idiom and is none."""

from __future__ import annotations

import textwrap

import pytest

from engine.facts import Facts
from engine.rules import proposals
from engine.site import build_site
from tests.engine.rules.traps import OTHER_NAMES

LIST, INTS, STRS = "builtins.list", "builtins.list[builtins.int]", "builtins.list[builtins.str]"
ROWS = "builtins.list[builtins.list[builtins.int]]"
TYPES = {
    "xs": INTS,
    "ys": INTS,
    "ss": STRS,
    "ts": STRS,
    "rows": ROWS,
    "n": "builtins.int",
    "x0": "builtins.float",
    "s": "builtins.str",
    "d": "builtins.dict[builtins.str, builtins.int]",
    "objs": "builtins.list[pkg.mod.Thing]",
    "log": "_io.StringIO",
}
FACTS = Facts(
    arg_types={name: {words: 9} for name, words in TYPES.items()},
    sizes=dict.fromkeys(TYPES, (0, 300000)) | {"few": (0, 20)},
    waiting_share=0.95,
    blocked_share=0.5,
    cost_ns=1e12,
)

TRAPS = {
    **OTHER_NAMES,
    "a handler in the loop": """
        def f(xs, s):
            out = []
            for x in xs:
                try:
                    out.append(s.lower().strip())
                except AttributeError:
                    out.append(x)
            return out
    """,
    "the loop asks what it is": """
        def f(xs, s):
            out = []
            for x in xs:
                if not isinstance(s, str):
                    continue
                out.append(s.lower().strip())
            return out
    """,
    "whole numbers of any size with floats": """
        def f(xs, x0, n):
            return [x + x0 * n * 2 for x in xs]
    """,
    "the result is one of the arguments": """
        def f(rows, xs, ys):
            out = []
            for row in rows:
                out.append(max(sorted(xs), sorted(ys)))
            return out
    """,
    "the start of a sum may be the result": """
        def f(rows):
            out = []
            for row in rows:
                out.append(sum([], sorted(row)))
            return out
    """,
    "a slice is a new list each round": """
        def f(rows, xs):
            out = []
            for row in rows:
                out.append(xs[1:3])
            return out
    """,
    "not bound before the loop": """
        def f(xs, n):
            if n > 3:
                k = n
            total = 0
            for x in xs:
                total += x * (k * k * 2)
            return total
    """,
    "bound by a loop that may not run": """
        def f(xs, ys):
            for k in ys:
                pass
            total = 0
            for x in xs:
                total += x * (k * k * 2)
            return total
    """,
    "deleted in between": """
        def f(xs, n):
            total = 0
            for x in xs:
                total += x * (n * n * 2)
                if x > 3:
                    del n
            return total
    """,
    "the comprehension's own name": """
        def f(xs):
            return [x * x * 3 for x in xs]
    """,
    "a lambda runs later": """
        def f(xs, n):
            return [lambda: n * n * 3 for x in xs]
    """,
    "a generator runs later": """
        def f(xs, n):
            made = (x + n * n * 3 for x in xs)
            n = 2
            return made
    """,
    "a global may be changed by anyone": """
        LIMIT = 3
        LIMIT = LIMIT + 1

        def f(xs):
            return [x + LIMIT * LIMIT * 3 for x in xs]
    """,
    "yields in the loop": """
        def f(xs, n):
            for x in xs:
                yield x + n * n * 3
    """,
    "membership in a dict's values that change": """
        def f(ss):
            held = {}
            for s in ss:
                if s not in held.values():
                    held[s] = s
            return held
    """,
    "membership in a list of lists": """
        def f(rows, xs):
            return [row for row in rows if row in rows]
    """,
    "membership in text": """
        def f(ss, s):
            return [t for t in ss if t in s]
    """,
    "the list is sorted in the loop": """
        def f(ss, ts):
            for t in ts:
                if t in ss:
                    ss.sort()
            return ss
    """,
    "membership while the iterated list is the list": """
        def f(ss):
            for s in ss:
                if s not in ss:
                    ss.append(s)
            return ss
    """,
    "join of one's own type": """
        class Path:
            def join(self, parts):
                return list(parts)

        def f(xs):
            return Path().join(x for x in xs)
    """,
    "a walrus in the generator": """
        def f(xs):
            return sum((last := x) for x in xs), last
    """,
    "next ends the generator quietly": """
        def f(xs):
            it = iter(xs)
            return list(next(it) for _ in xs)
    """,
    "a key that may look at effects": """
        def f(xs, key):
            return max((x for x in xs), key=key)
    """,
    "all but one is no reduction": """
        def f(xs):
            return sum([x for x in xs], 3)
    """,
    "the last item": """
        def f(d):
            return list(d.values())[-1], list(d)[0:2:1], list(d)[1:]
    """,
    "reading an iterator to its end is the point": """
        def f(feed):
            return list(feed)[:3]
    """,
    "the reversed set raises": """
        def f(n):
            members = {1, 2}
            return list(reversed(members))[0]
    """,
    "a file read while another is written": """
        def f(path):
            out = []
            with open(path) as lines:
                for line in lines.readlines():
                    open(path, "w").write(line)
            return out
    """,
    "a file of unknown mode": """
        def f(path, mode):
            with open(path, mode) as lines:
                return [line for line in lines.readlines()]
    """,
    "a file that the loop hands on": """
        def f(log):
            out = []
            for line in log.readlines():
                out.append((log, line))
            return out
    """,
    "a break would hide a decode error": """
        def f(log):
            n = 0
            for line in log.readlines():
                if line == "":
                    break
                n += 1
            return n
    """,
    "readlines with a limit": """
        def f(log):
            return [line for line in log.readlines(10)]
    """,
    "frames are looked at": """
        import sys

        def f(xs):
            return list(sys._getframe() for x in xs)
    """,
    "names are shared": """
        TOTAL = 0

        def f(xs):
            global TOTAL
            TOTAL += sum([x for x in xs])
    """,
    "builtins are shadowed by a parameter": """
        def f(xs, list, sum):
            return list(x for x in xs), sum([x for x in xs])
    """,
    "builtins may come from a star": """
        from other import *

        def f(xs):
            return list(x for x in xs), sum([x for x in xs])
    """,
    "a gather of calls with a lock": """
        import asyncio

        async def ask(lock, x):
            async with lock:
                await asyncio.sleep(0)
            return x

        async def f(few, lock):
            return [await ask(lock, x) for x in few]
    """,
    "a gather of calls that count": """
        import asyncio

        COUNTS = {}

        async def ask(x):
            COUNTS[x] = COUNTS.get(x, 0) + 1
            await asyncio.sleep(0)
            return x

        async def f(few):
            return [await ask(x) for x in few]
    """,
    "a gather into a place": """
        import asyncio

        async def ask(x):
            await asyncio.sleep(0)
            return x

        async def f(few, place):
            out = []
            for place[0] in few:
                out.append(await ask(1))
            return out
    """,
    "a gather whose name lives on": """
        import asyncio

        async def ask(x):
            await asyncio.sleep(0)
            return x

        async def f(few):
            out = []
            for x in few:
                out.append(await ask(x))
            return out, x
    """,
    "a gather of a decorated call": """
        import asyncio

        def once(f):
            return f

        @once
        async def ask(x):
            await asyncio.sleep(0)
            return x

        async def f(few):
            return [await ask(x) for x in few]
    """,
    "a sleep between reading and using what others hold": """
        import asyncio
        import time

        async def f(d, s):
            time.sleep(0.1)
            return d[s]
    """,
    "a sleep before the names of an outer function are used": """
        import asyncio
        import time

        def outer(held):
            async def f(s):
                time.sleep(0.1)
                return held + s
            return f
    """,
    "a sleep in an asynchronous generator": """
        import asyncio
        import time

        async def f(xs):
            for x in xs:
                time.sleep(0.1)
                yield x
    """,
    "another sleep": """
        import asyncio
        from pkg.clock import sleep

        async def f(n):
            sleep(0.1)
            return n
    """,
    "a thread that would share a list": """
        import asyncio
        import time

        def work(held):
            time.sleep(0.1)
            held.append(1)

        async def f(few):
            work(few)
    """,
}


@pytest.mark.parametrize("why", TRAPS)
def test_nobody_falls_for_it(why: str) -> None:
    source = textwrap.dedent(TRAPS[why]).lstrip("\n")
    qualname = "outer.<locals>.f" if "def outer" in source else "f"
    types = {**FACTS.arg_types, "few": {INTS: 9}}
    facts = Facts(**{**FACTS.__dict__, "arg_types": types})
    site = build_site(source=source.encode(), path="pkg/mod.py", qualname=qualname, facts=facts)
    assert [(rule.id, each.claim) for rule, each in proposals(site, domain="deep")] == []
