"""Sites: reading files, scopes, exact types, and what code may do. Doubt must always count against."""

from __future__ import annotations

import ast
import contextlib

import pytest

from engine.facts import Facts, from_index
from engine.site import Site, SiteError, build_site, survey
from engine.site.binding import bound_before
from engine.site.kinds import Kind, names, observed, parse, words_of

FACTS = Facts(
    arg_types={
        "xs": {"builtins.list[builtins.int]": 3, "builtins.list": 1},
        "ys": {"builtins.list[builtins.str]": 1},
        "n": {"builtins.int": 3},
        "r": {"builtins.float": 3},
        "s": {"builtins.str": 3},
        "d": {"builtins.dict[builtins.str, builtins.list[builtins.int]]": 3},
        "m": {"builtins.list[builtins.list[builtins.float]]": 3},
        "e": {"builtins.int": 1, "builtins.str": 1},
        "u": {"pkg.mod.Thing": 1},
    },
    sizes={"xs": (0, 9)},
)


def site(source: str | bytes, qualname: str = "f", facts: Facts = FACTS) -> Site:
    raw = source.encode() if isinstance(source, str) else source
    return build_site(source=raw, path="pkg/mod.py", qualname=qualname, facts=facts)


def result(expression: str, before: str = "", head: str = "") -> tuple[Site, ast.expr]:
    """The site of a function that returns ``expression``, and that expression."""
    lines = "".join(f"    {line}\n" for line in before.split("\n") if line)
    here = site(f"{head}\ndef f(xs, ys, n, r, s, d, m, e, u, v=None):\n{lines}    return {expression}\n")
    node = here.node.body[-1]
    assert isinstance(node, ast.Return)
    assert node.value is not None
    return here, node.value


def kinds(expression: str, before: str = "", head: str = "") -> set[str] | None:
    here, node = result(expression, before, head)
    found = here.types.of(node)
    return None if found is None else set(names(found))


def judged(expression: str, before: str = "", head: str = "") -> str:
    here, node = result(expression, before, head)
    found = here.analysis.judge(node)
    return "total" if found.total else "pure" if found.pure else "mild" if found.mild else "effect"


class TestReading:
    def test_the_function_that_is_meant(self) -> None:
        source = "class A:\n    def f(self):\n        def g():\n            return 1\n        return g\n"
        assert isinstance(site(source, "A.f.<locals>.g").node, ast.FunctionDef)
        assert site(source, "<module>").is_module

    @pytest.mark.parametrize(
        ("source", "qualname", "why"),
        [
            (b"def f(:\n", "f", "cannot read"),
            (b"x = 1\n\ny = 2\nz = '\xff'\n", "<module>", "not text"),
            (b"# coding: no-such\n", "<module>", "encoding"),
            (b"x = 1\0\n", "<module>", "null"),
            (b"x = 1\n", "f", "defined 0 times"),
            (b"if 1:\n    def f(): ...\nelse:\n    def f(): ...\n", "f", "defined 2 times"),
            (b"class f: ...\n", "f", "not a function"),
            (b"x = 1\n" * 400_000, "<module>", "larger"),
        ],
    )
    def test_what_cannot_be_read_says_why(self, source: bytes, qualname: str, why: str) -> None:
        with pytest.raises(SiteError, match=why):
            site(source, qualname)

    def test_deep_nesting_is_no_fault(self) -> None:
        with contextlib.suppress(SiteError):
            site("x = " + "(" * 150 + "1" + ")" * 150 + "\n" + "y = " + "-" * 3000 + "1\n", "<module>")


class TestKinds:
    @pytest.mark.parametrize(
        "words",
        [
            "builtins.int",
            "builtins.list[builtins.int]",
            "builtins.dict[builtins.str, builtins.list[builtins.float]]",
            "builtins.list[builtins.int|builtins.str]",
            "builtins.list",
            "pkg.mod.Outer.Inner",
        ],
    )
    def test_words_are_read_and_written_back(self, words: str) -> None:
        assert words_of(parse(words)) == words

    def test_an_empty_list_adds_no_element(self) -> None:
        assert observed({"builtins.list": 1, "builtins.list[builtins.int]": 2}) == parse(
            "builtins.list[builtins.int]"
        )

    def test_a_container_too_deep_to_have_been_looked_into_is_unknown(self) -> None:
        (outer,) = parse("builtins.list[builtins.list[builtins.list]]") or ()
        assert outer.items[0] is not None
        (middle,) = outer.items[0]
        assert middle.items[0] == frozenset({Kind("list", (None,))})

    def test_nothing_observed_is_unknown(self) -> None:
        assert observed({}) is observed(None) is parse("a[b") is None or parse("a[b") is not None
        assert observed({}) is None

    def test_facts_come_from_a_row_of_recordings(self) -> None:
        row = {
            "calls": 7,
            "repeat_rate": 0.5,
            "args": {
                "xs": {"types": {"builtins.list": 7}, "min_size": 0, "max_size": 9},
                "n": {"min_value": 1, "max_value": 2},
            },
            "locals": {"k": {"types": {"builtins.int": 1}}},
            "returns": {"types": {"builtins.str": 7}},
        }
        facts = from_index(row, cost_ns=3.0, nonsense=1)
        assert (facts.largest("xs"), facts.values["n"], facts.calls, facts.cost_ns) == (9, (1, 2), 7, 3.0)
        assert facts.locals == {"k": {"builtins.int": 1}}

    def test_a_damaged_row_gives_fewer_facts(self) -> None:
        facts = from_index(
            {"args": ["?"], "calls": "many", "returns": 3, "repeat_rate": "x", "locals": {"a": 1}}
        )
        assert (facts.arg_types, facts.calls, facts.returns, facts.repeat_rate) == ({}, 0, {}, None)
        assert facts.largest("xs") is None


