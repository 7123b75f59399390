"""Two checkouts side by side: which files differ, which lines of a file changed, which functions those lines are in."""

from __future__ import annotations

import ast
import difflib
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PASSED_OVER = frozenset(
    ("__pycache__", ".git", ".pytest_cache", ".hypothesis", ".mypy_cache", ".ruff_cache")
)
_TEST_NAMES = (
    "conftest.py",
    "pytest.ini",
    "pyproject.toml",
    "setup.cfg",
    "tox.ini",
    "setup.py",
    "noxfile.py",
)
_TEST_FOLDERS = frozenset(("test", "tests", "benchmark", "benchmarks", "asv_bench"))


@dataclass(frozen=True)
class ChangedLines:
    """Lines of one file that are new in the after-version and hold code; ``path`` is relative and posix."""

    path: str
    lines: tuple[int, ...]


def files(tree: Path) -> Mapping[str, str]:
    """Relative posix path -> digest of every regular file of a checkout; links count by where they point."""
    found: dict[str, str] = {}
    for folder, folders, names in os.walk(tree):
        folders[:] = sorted(name for name in folders if name not in _PASSED_OVER)
        for name in sorted(names):
            path = Path(folder) / name
            if not name.endswith((".pyc", ".pyo")):
                found[path.relative_to(tree).as_posix()] = _digest(path)
    return found


def _digest(path: Path) -> str:
    try:
        if path.is_symlink():
            return f"link {path.readlink()}"
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "blake2b").hexdigest()
    except OSError as error:
        return f"unreadable {error.errno}"


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Paths that are new, gone or different, in order."""
    return sorted(path for path in {*before, *after} if before.get(path) != after.get(path))


def is_check(path: str) -> bool:
    """Tests, benchmarks and what configures them: a change never touches those."""
    parts = path.split("/")
    name = parts[-1]
    return (
        name in _TEST_NAMES
        or name.startswith(("test_", "bench_"))
        or name.endswith(("_test.py", "_bench.py"))
        or not _TEST_FOLDERS.isdisjoint(parts[:-1])
    )


def changed_lines(*, before: Path, after: Path, path: str) -> ChangedLines:
    """The new or changed lines of ``path`` that the interpreter can stop at, and that can run at all."""
    return lines_changed(text_of(before / path), text_of(after / path), path)


def lines_changed(old: str, new: str, path: str) -> ChangedLines:
    """The same of two texts of one file."""
    matcher = difflib.SequenceMatcher(None, old.splitlines(), new.splitlines(), autojunk=False)
    touched: set[int] = set()
    for tag, _, _, first, last in matcher.get_opcodes():
        if tag in ("replace", "insert"):
            touched.update(range(first + 1, last + 1))
    return ChangedLines(path, tuple(sorted(touched & _code_lines(new, path))))


def text_of(path: Path) -> str:
    """A source file as text, whatever its bytes; empty when it is not there."""
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def _code_lines(source: str, path: str) -> set[int]:
    try:
        tree = ast.parse(source)
        code = compile(source, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError):
        return set()
    return _lines_of(code) - set(_never_run(tree))


def _lines_of(code: object) -> set[int]:
    lines = {line for _, _, line in code.co_lines() if line}  # type: ignore[attr-defined]
    for constant in code.co_consts:  # type: ignore[attr-defined]
        if hasattr(constant, "co_lines"):
            lines |= _lines_of(constant)
    return lines


def _never_run(tree: ast.Module) -> Iterator[int]:
    """Lines below ``if TYPE_CHECKING`` are for type checkers alone; a docstring is not executed."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and _is_type_checking(node.test):
            for child in node.body:
                yield from range(child.lineno, (child.end_lineno or child.lineno) + 1)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and ast.get_docstring(
            node
        ):
            yield from range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)


def _is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def functions(source: str) -> dict[str, ast.AST]:
    """Qualified name -> node of every function at module level or in a class."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return {}
    return dict(_functions(tree, ""))


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.AST]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield prefix + child.name, child
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")
        elif not isinstance(child, ast.expr):
            yield from _functions(child, prefix)


def changed_functions(*, before: Path, after: Path, paths: Iterable[str]) -> list[str]:
    """Target ids of functions that exist in both versions with different code, in order of path and place."""
    found = []
    for path in paths:
        if path.endswith(".py"):
            old, new = functions(text_of(before / path)), functions(text_of(after / path))
            found += [f"{path}::{name}" for name in old if name in new and not _same(old[name], new[name])]
    return found


def _same(old: ast.AST, new: ast.AST) -> bool:
    return ast.dump(old) == ast.dump(new)


def module_name(path: str, import_roots: Sequence[str]) -> str:
    """Dotted name of a file below the longest import root that holds it."""
    roots = sorted((root.strip("./") for root in import_roots), key=len, reverse=True)
    for root in roots:
        if root and path.startswith(root + "/"):
            path = path[len(root) + 1 :]
            break
    name = path.removesuffix(".py").replace("/", ".")
    return name.removesuffix(".__init__")
