"""A change under construction: the rule says what to put where, spans and the intended tree follow from it."""

from __future__ import annotations

import ast
import builtins
import copy
import keyword
from collections.abc import Sequence
from dataclasses import dataclass

from engine.edit import render
from engine.site import Site

_TIGHT = (
    ast.BinOp,
    ast.UnaryOp,
    ast.Compare,
    ast.BoolOp,
    ast.Attribute,
    ast.Await,
    ast.Starred,
    ast.IfExp,
    ast.FormattedValue,
)
_LOOSE = (
    ast.BinOp,
    ast.BoolOp,
    ast.IfExp,
    ast.Compare,
    ast.Lambda,
    ast.Await,
    ast.UnaryOp,
    ast.NamedExpr,
    ast.GeneratorExp,
)


class EditRefused(ValueError):
    """A proposal that fails a static check; the message says which."""


@dataclass(frozen=True)
class Edit:
    """Replace the bytes ``start``..``end`` of the file's UTF-8 text by ``text``."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, eq=False)
class Intended:
    """The tree that the edited file must read back as, and what may be missing from its public names."""

    tree: ast.Module
    hidden: frozenset[str] = frozenset()


class Change:
    """Collects edits for one site. Node arguments named ``old`` or ``at`` are nodes of ``site.tree``."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.edits: list[Edit] = []
        self.hidden: set[str] = set()
        self._known = render.originals(site)
        self._swaps: dict[int, ast.AST] = {}
        self._before: dict[int, list[ast.stmt]] = {}
        self._after: dict[int, list[ast.stmt]] = {}
        self._gone: dict[int, list[ast.stmt]] = {}
        self._new: set[str] = set()

    # what rules call

    def replace(self, old: ast.expr, new: ast.expr, text: str | None = None) -> None:
        """Put ``new`` where ``old`` stands; ``text`` overrides how it is written."""
        self._outside_fstring(old)
        written = render.expression(self.site, new, self._known) if text is None else text
        parent = self.site.scopes.parents.get(old)
        called = (
            isinstance(parent, ast.Call | ast.Subscript)
            and getattr(parent, "func", getattr(parent, "value", None)) is old
        )
        if isinstance(new, _LOOSE) and (isinstance(parent, _TIGHT) or called) and not written.startswith("("):
            written = f"({written})"
        start, end = self.site.source.span(old)
        self.edits.append(Edit(start, end, written))
        self._swaps[id(old)] = new

    def patch(self, old: ast.expr, new: ast.expr, edits: Sequence[Edit]) -> None:
        """Put ``new`` where ``old`` stands by these smaller edits."""
        self._outside_fstring(old)
        self.edits.extend(edits)
        self._swaps[id(old)] = new

    def swap(self, old: ast.AST, new: ast.AST) -> None:
        """Mean ``new`` where ``old`` stands; the caller has added the edits."""
        self._swaps[id(old)] = new

    def insert_before(self, at: ast.stmt, new: Sequence[ast.stmt], *, gap: bool = False) -> None:
        """New statements on lines of their own before ``at``, above its comments; ``gap`` adds an empty line."""
        start, indent = self._own_line(at)
        text = "".join(render.statement(self.site, each, self._known, indent) for each in new)
        text += self.site.source.newline if gap else ""
        position = self._above_comments(start, indent)
        self.edits.append(Edit(position, position, text))
        self._before.setdefault(id(at), []).extend(new)

    def insert_text_before(self, at: ast.stmt, new: Sequence[ast.stmt], text: str) -> None:
        """As :meth:`insert_before`, with the text given."""
        start, indent = self._own_line(at)
        start = self._above_comments(start, indent)
        self.edits.append(Edit(start, start, text.replace("\n", self.site.source.newline)))
        self._before.setdefault(id(at), []).extend(new)

    def insert_after(self, at: ast.stmt, new: Sequence[ast.stmt], text: str | None = None) -> None:
        """New statements on lines of their own after ``at``."""
        _, indent = self._own_line(at)
        written = text.replace("\n", self.site.source.newline) if text is not None else None
        if written is None:
            written = "".join(render.statement(self.site, each, self._known, indent) for each in new)
        position = self._line_after(at)
        if position and self.site.source.data[position - 1 : position] not in (b"\n", b"\r"):
            written = f"{self.site.source.newline}{written}"
        self.edits.append(Edit(position, position, written))
        self._after.setdefault(id(at), []).extend(new)

    def replace_statement(self, old: ast.stmt, new: Sequence[ast.stmt], text: str | None = None) -> None:
        """Put ``new`` on the lines of ``old``."""
        start, indent = self._own_line(old)
        written = text.replace("\n", self.site.source.newline) if text is not None else None
        if written is None:
            written = "".join(render.statement(self.site, each, self._known, indent) for each in new)
        self.edits.append(Edit(start, self._line_after(old), written))
        self._gone[id(old)] = list(new)

    def remove(self, old: ast.stmt) -> None:
        """Take the lines of ``old`` away, with one empty line when it stood between two."""
        start, _ = self._own_line(old)
        end, data = self._line_after(old), self.site.source.data
        above = self.site.source.line_start(start - 1) if start else 0
        lonely = (
            start and not data[above:start].strip() and not data[end : self.site.source.line_end(end)].strip()
        )
        self.edits.append(Edit(above if lonely else start, end, ""))
        self._gone[id(old)] = []

    def fresh_name(self, *wanted: str) -> str:
        """The first of ``wanted`` that is free in every scope of the site's function, else one with a number."""
        taken = self._taken()
        for name in (*wanted, *(f"{wanted[0]}_{number}" for number in range(2, 99))):
            if name not in taken and name.isidentifier() and not keyword.iskeyword(name):
                self._new.add(name)
                return name
        raise EditRefused("no free name was found")

    def finish(self) -> Intended:
        """The intended tree."""
        tree = _Rebuild(self._swaps, self._before, self._after, self._gone).visit(self.site.tree)
        assert isinstance(tree, ast.Module)
        return Intended(tree=tree, hidden=frozenset(self.hidden))

    # helpers

    def _taken(self) -> set[str]:
        """Names seen from the function: its own, those inside it, those around it, builtins; not attributes."""
        scopes = self.site.scopes
        taken = set(dir(builtins)) | self._new | scopes.module.names
        for scope in scopes.scope(self.site.node).walk():
            taken |= scope.names
        at = scopes.scope(self.site.node).parent
        while at is not None:
            taken |= at.names
            at = at.parent
        return taken

    def _outside_fstring(self, node: ast.AST) -> None:
        if any(isinstance(each, ast.JoinedStr) for each in self.site.scopes.chain(node)):
            raise EditRefused("it stands inside an f-string")

    def _own_line(self, at: ast.stmt) -> tuple[int, str]:
        """Start of the line of ``at`` and its indentation; refuses when something else stands before it."""
        source = self.site.source
        first = min((each.lineno for each in getattr(at, "decorator_list", [])), default=at.lineno)
        start = source.starts[first - 1]
        before = source.data[start : source.at(at.lineno, at.col_offset)] if first == at.lineno else b""
        line = source.data[start : source.line_end(start)]
        indent = line[: len(line) - len(line.lstrip(b" \t\f"))]
        if before.strip(b" \t\f"):
            raise EditRefused("it shares its line with another statement")
        if source.data[source.span(at)[0] :].startswith(b"elif") or (
            start and source.data[:start].rstrip(b"\r\n").endswith(b"\\")
        ):
            raise EditRefused("no line of its own can stand before it")
        return start, indent.decode("utf-8")

    def _line_after(self, at: ast.stmt) -> int:
        """Offset of the line after ``at``; refuses when something but a comment follows on its last line."""
        source = self.site.source
        end = source.span(at)[1]
        stop = source.line_end(end)
        rest = source.data[end:stop].strip()
        if rest and not rest.startswith(b"#"):
            raise EditRefused("it shares its line with another statement")
        return stop

    def _above_comments(self, start: int, indent: str) -> int:
        """Move up over comment lines at the same depth that stand directly above."""
        data, source = self.site.source.data, self.site.source
        at = start
        while at:
            above = source.line_start(at - 1)
            if not data[above:at].startswith(f"{indent}#".encode()):
                return at
            at = above
        return start  # the comments at the top of a file belong to the file