class TestTypes:
    @pytest.mark.parametrize(
        ("expression", "expected"),
        [
            ("n + 1", {"int"}), ("n + r", {"float"}), ("n / 2", {"float"}), ("n ** 2", {"int"}), ("n ** -1", None),
            ("n ** n", None), ("r ** 2", {"float"}), ("-True", {"int"}), ("s + 'a'", {"str"}), ("xs + xs", {"list"}),
            ("n < 2", {"bool"}), ("u < 2", None), ("n in xs", {"bool"}), ("xs[0]", {"int"}), ("xs[1:]", {"list"}),
            ("xs[s]", None), ("d['a']", {"list"}), ("d['a'][0]", {"int"}), ("m[0][0] * 2.0", {"float"}),
            ("s.split()[0]", {"str"}), ("[x for x in xs][0]", {"int"}), ("len(u)", {"int"}), ("sum(xs)", {"int"}),
            ("sum(u)", None), ("max(r, 1.5)", {"float"}), ("sorted(ys)[0]", {"str"}), ("f'{u}'", {"str"}),
            ("n if s else r", {"int", "float"}), ("e", {"int", "str"}), ("v", None), ("u.size", None),
            ("{n: s}[1]", {"str"}), ("d.get('a')", {"list", "NoneType"}), ("u + 1", None), ("'%d' % n", {"str"}),
            ("abs(n)", {"int"}), ("round(r)", {"int"}), ("u()", None), ("n & 1", {"int"}), ("s * n", {"str"}),
        ],
    )  # fmt: skip
    def test_of_expressions(self, expression: str, expected: set[str] | None) -> None:
        assert kinds(expression) == expected

    @pytest.mark.parametrize(
        ("before", "name", "expected"),
        [
            ("k = 0\nfor x in xs:\n    k += x", "k", {"int"}),
            ("k = 0\nfor x in xs:\n    k += x / 2", "k", {"int", "float"}),
            ("k = 0\nfor x in u:\n    k += x", "k", None),
            ("k = 0\nfor x in xs:\n    k = [k]", "k", {"int", "list"}),
            ("k, j = 1, 'a'", "k", {"int", "str"}),
            ("for i, (k, j) in enumerate(d.items()): pass", "k", {"str"}),
            ("for k, j in d.items(): pass", "k", {"str"}),
            ("for i, k in enumerate(ys): pass", "k", {"str"}),
            ("for i, k in zip(xs, ys): pass", "k", {"str"}),
            ("if (k := len(xs)) > 2: pass", "k", {"int"}),
            ("try: pass\nexcept E as k: pass", "k", None),
            ("import k", "k", None),
            ("def k(): pass", "k", None),
            ("n = v", "n", None),
            ("k = xs\nk = 's'", "k", {"list", "str"}),
        ],
    )
    def test_of_names(self, before: str, name: str, expected: set[str] | None) -> None:
        assert kinds(name, before) == expected

    @pytest.mark.parametrize(
        ("before", "expected"),
        [
            ("a = []\na.append(1)", {"int"}),
            ("a = []\na.append(1)\na.append(s)", {"int", "str"}),
            ("a = []\na.append(v)", None),
            ("a = [1]\nu(a)", None),
            ("a = [1]\nb = a\nb.append(u)", None),
            ("a = [1]\na.extend(ys)", {"int", "str"}),
            ("a = [1]\na[0] = s", {"int", "str"}),
            ("a = [1]\na[0:1] = u", None),
            ("a = [1]\na.insert(0, r)", {"int", "float"}),
            ("a = [1]\na.sort()", {"int"}),
            ("a = [1]\ndef g(): a.append(v)", None),
        ],
    )
    def test_of_elements_put_in(self, before: str, expected: set[str] | None) -> None:
        assert kinds("a[0]", before) == expected

    def test_of_module_constants(self) -> None:
        assert kinds("LIMIT", head="LIMIT = 3") == {"int"}
        assert kinds("LIMIT", head="LIMIT = 3\nLIMIT = 's'") is None
        assert kinds("LIMIT", head="LIMIT = [3]") is None
        assert kinds("LIMIT", head="def g():\n    global LIMIT\n    LIMIT = 's'\nLIMIT = 3\n") is None

    @pytest.mark.parametrize(
        "head",
        [
            "len = 3",
            "from x import len",
            "from x import *",
            "def len(x): pass",
            "def g():\n    global len\n    len = 3\n",
        ],
    )
    def test_a_builtin_that_is_replaced_is_none(self, head: str) -> None:
        assert kinds("len(xs)", head=head) is None
        assert judged("len(xs)", head=head) == "effect"

    def test_a_builtin_that_tests_patch_is_none(self) -> None:
        source = b"def f(xs):\n    return len(xs)\n"
        here = build_site(
            source=source, path="m.py", qualname="f", facts=FACTS, tests_patch=frozenset({"len"})
        )
        assert isinstance(here.node.body[0], ast.Return)
        assert here.types.of(here.node.body[0].value) is None  # type: ignore[arg-type]


