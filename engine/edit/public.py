"""The public names and signatures of a module, read off its tree."""

from __future__ import annotations

import ast
from collections.abc import Sequence


def surface(tree: ast.Module) -> dict[str, str]:
    """Dotted public name -> what it is: a function with its signature, a class with its bases, a value, an import."""
    found: dict[str, str] = {}
    _collect(tree.body, "", found)
    found.update(_served(tree))
    return found


def _collect(body: Sequence[ast.stmt], prefix: str, found: dict[str, str]) -> None:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found[prefix + node.name] = _signature(node)
        elif isinstance(node, ast.ClassDef):
            bases = ", ".join(ast.unparse(each) for each in [*node.bases, *node.keywords])
            found[prefix + node.name] = f"class({bases})"
            _collect(node.body, f"{prefix}{node.name}.", found)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                found[prefix + (alias.asname or alias.name.partition(".")[0])] = "import"
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            for name in _targets(node):
                found.setdefault(prefix + name, "value")
        else:
            _branches(node, prefix, found)


def _branches(node: ast.stmt, prefix: str, found: dict[str, str]) -> None:
    if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
        return
    for name in ("body", "orelse", "finalbody"):
        _collect(getattr(node, name, []), prefix, found)
    for handler in getattr(node, "handlers", []):
        _collect(handler.body, prefix, found)


def _targets(node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)]


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    kind = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    decorators = "".join(f"@{ast.unparse(each)} " for each in node.decorator_list)
    return f"{decorators}{kind}({ast.unparse(node.args)}){returns}"


def _served(tree: ast.Module) -> dict[str, str]:
    """Names that a module ``__getattr__`` serves from a literal table of this module."""
    getters = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "__getattr__"]
    used = {each.id for getter in getters for each in ast.walk(getter) if isinstance(each, ast.Name)}
    found: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict) and set(_targets(node)) & used:
            keys = [key.value for key in node.value.keys if isinstance(key, ast.Constant)]
            found.update({key: "import" for key in keys if isinstance(key, str)})
    return found


def lost(before: ast.Module, after: ast.Module, hidden: frozenset[str]) -> list[str]:
    """Public names that are gone or changed; ``hidden`` imports may go."""
    old, new = surface(before), surface(after)
    gone = [
        name
        for name, what in old.items()
        if new.get(name) != what and not (what == "import" and name in hidden)
    ]
    return sorted(name for name in gone if not _private(name))


def _private(name: str) -> bool:
    return any(part.startswith("_") and not part.startswith("__") for part in name.split("."))
