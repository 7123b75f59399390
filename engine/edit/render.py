"""New code as text: untouched parts keep their own words, the rest is written by ``ast.unparse``."""

from __future__ import annotations

import ast
import copy

from engine.site import Site

_ATOMS = (
    ast.Name, ast.Constant, ast.Call, ast.Attribute, ast.Subscript, ast.List, ast.Dict, ast.Set, ast.ListComp,
    ast.SetComp, ast.DictComp, ast.JoinedStr,
)  # fmt: skip


def clean(node: ast.AST) -> ast.AST:
    """A deep copy without positions, for building new trees."""
    return copy.deepcopy(node)


def same(first: ast.AST, second: ast.AST) -> bool:
    return ast.dump(first) == ast.dump(second)


class _Holes(ast.NodeTransformer):
    """Replaces original expressions by placeholder names and remembers their source text."""

    def __init__(self, site: Site, originals: frozenset[int]) -> None:
        self.site, self.originals = site, originals
        self.texts: dict[str, tuple[str, bool]] = {}

    def visit(self, node: ast.AST) -> ast.AST:
        if (
            id(node) in self.originals
            and isinstance(node, ast.expr)
            and _loads(node)
            and not _in_fstring(self.site, node)
        ):
            name = f"zz_hole_{len(self.texts)}_zz"
            self.texts[name] = (self.site.source.segment(node), isinstance(node, _ATOMS))
            return ast.Name(id=name, ctx=ast.Load())
        made: ast.AST = super().visit(_own_lists(node))
        return made


def _own_lists(node: ast.AST) -> ast.AST:
    """A shallow copy with lists of its own: the transformer changes lists in place."""
    made = copy.copy(node)
    for name, value in ast.iter_fields(node):
        if isinstance(value, list):
            setattr(made, name, list(value))
    return made


def _loads(node: ast.expr) -> bool:
    return isinstance(getattr(node, "ctx", ast.Load()), ast.Load) and not isinstance(
        node, ast.Starred | ast.Slice
    )


def _in_fstring(site: Site, node: ast.AST) -> bool:
    """Positions inside f-strings cannot be trusted before Python 3.12."""
    return any(isinstance(each, ast.JoinedStr) for each in site.scopes.chain(node))


def originals(site: Site) -> frozenset[int]:
    return frozenset(id(node) for node in ast.walk(site.tree) if hasattr(node, "lineno"))


def expression(site: Site, node: ast.expr, known: frozenset[int]) -> str:
    """Source text of a new expression. Original parts keep their letters where that reads back the same."""
    holes = _Holes(site, known)
    holed = holes.visit(node)
    pattern = ast.unparse(ast.fix_missing_locations(holed))
    for wrap in (False, True):
        text = _filled(pattern, holes, wrap)
        if _reads_as(text, node):
            return text
    return ast.unparse(ast.fix_missing_locations(copy.deepcopy(node)))


def _filled(pattern: str, holes: _Holes, wrap: bool) -> str:
    for name, (text, atom) in holes.texts.items():
        pattern = pattern.replace(name, f"({text})" if wrap and not atom else text)
    return pattern


def _reads_as(text: str, node: ast.expr) -> bool:
    try:
        return same(ast.parse(text, mode="eval").body, node)
    except SyntaxError:
        return False


def statement(site: Site, node: ast.stmt, known: frozenset[int], indent: str) -> str:
    """Source lines of a new statement at ``indent``, with the file's newlines, ending in one."""
    holes = _Holes(site, known)
    holed = holes.visit(node)
    pattern = ast.unparse(ast.fix_missing_locations(holed))
    text = _first_good(pattern, holes, node) or ast.unparse(ast.fix_missing_locations(copy.deepcopy(node)))
    lines = [f"{indent}{line}" if line else line for line in text.split("\n")]
    return "".join(f"{line}{site.source.newline}" for line in lines)


def _first_good(pattern: str, holes: _Holes, node: ast.stmt) -> str:
    for wrap in (False, True):
        text = _filled(pattern, holes, wrap)
        try:
            if "\n" not in "".join(each for each, _ in holes.texts.values()) and same(
                ast.parse(text).body[0], node
            ):
                return text
        except SyntaxError:
            continue
    return ""
