"""The edit layer: only spans change, comments survive, and anything doubtful is refused."""

from __future__ import annotations

import ast
import codecs
from dataclasses import dataclass

import pytest

from engine.edit import Change, Edit, EditRefused, Intended, apply, editable
from engine.edit.fit import broken
from engine.edit.imports import bring
from engine.edit.public import surface
from engine.facts import Facts
from engine.site import Site, build_site


@dataclass(frozen=True)
class Made:
    """A proposal as far as the edit layer needs one."""

    edits: tuple[Edit, ...]
    intended: Intended


def site(source: str | bytes, qualname: str = "f", path: str = "pkg/mod.py", **facts: object) -> Site:
    raw = source.encode() if isinstance(source, str) else source
    return build_site(source=raw, path=path, qualname=qualname, facts=Facts(**facts))  # type: ignore[arg-type]


def made(change: Change) -> Made:
    return Made(tuple(change.edits), change.finish())


def nodes(here: Site, kind: type[ast.AST]) -> list[ast.AST]:
    return [node for node in ast.walk(here.tree) if isinstance(node, kind)]


def first_call(here: Site) -> ast.Call:
    found = nodes(here, ast.Call)[0]
    assert isinstance(found, ast.Call)
    return found


def named(name: str) -> ast.Name:
    return ast.Name(id=name, ctx=ast.Load())


def replaced(source: str | bytes, new: ast.expr) -> bytes:
    """Put ``new`` in place of the first call."""
    here = site(source)
    change = Change(here)
    change.replace(first_call(here), new)
    return apply(here, made(change))


def hoisted(source: str | bytes) -> bytes:
    """Put ``n = 1`` before the first loop."""
    here = site(source)
    change = Change(here)
    loop = nodes(here, ast.For)[0]
    assert isinstance(loop, ast.For)
    change.insert_before(loop, ast.parse("n = 1").body)
    return apply(here, made(change))


class TestSpans:
    def test_letters_before_the_span_are_counted_in_bytes(self) -> None:
        text = "def f(x):\n    return 'größer – 你好', g(x)  # ünd\n"
        assert replaced(text, named("x")).decode() == text.replace("g(x)", "x")

    @pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
    def test_line_endings_are_kept(self, newline: str) -> None:
        text = f"def f(xs):{newline}    for x in xs:{newline}        pass{newline}"
        new = text.replace("    for", f"    n = 1{newline}    for")
        assert hoisted(text.encode()).decode() == new

    def test_tabs_are_kept(self) -> None:
        assert (
            hoisted("def f(xs):\n\tfor x in xs:\n\t\tpass\n")
            == b"def f(xs):\n\tn = 1\n\tfor x in xs:\n\t\tpass\n"
        )

    def test_a_byte_order_mark_is_kept(self) -> None:
        text = codecs.BOM_UTF8 + "def f(x):\n    return 'ä', g(x)\n".encode()
        assert replaced(text, named("x")) == text.replace(b"g(x)", b"x")

    def test_a_coding_cookie_is_obeyed(self) -> None:
        text = "# -*- coding: latin-1 -*-\ndef f(x):\n    return 'größe', g(x)\n".encode("latin-1")
        assert replaced(text, named("x")) == text.replace(b"g(x)", b"x")

    def test_what_the_encoding_cannot_write_is_refused(self) -> None:
        text = b"# coding: latin-1\ndef f(x):\n    return g(x)\n"
        with pytest.raises(EditRefused, match="cannot be written"):
            replaced(text, ast.Constant("你"))

    def test_a_file_without_a_last_newline(self) -> None:
        assert replaced("def f(x):\n    return g(x)", named("x")) == b"def f(x):\n    return x"

    def test_parentheses_outside_the_span_stay(self) -> None:
        assert replaced("def f(x):\n    return (g(x))\n", named("x")) == b"def f(x):\n    return (x)\n"

    def test_what_is_not_an_atom_is_wrapped_where_it_must_be(self) -> None:
        new = ast.BinOp(left=named("x"), op=ast.Add(), right=ast.Constant(1))
        assert replaced("def f(x):\n    return g(x) * 2\n", new) == b"def f(x):\n    return (x + 1) * 2\n"
        assert replaced("def f(x):\n    return g(x).y\n", new) == b"def f(x):\n    return (x + 1).y\n"
        assert replaced("def f(x):\n    return h[g(x)]\n", new) == b"def f(x):\n    return h[x + 1]\n"

    def test_original_parts_keep_their_words(self) -> None:
        here = site("def f(x):\n    return g('a', (0x10))\n")
        call, change = first_call(here), Change(here)
        change.replace(call, ast.Call(func=named("h"), args=[*call.args, ast.Constant(2)], keywords=[]))
        assert apply(here, made(change)) == b"def f(x):\n    return h('a', 0x10, 2)\n"

    def test_an_f_string_is_refused(self) -> None:
        with pytest.raises(EditRefused, match="f-string"):
            replaced("def f(x):\n    return f'ä{g(x)}'\n", named("x"))


