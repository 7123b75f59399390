"""Where a repository keeps its packages, tests and benchmarks."""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from engine.environment.reading import read_text, string, strings, table

NOT_PACKAGES = {
    "benchmark", "benchmarks", "bench", "build", "dist", "doc", "docs", "example", "examples", "perf", "requirements",
    "samples", "scripts", "test", "testing", "tests", "tools", "utils", "venv", "env", "node_modules", "site",
}  # fmt: skip
NOT_MODULES = {
    "setup",
    "conftest",
    "noxfile",
    "tasks",
    "fabfile",
    "manage",
    "versioneer",
    "docs",
    "run_tests",
    "runtests",
}
TEST_FOLDERS = ("tests", "test", "testing")
BENCHMARK_FOLDERS = ("benchmarks", "benchmark", "bench", "perf", "performance")
# Options of addopts that belong to a plugin; without it pytest would not even start.
PLUGIN_OPTIONS = (
    (re.compile(r"--(no-)?cov(-.*)?(=.*)?$"), "pytest-cov"),
    (re.compile(r"(-n|--numprocesses|--dist|--maxprocesses)(=.*)?$|-n(auto|logical|\d+)$"), "pytest-xdist"),
    (re.compile(r"--benchmark-.*"), "pytest-benchmark"),
    (re.compile(r"--timeout(-.*)?(=.*)?$"), "pytest-timeout"),
    (re.compile(r"--asyncio-mode(=.*)?$"), "pytest-asyncio"),
    (re.compile(r"--reruns(-.*)?(=.*)?$"), "pytest-rerunfailures"),
    (re.compile(r"--(mypy|flake8|black|isort|ruff|pylint)(-.*)?$"), "pytest-linters"),
    (re.compile(r"--randomly-.*"), "pytest-randomly"),
    (re.compile(r"--(html|self-contained-html)(=.*)?$"), "pytest-html"),
    (re.compile(r"--ds(=.*)?$"), "pytest-django"),
    (re.compile(r"--doctest-(plus|rst)$"), "pytest-doctestplus"),
)
WITH_VALUE = {
    "-n",
    "--numprocesses",
    "--dist",
    "--timeout",
    "--asyncio-mode",
    "--reruns",
    "--cov",
    "--ds",
    "--html",
}


def import_roots(tree: Path, project: Mapping[str, Any]) -> tuple[str, ...]:
    """Folders to put on the module path, relative: what the build tables say, else ``src``, else the tree itself."""
    found = [string(table(project, "tool", "setuptools", "package-dir").get(""))]
    found += strings(table(project, "tool", "setuptools", "packages", "find").get("where"))
    packages = table(project, "tool", "poetry").get("packages")
    found += [string(item.get("from")) for item in packages or () if isinstance(item, dict)]
    found.append(_cfg_root(tree))
    named = [root for root in dict.fromkeys(found) if root and root != "." and _inside(tree, root)]
    if named:
        return tuple(named)
    source = tree / "src"
    if source.is_dir() and not (source / "__init__.py").exists() and _has_code(source):
        return ("src",)
    lib = tree / "lib"
    return ("lib",) if lib.is_dir() and _package_names(lib) and not _package_names(tree) else (".",)


def _cfg_root(tree: Path) -> str:
    match = re.search(
        r"^package_dir\s*=\s*\n?\s*=\s*(\S+)", read_text(tree / "setup.cfg") or "", re.MULTILINE
    )
    return match[1] if match else ""


def _inside(tree: Path, root: str) -> bool:
    path = (tree / root).resolve()
    return path.is_dir() and path.is_relative_to(tree.resolve())


def _has_code(folder: Path) -> bool:
    return any(folder.glob("*.py")) or any(folder.glob("*/*.py"))


def packages(tree: Path, roots: Iterable[str], name: str) -> tuple[str, ...]:
    """Top-level names that the repository can be imported by, the one named like the project first."""
    found = [
        package for root in roots for package in (*_package_names(tree / root), *_module_names(tree / root))
    ]
    own = re.sub(r"[-.]", "_", name).lower()
    for root in roots:
        folder = tree / root / own
        if own and own not in found and folder.is_dir() and next(folder.rglob("*.py"), None):
            found.append(own)
    return tuple(sorted(dict.fromkeys(found), key=lambda package: (package.lower() != own, package)))


