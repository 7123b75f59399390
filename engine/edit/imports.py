"""Imports that a rewrite needs join the imports that are there."""

from __future__ import annotations

import ast

from engine.edit.change import Change, Edit, EditRefused
from engine.site import Site


def bring(change: Change, module: str, name: str = "") -> ast.expr:
    """An expression for ``module.name`` (or ``module``), with the import added where it is missing.

    Refuses (EditRefused) when the name is taken by something else.
    """
    site = change.site
    present = _present(site, module, name)
    if present is not None:
        return present
    wanted = name or module
    if wanted in site.scopes.module.names or _seen_inside(site, wanted) or site.scopes.star_import:
        raise EditRefused(f"the name {wanted} is taken")
    _add(change, module, name)
    return ast.Name(id=wanted, ctx=ast.Load())


def _present(site: Site, module: str, name: str) -> ast.expr | None:
    """How an import at module level already gives it, seen from the target function."""
    for node in site.tree.body:
        if isinstance(node, ast.ImportFrom) and name and node.module == module and not node.level:
            for alias in node.names:
                if alias.name == name and _visible(site, alias.asname or name, alias):
                    return ast.Name(id=alias.asname or name, ctx=ast.Load())
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name == module and _visible(site, alias.asname or module, alias):
                    base: ast.expr = ast.Name(id=alias.asname or module, ctx=ast.Load())
                    return ast.Attribute(value=base, attr=name, ctx=ast.Load()) if name else base
    return None


def _visible(site: Site, name: str, alias: ast.alias) -> bool:
    """Whether ``name`` means this one import inside the function and nowhere anything else."""
    bound = site.scopes.module.bindings.get(name, [])
    return bound == [alias] and not _seen_inside(site, name, bindings_only=True) and name not in site.patched


def _seen_inside(site: Site, name: str, *, bindings_only: bool = False) -> bool:
    for scope in site.scopes.module.walk():
        if not scope.is_module and name in (scope.bindings if bindings_only else scope.names):
            return True
    return False


def _add(change: Change, module: str, name: str) -> None:
    joined = _joinable(change.site, module) if name else None
    if joined is not None:
        _join(change, joined, name)
        return
    node = ast.ImportFrom(module=module, names=[ast.alias(name=name)], level=0) if name else _plain(module)
    place_import(change, node)


def _plain(module: str) -> ast.Import:
    return ast.Import(names=[ast.alias(name=module)])


def _joinable(site: Site, module: str) -> ast.ImportFrom | None:
    for node in site.tree.body:
        same = isinstance(node, ast.ImportFrom) and node.module == module and not node.level
        if same and isinstance(node, ast.ImportFrom) and node.names[0].name != "*":
            return node
    return None


def _join(change: Change, node: ast.ImportFrom, name: str) -> None:
    """Add one name to a ``from`` import, in order where the names are in order."""
    if name.isupper():
        start, _ = change.site.source.span(node.names[0])
        change.edits.append(Edit(start, start, f"{name}, "))
        names = [ast.alias(name=name), *node.names]
        change.swap(node, ast.ImportFrom(module=node.module, names=names, level=0))
        return
    before = [alias for alias in node.names if alias.name < name] or node.names[:1]
    last = (
        before[-1] if [a.name for a in node.names] == sorted(a.name for a in node.names) else node.names[-1]
    )
    at = node.names.index(last) + 1
    first = at == 1 and last.name > name
    start, end = change.site.source.span(last)
    change.edits.append(Edit(start, start, f"{name}, ") if first else Edit(end, end, f", {name}"))
    names = list(node.names)
    names.insert(0 if first else at, ast.alias(name=name))
    change.swap(node, ast.ImportFrom(module=node.module, names=names, level=0))


def place_import(change: Change, node: ast.Import | ast.ImportFrom) -> None:
    """A new import on a line of its own: sorted into the first block of imports, else before the first statement."""
    body = change.site.tree.body
    block = _block(body)
    if not block:
        _lonely(change, node, body)
        return
    later = [each for each in block if _order(each) > _order(node)]
    if later:
        change.insert_text_before(later[0], [node], ast.unparse(node) + "\n")
    else:
        change.insert_after(block[-1], [node])


def _block(body: list[ast.stmt]) -> list[ast.Import | ast.ImportFrom]:
    """The first run of imports on neighbouring lines, ``__future__`` left out."""
    found: list[ast.Import | ast.ImportFrom] = []
    for node in body:
        is_import = (
            isinstance(node, ast.Import | ast.ImportFrom) and getattr(node, "module", "") != "__future__"
        )
        if not is_import and found:
            break
        if isinstance(node, ast.Import | ast.ImportFrom) and is_import:
            if found and node.lineno > (found[-1].end_lineno or 0) + 1:
                break
            found.append(node)
        elif not is_import and not _preamble(node):
            break
    return found


def _preamble(node: ast.stmt) -> bool:
    constant = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return constant or (isinstance(node, ast.ImportFrom) and node.module == "__future__")


def _order(node: ast.Import | ast.ImportFrom) -> tuple[bool, str]:
    if isinstance(node, ast.Import):
        return (False, node.names[0].name)
    return (True, "." * node.level + (node.module or ""))


def _lonely(change: Change, node: ast.Import | ast.ImportFrom, body: list[ast.stmt]) -> None:
    first = next((each for each in body if not _preamble(each)), None)
    if first is None:
        raise EditRefused("there is no place for an import")
    is_definition = isinstance(first, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    gap = "\n\n\n" if is_definition else "\n\n"
    change.insert_text_before(first, [node], ast.unparse(node) + gap)