class TestJudging:
    @pytest.mark.parametrize(
        ("expression", "expected"),
        [
            ("len(xs)", "total"), ("len(u)", "mild"), ("n * n + 1", "total"), ("n / 2", "pure"), ("n // n", "pure"),
            ("r * r", "total"), ("n * r", "pure"), ("u * 2", "mild"), ("s.lower().strip()", "total"),
            ("s.index('a')", "pure"), ("s.join(ys)", "pure"), ("s.join(u)", "mild"), ("xs[0]", "pure"),
            ("xs[1:]", "total"),
            ("xs[::2]", "effect"), ("u[0]", "mild"), ("d['a']", "pure"), ("d[u]", "mild"), ("sorted(xs)", "total"),
            ("sorted(m)", "mild"), ("sorted(xs, key=u)", "effect"), ("max(xs)", "pure"), ("max(n, 2)", "total"),
            ("set(ys)", "total"), ("set(m)", "mild"), ("print(n)", "effect"), ("u()", "effect"), ("u.x", "mild"),
            ("xs.append(1)", "effect"), ("[x + 1 for x in xs]", "total"), ("[x / 1 for x in xs]", "pure"),
            ("[x for x in u]", "mild"), ("(yield)", "effect"), ("(k := 1)", "effect"), ("n in xs", "total"),
            ("u in xs", "mild"), ("n in m", "mild"), ("xs == xs", "total"), ("m == m", "mild"), ("u == 1", "mild"),
            ("u is None", "total"), ("not n", "total"), ("not u", "mild"), ("n if u else 1", "mild"),
            ("isinstance(n, int)", "total"), ("isinstance(v, int)", "mild"), ("{u: 1}", "mild"), ("{n: u}", "total"),
            ("f'{s}'", "total"), ("f'{n:d}'", "pure"), ("f'{u}'", "mild"), ("lambda: u()", "total"), ("k", "pure"),
            ("len(range(n))", "pure"), ("range(n)", "total"), ("int(s)", "pure"), ("reversed(xs)", "total"),
            ("reversed({1})", "mild"), ("zip(xs, u)", "mild"), ("dict(**d)", "effect"),
        ],
    )  # fmt: skip
    def test_expressions(self, expression: str, expected: str) -> None:
        assert judged(expression) == expected

    def test_listed_functions_of_modules(self) -> None:
        assert judged("math.sqrt(n)", head="import math") == "pure"
        assert judged("math.fabs(r)", head="import math") == "total"
        assert judged("root(n)", head="from math import sqrt as root") == "pure"
        assert judged("math.sqrt(n)", head="import math\nmath = 3") == "effect"
        assert judged("math.sqrt(n)", head="import mymath as math") == "effect"
        assert judged("math.sqrt(u)", head="import math") == "mild"

    @pytest.mark.parametrize(
        ("before", "expected"),
        [
            ("a = 1", True),
            ("if n:\n    a = 1", False),
            ("for a in xs: pass", False),
            ("while (a := n): pass", True),
            ("try:\n    a = 1\nexcept E: pass", False),
            ("with u as a: pass", True),
            ("a = 1\ndel a", False),
            ("n and (a := 1)", False),
            ("def a(): pass", True),
            ("match n:\n    case [a]: pass", False),
        ],
    )
    def test_surely_bound(self, before: str, expected: bool) -> None:
        here, node = result("a", before)
        assert bound_before(here.scopes, "a", here.analysis.own, node) is expected


