"""The benign neighbours of the traps: a rule that is too shy to take them would be of no use."""

from __future__ import annotations

import textwrap

import pytest

from engine.edit import apply
from engine.facts import Facts
from engine.rules import proposals
from engine.site import build_site
from tests.engine.rules.test_traps import FACTS, INTS

NEIGHBOURS = {
    "a list made here, while another one grows": (
        "factor = len(xs) * 2",
        """
        def f(xs, g):
            out = []
            i = 0
            while i < len(xs) * 2:
                out.append(i)
                i += 1
            return out
        """,
    ),
    "a list of its own survives calls of anything": (
        "factor = len(a) + 2",
        """
        def f(xs, g):
            a = [x for x in xs]
            i = 0
            while i < len(a) + 2:
                g(i)
                i += 1
            return a
        """,
    ),
    "numbers survive calls of anything": (
        "factor = n * n * 3",
        """
        def f(xs, n, g):
            for x in xs:
                g(x + n * n * 3)
        """,
    ),
    "a dict changes, the list does not": (
        "xs_count = len(xs)",
        """
        def f(xs, ys, d):
            for y in ys:
                d["a"] = y % len(xs)
            return d
        """,
    ),
    "a matrix is read only": (
        "rows_count",
        """
        def f(rows):
            total = 0
            for i in range(len(rows)):
                for j in range(len(rows)):
                    total += rows[i][j] * len(rows)
            return total
        """,
    ),
    "an attribute of a plain class of the file": (
        "factor = self.scale * 2",
        """
        class Box:
            def __init__(self, scale):
                self.scale = scale

            def f(self, xs):
                i = 0
                while self.scale * 2 > i:
                    i += 1
                return i
        """,
    ),
    "membership in a nested loop": (
        "members = set(ss)",
        """
        def f(ss, ts, n):
            hits = 0
            for i in range(n):
                for t in ts:
                    if t in ss:
                        hits += 1
            return hits
        """,
    ),
    "membership in any": (
        "any(t in members for t in ts)",
        """
        def f(ss, ts):
            return any(t in ss for t in ts)
        """,
    ),
    "join of words": (
        '" ".join([s.strip() for s in ss if s])',
        """
        def f(ss):
            return " ".join(s.strip() for s in ss if s)
        """,
    ),
    "a sum in a test": (
        "if sum(x * x for x in xs) > 3",
        """
        def f(xs):
            if sum([x * x for x in xs]) > 3:
                return 1
            return 0
        """,
    ),
    "the first pair of a dict": (
        "list(islice(d.items(), 0, 1))[0]",
        """
        def f(d):
            return list(d.items())[0]
        """,
    ),
    "numbered lines of a file": (
        "for number, line in enumerate(log):",
        """
        def f(log):
            out = {}
            for number, line in enumerate(log.readlines()):
                out[number] = line.rstrip()
            return out
        """,
    ),
    "a gather of calls through another coroutine": (
        "await asyncio.gather(*[ask(x, n) for x in few])",
        """
        import asyncio

        PAUSE = 0.01

        async def pause():
            await asyncio.sleep(PAUSE)

        async def ask(x, n):
            await pause()
            parts = []
            for i in range(3):
                parts.append(x * i)
            return sum(parts) + n

        async def f(few, n):
            answers = [await ask(x, n) for x in few]
            return max(answers)
        """,
    ),
    "a sleep, then only its own": (
        "await asyncio.sleep(0.1)",
        """
        import asyncio
        import time

        async def f(s, n):
            words = s.split()
            time.sleep(0.1)
            words.append("last")
            return [word.upper() for word in words], n * 2
        """,
    ),
}


@pytest.mark.parametrize("why", NEIGHBOURS)
def test_it_is_taken(why: str) -> None:
    expected, text = NEIGHBOURS[why]
    source = textwrap.dedent(text).lstrip("\n").encode()
    qualname = "Box.f" if b"class Box" in source else "f"
    types = {
        **FACTS.arg_types,
        "few": {INTS: 9},
        "self": {"pkg.mod.Box": 9},
        "self.scale": {"builtins.int": 9},
    }
    facts = Facts(**{**FACTS.__dict__, "arg_types": types})
    site = build_site(source=source, path="pkg/mod.py", qualname=qualname, facts=facts)
    found = [apply(site, each).decode() for _, each in proposals(site, domain="deep")]
    assert any(expected in text for text in found), found
