"""What is profiled: which files are the repo's product, and which benchmarks and tests make it run."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.environment import Environment

BENCH_PREFIXES = ("time_", "bench_", "benchmark_", "mem_", "peakmem_", "timeraw_")
SKIPPED_DIRS = frozenset({"__pycache__", ".git", ".asv", "node_modules", ".venv"})


@dataclass(frozen=True, kw_only=True)
class Scope:
    """``roots`` are relative files and folders of the product (empty: everything), ``skip`` what is not part of it."""

    tree: Path
    roots: tuple[str, ...]
    skip: tuple[str, ...]
    benchmark_files: tuple[str, ...]
    benchmark_args: tuple[str, ...]
    test_args: tuple[str, ...]
    has_async: bool

    def phases(self) -> list[dict[str, Any]]:
        """Benchmarks first, then tests, in the shape the probe takes."""
        found: list[dict[str, Any]] = []
        if self.benchmark_files or self.benchmark_args:
            found.append(
                {
                    "source": "benchmark",
                    "files": list(self.benchmark_files),
                    "args": list(self.benchmark_args),
                }
            )
        return [*found, {"source": "test", "files": [], "args": list(self.test_args)}]


def find_scope(tree: Path, environment: Environment) -> Scope:
    """Read the tree; nothing of it is run."""
    benches = sorted({f for path in environment.benchmarks for f in _python_files(tree, path)})
    suites = [f for f in benches if _is_suite(tree / f)]
    roots = tuple(_package_roots(tree, environment))
    return Scope(
        tree=tree,
        roots=roots,
        skip=tuple(environment.benchmarks),
        benchmark_files=tuple(f for f in benches if f not in suites and _is_bench(tree / f)),
        benchmark_args=tuple(suites),
        test_args=tuple(environment.test_args) or (".",),
        has_async=any(
            b"async def " in _read(tree / f) for root in roots or (".",) for f in _python_files(tree, root)
        ),
    )


def _package_roots(tree: Path, environment: Environment) -> Iterator[str]:
    for package in environment.packages:
        for root in environment.import_roots or (".",):
            for name in (package, f"{package}.py"):
                if (tree / root / name).exists():
                    yield os.path.normpath(Path(root) / name).replace(os.sep, "/")


def _python_files(tree: Path, path: str) -> Iterator[str]:
    top = tree / path
    if top.is_file():
        yield path
        return
    for folder, names, files in os.walk(top):
        names[:] = sorted(n for n in names if n not in SKIPPED_DIRS)
        for name in sorted(files):
            if name.endswith(".py"):
                yield (Path(folder) / name).relative_to(tree).as_posix()


def _is_suite(path: Path) -> bool:
    """Whether pytest would find something in this benchmark file."""
    if path.name == "conftest.py":
        return False
    for node in _definitions(path):
        if node.name.startswith(("test_", "Test")):
            return True
        if isinstance(node, ast.FunctionDef) and any(a.arg == "benchmark" for a in node.args.args):
            return True
    return False


def _is_bench(path: Path) -> bool:
    """Whether the probe's own runner finds something: asv names, bench_ functions, or a main()."""
    for node in _definitions(path):
        names = [node.name, *(n.name for n in getattr(node, "body", ()) if isinstance(n, ast.FunctionDef))]
        if node.name == "main" or any(name.startswith(BENCH_PREFIXES) for name in names):
            return True
    return False


def _definitions(path: Path) -> list[ast.FunctionDef | ast.ClassDef]:
    try:
        tree = ast.parse(_read(path))
    except (SyntaxError, ValueError, RecursionError):
        return []
    return [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()[: 4 << 20]
    except OSError:
        return b""


def module_name(path: str, import_roots: Sequence[str]) -> str:
    """``src/pkg/mod.py`` below the import root ``src`` is ``pkg.mod``; a package's ``__init__`` is the package."""
    best = ""
    for root in import_roots:
        folder = "" if root in ("", ".") else root.strip("/") + "/"
        if path.startswith(folder) and len(folder) > len(best):
            best = folder
    parts = path[len(best) :].removesuffix(".py").split("/")
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)
