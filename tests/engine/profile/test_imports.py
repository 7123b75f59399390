"""Reading the interpreter's own import timing, and what counts as part of the repo."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.profile.imports import least, parse
from engine.profile.scope import find_scope, module_name
from tests.engine.profile import shop
from tests.engine.profile.conftest import surroundings

TEXT = """\
import time: self [us] | cumulative | imported package
import time:       100 |        100 |     json.decoder
import time:        50 |        150 |   json
import time:        20 |        170 | pkg
some other line
import time:         5 |          5 | pkg.late
"""


def test_children_come_before_their_parent() -> None:
    first, second = parse(TEXT)
    assert (first.name, first.own, first.total) == ("pkg", 20000, 170000)
    assert [child.name for child in first.children] == ["json"]
    assert [child.name for child in first.children[0].children] == ["json.decoder"]
    assert second.name == "pkg.late"
    assert parse("nothing of the kind") == []


def test_the_least_of_two_runs_is_taken_module_by_module() -> None:
    other = TEXT.replace("       100 |        100", "        60 |         60").replace("  20 |", "  90 |")
    (first, _) = least(parse(TEXT), parse(other))
    assert (first.own, first.children[0].children[0].own) == (20000, 60000)
    assert first.total == 130000


@pytest.mark.parametrize(
    ("path", "roots", "name"),
    [
        ("src/shop/a.py", ("src",), "shop.a"),
        ("src/shop/__init__.py", ("src",), "shop"),
        ("shop/a.py", (".",), "shop.a"),
        ("one.py", (".",), "one"),
        ("lib/python/shop/a.py", ("lib", "lib/python"), "shop.a"),
    ],
)
def test_module_names_follow_the_longest_import_root(path: str, roots: tuple[str, ...], name: str) -> None:
    assert module_name(path, roots) == name


def test_the_scope_tells_suites_from_plain_benchmarks(tmp_path: Path) -> None:
    tree = shop.write(tmp_path, benchmarks=True)
    scope = find_scope(tree, surroundings(benchmarks=("benchmarks",)))
    assert scope.benchmark_args == ("benchmarks/test_speed.py",)
    assert scope.benchmark_files == ("benchmarks/bench_shop.py",)
    assert scope.roots == ("src/shop",)
    assert scope.has_async
    assert [phase["source"] for phase in scope.phases()] == ["benchmark", "test"]


def test_without_packages_everything_but_tests_is_the_product(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def (:\n")
    scope = find_scope(tmp_path, surroundings(packages=(), test_args=(), benchmarks=("broken.py",)))
    assert (scope.roots, scope.test_args, scope.benchmark_files) == ((), (".",), ())
