"""A suite that turns warnings into errors runs under each of the probe's pytest plugins as if we were not there."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from engine.environment import Environment
from engine.measure import Workload
from engine.profile.scope import find_scope
from engine.profile.tools import Bench as Profilers
from engine.sandbox import Sandbox, probe_isolation
from engine.verify.probing import Place
from engine.verify.suite import run_suite
from tests.engine.measure.bench import PROBE, Bench, write_tree
from tests.engine.verify.house import environment

# Newer pytest warns of a plugin whose fixtures are held by a class; the repo says so itself, whatever is installed.
CONFTEST = """
import types
import warnings


def pytest_collection(session):
    for plugin in session.config.pluginmanager.get_plugins():
        own = not isinstance(plugin, types.ModuleType) and not plugin.__module__.startswith("_pytest")
        for name in dir(plugin) if own else ():
            if is_fixture(getattr(plugin, name)):
                warnings.warn("a class holds the fixture " + name)


def is_fixture(value):
    return type(value).__name__ == "FixtureFunctionDefinition" or hasattr(value, "_pytestfixturefunction")
"""
STRICT = """
import warnings

import pytest

from pkg.mod import one


def test_warnings_are_errors_here():
    with pytest.raises(DeprecationWarning):
        warnings.warn("old", DeprecationWarning)
    assert one(1) == 2
"""
BENCHMARK = (
    "from pkg.mod import one\n\n\ndef test_benchmarked(benchmark):\n    assert benchmark(one, 1) == 2\n"
)
REPO = {
    "pkg/__init__.py": "",
    "pkg/mod.py": "def one(n):\n    return n + 1\n",
    "pytest.ini": "[pytest]\nfilterwarnings = error\n",
    "conftest.py": CONFTEST,
    "tests/test_strict.py": STRICT,
    "tests/test_benchmark.py": BENCHMARK,
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "tree", REPO)


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(probe_isolation(), scratch=tmp_path / "sandbox")


@pytest.fixture
def here() -> Environment:
    return replace(environment(), installed={"pytest": "9"})


def test_the_suite_plugin_adds_no_warning(tree: Path, sandbox: Sandbox, here: Environment) -> None:
    found = run_suite(Place(sandbox, here), tree=tree, seconds=60, select=["tests/test_strict.py"]).run
    assert (found.passed, found.failed, found.errors) == (1, 0, 0), found.output


@pytest.mark.parametrize("tool", ["record", "counts", "sample", "peak", "aio"])
def test_no_profiler_adds_a_warning(tree: Path, sandbox: Sandbox, here: Environment, tool: str) -> None:
    out = tree.parent / "out"
    out.mkdir()
    bench = Profilers(scope=find_scope(tree, here), environment=here, sandbox=sandbox, out=out)
    report = bench.run(tool, seconds=60.0, all_phases=True)
    assert (report.tests, report.failed) == (2, 0), report.notes


def test_measuring_tests_adds_no_warning(tmp_path: Path, sandbox: Sandbox, here: Environment) -> None:
    bench = Bench(tmp_path, sandbox, here)
    arm = bench.arm("tree", "")
    write_tree(arm.tree, REPO)
    workload = Workload(kind="tests", id="tests", target="", recordings=None, args=("tests",), metric="cpu")
    tuning = bench.gauge._desk.ready(arm, workload)
    assert (tuning.used, tuning.recorded, tuning.more["aside"]) == (2, 2, [])


def held_fixtures(tree: ast.Module) -> list[str]:
    """Fixtures defined in, or assigned to, a class."""
    bodies = [each for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for each in node.body]
    defined = [each for each in bodies if "fixture" in "".join(map(ast.unparse, decorators(each)))]
    assigned = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and "fixture(" in ast.unparse(node.value)
    ]
    loose = [node for node in assigned if node in bodies or any(is_of_class(each) for each in node.targets)]
    return [ast.unparse(node).splitlines()[0] for node in [*defined, *loose]]


def decorators(node: ast.stmt) -> list[ast.expr]:
    return node.decorator_list if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else []


def is_of_class(target: ast.expr) -> bool:
    """Attributes of a capitalised name are attributes of a class."""
    return (
        isinstance(target, ast.Attribute)
        and isinstance(target.value, ast.Name)
        and target.value.id[:1].isupper()
    )


@pytest.mark.parametrize(
    "source",
    [
        "class Watch:\n    @pytest.fixture\n    def benchmark(self): ...\n",
        "class Watch:\n    benchmark = staticmethod(pytest.fixture(once))\n",
        "def plugin():\n    class Watch: ...\n    Watch.benchmark = bench.fixture(pytest, driver)\n",
    ],
)
def test_a_fixture_of_a_class_is_recognised(source: str) -> None:
    assert held_fixtures(ast.parse(source))


def test_no_class_of_the_probe_holds_a_fixture() -> None:
    held = {path.name: held_fixtures(ast.parse(path.read_text("utf-8"))) for path in PROBE.glob("*.py")}
    assert {name: found for name, found in held.items() if found} == {}
