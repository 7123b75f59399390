"""Which functions differ between base and HEAD, by syntax tree: comments and layout do not count."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.run import Run
from engine.values import Target
from engine.workspace.history import changed_files

Functions = dict[str, tuple[int, str]]


def functions_of(source: bytes) -> Functions:
    """Qualified name to (line, normalised body) of every function; ``<module>`` is the rest of the file."""
    tree = ast.parse(source)
    found: Functions = {name: (node.lineno, ast.dump(node)) for name, node in _walk(tree, "")}
    rest = [n for n in tree.body if not isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
    found["<module>"] = (1, ast.dump(ast.Module(body=rest, type_ignores=[])))
    return found


def _walk(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + child.name, child
        elif isinstance(child, ast.ClassDef):
            yield from _walk(child, f"{prefix}{child.name}.")


def changed_targets(run: Run) -> list[Target]:
    """A target for each function that differs between base and HEAD, in path and line order."""
    base, head = run.workspace.base, run.workspace.head
    targets: list[Target] = []
    for path in changed_files(run.workspace, base, head):
        if path.endswith(".py"):
            targets.extend(_changed_in(run, path, base, head))
    return sorted(targets, key=lambda t: (t.path, t.line))


def _changed_in(run: Run, path: str, base: str, head: str) -> Iterator[Target]:
    before = functions_of(run.workspace.show(base, path)) if path in run.workspace.files(base) else {}
    after = functions_of(run.workspace.show(head, path)) if path in run.workspace.files(head) else {}
    domains = {a.target.id: a.target.domain for a in run.kept}
    for name, (line, body) in after.items():
        if name in before and before[name][1] != body:
            domain = domains.get(f"{path}::{name}", "cpu")
            yield Target(path=path, qualname=name, line=line, domain=domain)