class TestEffects:
    def untouched(self, expression: str, body: str, before: str = "") -> bool:
        """Whether ``expression`` stays the same while ``body`` runs."""
        here, node = result(
            expression, f"{before}\nwhile n:\n" + "\n".join(f"    {line}" for line in body.split("\n"))
        )
        loop = here.node.body[-2]
        return here.analysis.untouched(node, here.analysis.effects([loop]))

    @pytest.mark.parametrize(
        "body", ["xs.append(1)", "xs = []", "xs[0] = 1", "xs += [1]", "del xs[0]", "u()", "u.x = 1", "u + 1",
                 "import k", "for xs in ys: pass", "with u: pass",
                 "ys.append('a')", "[0 for xs[0] in ys]", "(xs := [])", "u[0]"]
    )  # fmt: skip
    def test_a_list_that_may_change(self, body: str) -> None:
        assert not self.untouched("len(xs)", body)

    @pytest.mark.parametrize(
        "body",
        ["k = len(xs)", "n += 1", "d['a'] = xs", "print", "[x for x in xs]", "k = s.lower()", "a.append(1)"],
    )
    def test_a_list_that_cannot(self, body: str) -> None:
        assert self.untouched("len(xs)", body, "a = []")

    def test_numbers_live_through_anything_but_their_name(self) -> None:
        assert self.untouched("n * n", "u(); u.x = 3")
        assert not self.untouched("n * n", "n = 3")
        assert not self.untouched("n * n", "for n in xs: pass")

    @pytest.mark.parametrize(
        ("before", "expected"),
        [
            ("a = []\na.append(1)", True),
            ("a = b = []", False),
            ("a = []\nb = a", False),
            ("a = []\nu(a)", False),
            ("a = []\nu.extend(a)", False),
            ("a = []\nxs.extend(a)", True),
            ("a = []\nb = [a]", False),
            ("a = []\nb = lambda: a", False),
            ("a = [] if n else xs", False),
            ("a = xs", False),
            ("a = xs[:]", True),
            ("a = s.split()", True),
            ("a = u.split()", False),
            ("a = sorted(xs)\na.sort()", True),
            ("for a in m: pass", False),
            ("a, b = [], []", False),
        ],
    )
    def test_fresh(self, before: str, expected: bool) -> None:
        here, _ = result("n", before)
        assert here.analysis.fresh("a") is expected


class TestScopes:
    def test_class_names_are_not_seen_by_methods(self) -> None:
        here = site(
            "x = 1\nclass A:\n    x = 2\n    y = [x for _ in [x]]\n    def f(self):\n        return x\n",
            "A.f",
        )
        uses = here.scopes.uses_of("x", here.scopes.module)
        assert [use.lineno for use in uses if isinstance(use.ctx, ast.Load)] == [4, 6]

    def test_a_walrus_binds_outside_the_comprehension(self) -> None:
        here = site("def f(xs):\n    [k := x for x in xs]\n    return k\n")
        assert "k" in here.analysis.own.bindings

    def test_global_and_nonlocal_bind_elsewhere(self) -> None:
        here = site(
            "def f():\n    a = 1\n    def g():\n        nonlocal a\n        global b\n        a = b = 2\n"
        )
        assert len(here.analysis.own.bindings["a"]) == 2
        assert "b" in here.scopes.module.bindings
        assert here.left_alone


class TestSurvey:
    FILES = {
        "src/pkg/__init__.py": b"from .one import first\n",
        "src/pkg/one.py": b"import json\nLIMIT = 3\n\n\ndef first(): ...\n",
        "src/pkg/two.py": b"from pkg import one\nprint(one.json)\n",
        "src/pkg/loud.py": b"print('hello')\n",
        "src/pkg/uses.py": b"from . import loud\n",
        "tests/test_one.py": b"from unittest.mock import patch\n\nwith patch('pkg.one.LIMIT', 4):\n    pass\n",
        "broken.py": b"def f(:\n",
    }

    def test_names_of_modules(self) -> None:
        found = survey(self.FILES)
        assert found.module("src/pkg/one.py") == "pkg.one"
        assert found.module("src/pkg/__init__.py") == "pkg"
        assert found.submodules("pkg") == {"one", "two", "loud", "uses"}

    def test_use_from_elsewhere(self) -> None:
        found = survey(self.FILES)
        assert found.used_elsewhere("src/pkg/one.py", "first")
        assert found.used_elsewhere("src/pkg/one.py", "json")
        assert found.used_elsewhere("src/pkg/one.py", "LIMIT")
        assert not found.used_elsewhere("src/pkg/two.py", "one")
        assert "LIMIT" in found.patched("src/pkg/one.py")

    def test_quiet_modules(self) -> None:
        found = survey(self.FILES)
        assert found.quiet("pkg.one")
        assert not found.quiet("pkg.loud")
        assert not found.quiet("pkg.uses")
        assert found.quiet("json")
        assert not found.quiet("antigravity")
        assert not found.quiet("some_package_nobody_knows")