class _Rebuild:
    """Copies a tree with swaps of expressions and insertions of statements."""

    def __init__(
        self,
        swaps: dict[int, ast.AST],
        before: dict[int, list[ast.stmt]],
        after: dict[int, list[ast.stmt]],
        gone: dict[int, list[ast.stmt]],
    ) -> None:
        self.swaps, self.before, self.after, self.gone = swaps, before, after, gone

    def visit(self, node: ast.AST) -> ast.AST:
        if id(node) in self.swaps:
            return self._plain(self.swaps[id(node)], node)
        new = copy.copy(node)
        for name, value in ast.iter_fields(node):
            if isinstance(value, list):
                setattr(new, name, [made for each in value for made in self._each(each)])
            elif isinstance(value, ast.AST):
                setattr(new, name, self.visit(value))
        return new

    def _plain(self, new: ast.AST, old: ast.AST) -> ast.AST:
        """A new part; the old nodes it holds may have changes of their own, but not the one it replaces."""
        kept = self.swaps.pop(id(old))
        made = self.visit(new)
        self.swaps[id(old)] = kept
        return made

    def _each(self, value: object) -> list[object]:
        if not isinstance(value, ast.AST):
            return [value]
        here: list[ast.AST] = list(self.gone[id(value)]) if id(value) in self.gone else [value]
        visited: list[object] = [self.visit(each) for each in here]
        before = [copy.deepcopy(each) for each in self.before.get(id(value), [])]
        after = [copy.deepcopy(each) for each in self.after.get(id(value), [])]
        return [*before, *visited, *after]