def _package_names(folder: Path) -> list[str]:
    names = sorted(path.parent.name for path in folder.glob("*/__init__.py"))
    return [name for name in names if name not in NOT_PACKAGES and name.isidentifier()]


def _module_names(folder: Path) -> list[str]:
    names = sorted(path.stem for path in folder.glob("*.py"))
    return [
        name
        for name in names
        if name.isidentifier()
        and name not in NOT_MODULES
        and not name.startswith("test_")
        and name != "__init__"
    ]


def test_paths(
    tree: Path, project: Mapping[str, Any], names: Iterable[str], roots: Iterable[str]
) -> tuple[str, ...]:
    """What to give pytest: its own setting, else the usual folders, else folders in the packages, else loose files."""
    configured = [path for path in _ini(tree, project, "testpaths") if any(tree.glob(path))]
    if configured:
        return tuple(configured)
    usual = [name for name in TEST_FOLDERS if _has_tests(tree / name)]
    if usual:
        return tuple(usual)
    inner = [
        f"{root}/{name}/{folder}".removeprefix("./")
        for root in roots
        for name in names
        for folder in TEST_FOLDERS
        if _has_tests(tree / root / name / folder)
    ]
    return tuple(inner or sorted(path.name for path in (*tree.glob("test_*.py"), *tree.glob("*_test.py"))))


def _has_tests(folder: Path) -> bool:
    return folder.is_dir() and next((p for p in folder.rglob("*.py") if "test" in p.name), None) is not None


def benchmark_paths(tree: Path) -> tuple[str, ...]:
    folders = [
        name for name in BENCHMARK_FOLDERS if (tree / name).is_dir() and any((tree / name).rglob("*.py"))
    ]
    loose = [*tree.glob("bench_*.py"), *tree.glob("*_bench.py"), *tree.glob("tests/bench_*.py")]
    loose += [*tree.glob("tests/*benchmark*.py"), *tree.glob("tests/benchmarks/*.py")]
    files = sorted({path.relative_to(tree).as_posix() for path in loose})
    return (*folders, *files)


def addopts_override(
    tree: Path, project: Mapping[str, Any], installed: Iterable[str]
) -> tuple[tuple[str, ...], str]:
    """pytest arguments that drop options of plugins which are not installed, and a note saying so."""
    words = _ini(tree, project, "addopts")
    have = {re.sub(r"[-_.]+", "-", name).lower() for name in installed}
    kept: list[str] = []
    dropped: list[str] = []
    skip = False
    for word in words:
        missing = next((plugin for pattern, plugin in PLUGIN_OPTIONS if pattern.match(word)), "")
        if skip and not word.startswith("-"):
            skip = False
        elif missing and missing not in have:
            dropped.append(word)
            skip = word in WITH_VALUE
        else:
            skip = False
            kept.append(word)
    if not dropped:
        return (), ""
    note = f"pytest runs without {', '.join(dropped)}: the plugin is not installed."
    return ("-o", f"addopts={shlex.join(kept)}"), note


def _ini(tree: Path, project: Mapping[str, Any], name: str) -> list[str]:
    """A setting of pytest from the first file that pytest itself would take."""
    for file, section in (("pytest.ini", "pytest"), (".pytest.ini", "pytest")):
        if (tree / file).is_file():
            return _cfg_words(tree / file, section, name)
    table_ = table(project, "tool", "pytest", "ini_options") or table(project, "tool", "pytest")
    if table_:
        value = table_.get(name, [])
        return _split(value) if isinstance(value, str) else strings(value)
    for file, section in (("tox.ini", "pytest"), ("setup.cfg", "tool:pytest")):
        if words := _cfg_words(tree / file, section, name):
            return words
    return []


def _cfg_words(path: Path, section: str, name: str) -> list[str]:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(read_text(path) or "")
    except configparser.Error:
        return []
    return _split(parser.get(section, name, fallback=""))


def _split(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if not line.strip().startswith("#")]
    try:
        return shlex.split(" ".join(lines))
    except ValueError:
        return " ".join(lines).split()