class TestLines:
    def test_new_lines_go_above_comments_of_the_statement(self) -> None:
        text = "def f(xs):\n    a = 1\n    # all\n    # of them\n    for x in xs:\n        pass\n"
        assert hoisted(text).decode() == text.replace("    # all", "    n = 1\n    # all")

    @pytest.mark.parametrize(
        "text",
        [
            "def f(xs): \n    a = 1; \\\n    b = 2\n    if a: pass\n    c = 1; d = [x for x in xs]\n",
            "def f(xs):\n    if xs: d = [x for x in xs]\n",
            "def f(xs):\n    if xs:\n        pass\n    elif [x for x in xs]:\n        pass\n",
        ],
        ids=["semicolon", "one-line if", "elif"],
    )
    def test_statements_that_share_a_line_are_refused(self, text: str) -> None:
        here = site(text)
        comprehension = nodes(here, ast.ListComp)[0]
        statement = next(each for each in here.scopes.chain(comprehension) if isinstance(each, ast.stmt))
        with pytest.raises(EditRefused, match="line"):
            Change(here).insert_before(statement, ast.parse("n = 1").body)

    def test_removing_a_line_with_a_comment_is_refused(self) -> None:
        here = site("import os  # for later\nimport re\n\n\ndef f():\n    return re\n")
        change = Change(here)
        change.remove(here.tree.body[0])
        with pytest.raises(EditRefused, match="comment"):
            apply(here, made(change))

    def test_a_removed_line_between_empty_ones_takes_one_along(self) -> None:
        here = site("x = 1\n\nimport os\n\n\ndef f():\n    return 1\n")
        change = Change(here)
        change.remove(here.tree.body[1])
        change.hidden.add("os")
        assert apply(here, made(change)) == b"x = 1\n\n\ndef f():\n    return 1\n"

    def test_a_comment_inside_a_span_is_refused(self) -> None:
        with pytest.raises(EditRefused, match="comment"):
            replaced("def f(x):\n    return g(  # why\n        x)\n", named("x"))

    def test_a_hash_in_a_text_is_no_comment(self) -> None:
        assert replaced("def f(x):\n    return g('# no')\n", named("x")) == b"def f(x):\n    return x\n"

    def test_long_lines_are_broken_at_a_bracket(self) -> None:
        source = f"def f(x):\n    {'long_name' * 6} = g(x)\n"
        new = ast.Call(func=named("other"), args=[named("argument" * 3), named("more" * 5)], keywords=[])
        text = replaced(source, new).decode()
        assert max(len(line) for line in text.splitlines()) <= 79
        assert "= other(\n        argument" in text

    def test_a_line_without_brackets_stays_long(self) -> None:
        line = "    a = " + "b + " * 40 + "c"
        assert broken(line, 79) == [line]


class TestChecks:
    def test_another_program_than_intended_is_refused(self) -> None:
        here = site("def f(x):\n    return g(x)\n")
        change = Change(here)
        change.replace(first_call(here), named("x"), text="y")
        with pytest.raises(EditRefused, match="another program"):
            apply(here, made(change))

    def test_what_cannot_be_read_is_refused(self) -> None:
        here = site("def f(x):\n    return g(x)\n")
        change = Change(here)
        change.replace(first_call(here), named("x"), text="(x")
        with pytest.raises(EditRefused, match="cannot be read"):
            apply(here, made(change))

    def test_overlapping_edits_are_refused(self) -> None:
        here = site("def f(x):\n    return g(h(x))\n")
        change = Change(here)
        outer, inner = (each for each in nodes(here, ast.Call) if isinstance(each, ast.Call))
        change.replace(outer, named("a"))
        change.replace(inner, named("b"))
        with pytest.raises(EditRefused, match="overlap"):
            apply(here, made(change))

    def test_no_edit_is_refused(self) -> None:
        here = site("def f(x):\n    return g(x)\n")
        with pytest.raises(EditRefused, match="nothing"):
            apply(here, made(Change(here)))

    def test_what_does_not_compile_is_refused(self) -> None:
        with pytest.raises(EditRefused, match="compile"):
            replaced("def f(x):\n    return g(x)\n", ast.Await(named("x")))

    def test_syntax_too_new_for_the_target_is_refused(self) -> None:
        here = site("def f(x):\n    return g(x)\n", python=(3, 7))
        change = Change(here)
        walrus = ast.NamedExpr(target=ast.Name(id="y", ctx=ast.Store()), value=named("x"))
        change.replace(first_call(here), walrus, text="(y := x)")
        with pytest.raises(EditRefused, match="compile"):
            apply(here, made(change))

    def test_public_names_may_not_go(self) -> None:
        here = site("import os\nLIMIT = 3\n\n\ndef f():\n    return 1\n")
        for number in (0, 1):
            change = Change(here)
            change.remove(here.tree.body[number])
            with pytest.raises(EditRefused, match="public name"):
                apply(here, made(change))

    def test_a_signature_may_not_change(self) -> None:
        here = site("def f(x, y=g(1)):\n    return x\n")
        change = Change(here)
        change.replace(first_call(here), ast.Constant(2))
        with pytest.raises(EditRefused, match="public name f"):
            apply(here, made(change))

    def test_the_tree_of_the_site_is_left_as_it_was(self) -> None:
        here = site("def f(xs):\n    for x in xs:\n        g(x)\n")
        before = ast.dump(here.tree)
        change = Change(here)
        change.replace(first_call(here), named("x"))
        change.insert_before(nodes(here, ast.For)[0], ast.parse("n = 1").body)  # type: ignore[arg-type]
        apply(here, made(change))
        assert ast.dump(here.tree) == before


