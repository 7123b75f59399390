"""Shared by the rules for import time: which imports of a module may go somewhere else, and what they cost."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Iterator, Sequence

from engine.facts import Facts
from engine.site import Site, known
from engine.site.scopes import all_args
from engine.site.survey import absolute

LEAST_NS = 1e6
LEAST_SHARE = 0.05

STAY = frozenset({"typing", "typing_extensions"})
"""Everything imports these, and what they give is for the module's own top."""

PLAIN_DECORATORS = known.words(
    "property staticmethod classmethod contextmanager asynccontextmanager cached_property setter"
)

Import = ast.Import | ast.ImportFrom


def costly_imports(site: Site) -> Iterator[tuple[Import, tuple[str, ...]]]:
    """Imports at the top of a module that cost enough and that nobody but this module can miss, with their names."""
    if (
        not site.is_module
        or site.survey is None
        or posixpath.basename(site.path) == "__init__.py"
        or _opaque(site)
    ):
        return
    for node in site.tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom) and _worth_it(site, node) and _private(site, node):
            yield node, tuple(alias.asname or alias.name for alias in node.names)


def _opaque(site: Site) -> bool:
    """Whether the module looks at its own names or cannot be followed."""
    names = {use.id for scope in site.scopes.module.walk() for use in scope.uses}
    return (
        site.scopes.star_import
        or bool(names & known.OPAQUE_CALLS)
        or "__getattr__" in site.scopes.module.bindings
    )


def source_of(site: Site, node: Import) -> str:
    """The module that one import statement runs; empty for several or for one of the package itself."""
    if isinstance(node, ast.Import):
        alias = node.names[0]
        return alias.name if len(node.names) == 1 and (alias.asname or "." not in alias.name) else ""
    return "" if node.level or node.names[0].name == "*" or node.module == "__future__" else node.module or ""


def cost_of(site: Site, module: str) -> float:
    """Ns of importing ``module``, the packages it lies in included; 0 for what was not seen to cost anything."""
    parts = module.split(".")
    return sum(site.facts.import_ns.get(".".join(parts[: n + 1]), 0.0) for n in range(len(parts)))


def _worth_it(site: Site, node: Import) -> bool:
    assert site.survey is not None
    module = source_of(site, node)
    if module in STAY:
        return False
    whole = site.facts.import_ns.get(site.survey.module(site.path))
    if not module or not whole or module not in site.facts.import_ns:
        return False
    return cost_of(site, module) >= max(LEAST_NS, LEAST_SHARE * whole)


def _private(site: Site, node: Import) -> bool:
    """Importing it only defines things, and its names mean something in this module alone."""
    assert site.survey is not None
    module = source_of(site, node)
    if (
        module in site.survey.by_module
        or module.partition(".")[0] in _tops(site)
        or not site.survey.quiet(module)
    ):
        return False
    return all(_unshared(site, alias.asname or alias.name) for alias in node.names)


def _tops(site: Site) -> set[str]:
    assert site.survey is not None
    return {name.partition(".")[0] for name in site.survey.by_module}


def _unshared(site: Site, name: str) -> bool:
    assert site.survey is not None
    if len(site.scopes.module.bindings.get(name, [])) != 1 or name in site.patched or name in exported(site):
        return False
    if any(name in scope.global_names for scope in site.scopes.module.walk()) or _in_doctest(site, name):
        return False
    return not site.survey.used_elsewhere(site.path, name)


def exported(site: Site) -> set[str]:
    """The strings of ``__all__``, wherever it is built."""
    uses = [u for s in site.scopes.module.walk() for u in s.uses if u.id == "__all__"]
    statements = [s for u in uses for s in site.scopes.chain(u) if isinstance(s, ast.stmt)]
    texts = (each.value for s in statements for each in ast.walk(s) if isinstance(each, ast.Constant))
    return {text for text in texts if isinstance(text, str)}


def _in_doctest(site: Site, name: str) -> bool:
    texts = (n.value for n in ast.walk(site.tree) if isinstance(n, ast.Constant) and isinstance(n.value, str))
    return any(">>>" in text and name in text for text in texts)


def annotation_nodes(site: Site) -> set[int]:
    """Ids of the nodes that stand in annotations."""
    found: list[ast.expr | None] = []
    for node in ast.walk(site.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found += [node.returns, *(arg.annotation for arg in all_args(node.args))]
        elif isinstance(node, ast.AnnAssign):
            found.append(node.annotation)
    return {id(each) for annotation in found if annotation is not None for each in ast.walk(annotation)}


def in_annotation_text(site: Site, names: Sequence[str]) -> bool:
    """Whether an annotation written as text speaks of one of the names."""
    inside = annotation_nodes(site)
    texts = [n.value for n in ast.walk(site.tree) if id(n) in inside and isinstance(n, ast.Constant)]
    return any(name in text for text in texts if isinstance(text, str) for name in names)


def decorated(node: ast.AST) -> bool:
    """Whether a decorator other than the language's own could look at, or compile, what is below it."""
    for each in getattr(node, "decorator_list", []):
        called = each.func if isinstance(each, ast.Call) else each
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        if name not in PLAIN_DECORATORS:
            return True
    return False


def reads_later(site: Site) -> bool:
    """Whether annotations are kept as text, so that their names are not looked up when the module runs."""
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module == "__future__"
        and any(a.name == "annotations" for a in node.names)
        for node in site.tree.body
    )


def import_facts(**costs: float) -> Facts:
    """Facts of a module target: milliseconds by module, dots written as two underscores."""
    return Facts(import_ns={name.replace("__", "."): cost * 1e6 for name, cost in costs.items()})


def imported_tops(site: Site) -> set[str]:
    """Top-level packages that any file of the repo imports."""
    assert site.survey is not None
    return {base.partition(".")[0] for file in site.survey.files.values() for base, _ in file.imported}


def own_tops(site: Site) -> set[str]:
    """Top-level packages that this file imports."""
    assert site.survey is not None
    file = site.survey.files.get(site.path)
    return {base.partition(".")[0] for base, _ in file.imported} if file else set()


def resolved(site: Site, node: ast.ImportFrom) -> str:
    assert site.survey is not None
    return absolute(node, site.survey.module(site.path), site.path)
