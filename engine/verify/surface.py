"""Structure changes: public names, fresh imports and import-time output of every module, before and after.

A name that was only imported from elsewhere is nobody's promise, unless ``__all__`` lists it, a package's ``__init__``
re-exports it from its own modules, or some file of the repo takes it from here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.values import Check
from engine.verify.probing import Place
from engine.verify.trees import ChangedLines, files, is_check, module_name

MOST_MODULES = 300
_SECONDS = 120.0
_FOR_CHECKERS = "TYPE_CHECKING"
"""A name that type checkers want at the top of a module and no user takes from there."""


@dataclass
class Surfaces:
    """The comparison: ``problems`` discard, ``disclosed`` are told. ``lines`` are changed ones that imports execute."""

    modules: int = 0
    left_out: int = 0
    problems: list[str] = field(default_factory=list)
    import_problems: list[str] = field(default_factory=list)
    disclosed: list[str] = field(default_factory=list)
    lines: frozenset[int] = frozenset()

    @property
    def first(self) -> str:
        return next(iter(self.import_problems + self.problems), "")

    def checks(self) -> tuple[Check, ...]:
        imports = Check(
            name="Fresh imports",
            state="fail" if self.import_problems else "pass",
            detail="; ".join(self.import_problems[:3])
            or (f"{self.left_out} modules left out" if self.left_out else ""),
            tried=self.modules,
            agreed=self.modules - len(self.import_problems),
        )
        detail = "; ".join(self.problems[:3] or self.disclosed[:3])
        return imports, Check(name="Public names", state="fail" if self.problems else "pass", detail=detail)


def compare_surfaces(
    place: Place, *, before: Path, after: Path, roots: Sequence[str], lines: ChangedLines | None
) -> Surfaces:
    """Import every module of the repo freshly in both versions and compare what can be seen of it."""
    names = modules(before, roots)
    found = Surfaces(left_out=max(0, len(names) - MOST_MODULES))
    names = names[:MOST_MODULES]
    left = _ask(place, before, names, None)
    right = _ask(place, after, names, lines)
    users = _Users(after)
    for name in names:
        _compare_module(name, left.get(name, {}), right.get(name), users, found)
    found.modules = sum("error" not in left.get(name, {"error": ""}) for name in names)
    found.lines = frozenset(int(line) for facts in right.values() for line in facts.get("lines", ()))
    return found


def modules(tree: Path, roots: Sequence[str]) -> list[str]:
    """Dotted names of the importable modules below the import roots; tests, scripts and tools are not among them."""
    found = []
    for path in files(tree):
        name = module_name(path, roots)
        below = any(root in (".", "") or path.startswith(root.strip("./") + "/") for root in roots)
        if path.endswith(".py") and below and not is_check(path) and _is_module(tree, path, roots):
            found.append(name)
    return sorted(set(found))


def _is_module(tree: Path, path: str, roots: Sequence[str]) -> bool:
    """Every folder between an import root and the file is a package; ``__main__`` is a program."""
    if not all(part.isidentifier() for part in module_name(path, roots).split(".")) or path.endswith(
        "__main__.py"
    ):
        return False
    folder = (tree / path).parent
    tops = {(tree / root).resolve() for root in roots} | {tree.resolve()}
    while folder.resolve() not in tops:
        if not (folder / "__init__.py").is_file():
            return False
        folder = folder.parent
    return True


def _ask(place: Place, tree: Path, names: list[str], lines: ChangedLines | None) -> dict[str, dict[str, Any]]:
    wanted = {"path": lines.path, "lines": list(lines.lines)} if lines and lines.lines else None
    answer = place.ask("surface", tree=tree, options={"modules": names, "lines": wanted}, seconds=_SECONDS)
    return {str(line["module"]): line for line in answer.of("module")}


def _compare_module(
    name: str, left: Mapping[str, Any], right: Mapping[str, Any] | None, users: _Users, found: Surfaces
) -> None:
    if not left or "error" in left:
        return  # it could not be imported before either
    if right is None or "error" in right:
        found.import_problems.append(f"import {name}: {(right or {}).get('error', 'did not end')}")
        return
    found.problems += _names(name, left, right, users)
    found.disclosed += _submodules(name, left, right)
    for key, word in (("printed", "prints"), ("warned", "warns")):
        if left[key] != right[key]:
            found.problems.append(
                f"import {name} {word} something else: {str(right[key])[:120]!r}, {str(left[key])[:120]!r} before"
            )
    lost = sorted(set(left["hints"]) - set(right["hints"]))
    if lost:
        found.disclosed.append(f"annotations of {name}.{lost[0]} can no longer be evaluated at run time")


def _names(name: str, left: Mapping[str, Any], right: Mapping[str, Any], users: _Users) -> Iterator[str]:
    if left["all"] != right["all"]:
        yield f"{name}.__all__ differs"
    for public, facts in left["public"].items():
        now = right["public"].get(public)
        if now is None or now["kind"] == "missing" != facts["kind"]:
            if _promised(name, public, facts, left, users):
                yield f"{name}.{public} is gone"
        elif _bare(now) != _bare(facts):
            yield f"{name}.{public} is something else: {now['kind']} {now.get('is', '')}"
    new = [
        each
        for each, facts in right["public"].items()
        if each not in left["public"] and facts["own"] and facts["kind"] != "module" and each != _FOR_CHECKERS
    ]
    if new:
        yield f"{name} has new public names: {', '.join(new[:5])}"


def _submodules(name: str, left: Mapping[str, Any], right: Mapping[str, Any]) -> Iterator[str]:
    """A submodule is an attribute of its package only once somebody has imported it: now it may be later."""
    for public, facts in left["public"].items():
        if facts["is"] == f"{name}.{public}" and public not in right["public"]:
            yield f"{name}.{public} is there only after it has been imported"


def _bare(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in facts.items() if key != "own"}


def _promised(
    name: str, public: str, facts: Mapping[str, Any], left: Mapping[str, Any], users: _Users
) -> bool:
    if left["all"] is not None and public in left["all"]:
        return True
    if facts["is"] == f"{name}.{public}" and facts["kind"] == "module":
        return False
    return bool(facts["own"]) or users.take(name, public)


class _Users:
    """Who in the repo takes a name from a module: imports of it, attributes of the imported module, patch strings."""

    def __init__(self, tree: Path) -> None:
        self._taken: set[tuple[str, str]] = set()
        for path in files(tree):
            if path.endswith(".py"):
                self._read(tree, path)

    def take(self, module: str, name: str) -> bool:
        return any(
            name == taken and (source == module or module.endswith("." + source))
            for source, taken in self._taken
        )

    def _read(self, tree: Path, path: str) -> None:
        try:
            parsed = ast.parse((tree / path).read_bytes())
        except (OSError, SyntaxError, ValueError, RecursionError):
            return
        aliases = dict(_aliases(parsed))
        for node in ast.walk(parsed):
            if isinstance(node, ast.ImportFrom):
                self._taken |= {((node.module or ""), alias.name) for alias in node.names}
            elif isinstance(node, ast.Attribute):
                self._attribute(node, aliases)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "." in node.value[:200]:
                source, _, name = node.value[:200].rpartition(".")
                self._taken.add((source, name))

    def _attribute(self, node: ast.Attribute, aliases: Mapping[str, str]) -> None:
        source = _dotted(node.value)
        if source:
            head, _, rest = source.partition(".")
            full = aliases.get(head, head) + ("." + rest if rest else "")
            self._taken.add((full, node.attr))


def _aliases(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield (alias.asname, alias.name) if alias.asname else (alias.name.partition(".")[0],) * 2
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}" if node.module else alias.name


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = _dotted(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return ""