def test_surface_sees_classes_branches_and_served_names() -> None:
    source = (
        "import os\n_EXPORTS = {'late': 'x'}\n\n\ndef __getattr__(name):\n    return _EXPORTS[name]\n\n\n"
        "class C(Base):\n    size = 1\n\n    def go(self, x): ...\n\n\nif os:\n    A = 1\nelse:\n    A = 2\n"
    )
    found = surface(ast.parse(source))
    assert {"os", "late", "C", "C.size", "C.go", "A"} <= set(found)
    assert found["C"] == "class(Base)"
    assert found["C.go"] == "def(self, x)"


class TestNames:
    def test_a_new_name_is_free_in_every_scope_touched(self) -> None:
        source = "members = 1\n\n\ndef f(xs):\n    def inner():\n        return known\n"
        source += "    return [m for m in xs if inner()]\n"
        change = Change(site(source))
        assert change.fresh_name("members", "known", "m", "row") == "row"
        assert change.fresh_name("row", "list") == "row_2"


class TestImports:
    def bring(self, source: str, module: str, name: str = "") -> str:
        here = site(source)
        change = Change(here)
        change.replace(first_call(here), bring(change, module, name))
        return apply(here, made(change)).decode()

    BODY = "\n\ndef f(x):\n    return g(x)\n"

    def test_an_import_that_is_there_is_used(self) -> None:
        assert "return islice" in self.bring(
            "from itertools import islice\n" + self.BODY, "itertools", "islice"
        )
        assert "return cut" in self.bring(
            "from itertools import islice as cut\n" + self.BODY, "itertools", "islice"
        )
        assert "return itertools.islice" in self.bring(
            "import itertools\n" + self.BODY, "itertools", "islice"
        )

    def test_it_joins_names_in_order(self) -> None:
        text = self.bring("from itertools import chain, zip_longest\n" + self.BODY, "itertools", "islice")
        assert text.startswith("from itertools import chain, islice, zip_longest\n")
        text = self.bring(
            "from itertools import (\n    repeat,\n    chain,\n)\n" + self.BODY, "itertools", "islice"
        )
        assert text.startswith("from itertools import (\n    repeat,\n    chain, islice,\n)\n")

    def test_it_is_sorted_into_the_block(self) -> None:
        text = self.bring("import abc\nimport os\nfrom re import match\n" + self.BODY, "asyncio")
        assert text.startswith("import abc\nimport asyncio\nimport os\n")

    def test_it_comes_after_the_docstring_and_the_future(self) -> None:
        text = self.bring('"""Words."""\n\nfrom __future__ import annotations\n' + self.BODY, "asyncio")
        assert text.startswith(
            '"""Words."""\n\nfrom __future__ import annotations\n\n\nimport asyncio\n\n\ndef f'
        )

    @pytest.mark.parametrize(
        "head",
        [
            "asyncio = 1\n",
            "try:\n    import asyncio\nexcept ImportError:\n    asyncio = None\n",
            "from os import *\n",
        ],
    )
    def test_a_name_that_is_taken_is_refused(self, head: str) -> None:
        with pytest.raises(EditRefused, match="taken"):
            self.bring(head + self.BODY, "asyncio")


@pytest.mark.parametrize(
    "path", ["pkg/mod.py", "mod.py", "src/pkg/tools/cut.py", "src/pkg/config.py", "pkg/contest.py"]
)
def test_code_is_editable(path: str) -> None:
    assert editable(path)


@pytest.mark.parametrize(
    "path",
    [
        "tests/helpers.py", "pkg/tests/test_x.py", "test_x.py", "pkg/x_test.py", "conftest.py", "benchmarks/b.py",
        "pkg/bench_x.py", "setup.py", "docs/conf.py", "noxfile.py", ".github/run.py", "pyproject.toml", "pkg/data.csv",
        "../mod.py", "/etc/mod.py", "scripts/x.py", "pkg/migrations/0001_x.py", "pkg/_vendor/six.py",
    ],
)  # fmt: skip
def test_tests_benchmarks_and_configuration_are_not(path: str) -> None:
    assert not editable(path)
    if path.endswith(".py"):
        here = site("def f(x):\n    return g(x)\n", path=path)
        change = Change(here)
        change.replace(first_call(here), named("x"))
        with pytest.raises(EditRefused, match="test, benchmark or configuration"):
            apply(here, made(change))
