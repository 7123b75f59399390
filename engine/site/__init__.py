"""Sites: one function or module with everything a rule may ask about it.

``build_site`` reads source and facts; nothing of the target runs. A rule reads the site and changes nothing in it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from engine.facts import Facts
from engine.site import known
from engine.site.effects import Analysis
from engine.site.infer import Types
from engine.site.scopes import FUNCTIONS, Scopes
from engine.site.source import SiteError, Source, parse, read_source
from engine.site.survey import Survey, survey

__all__ = ["Facts", "Site", "SiteError", "Source", "Survey", "build_site", "survey"]

MODULE = "<module>"
TOO_LARGE = 2_000_000


@dataclass(frozen=True, eq=False)
class Site:
    """``node`` is the target function's node, or the tree itself for a module target.

    ``patched`` are names that tests replace (bare names), ``survey`` what the rest of the repo does with this file, or
    None when nobody looked: rules that need it then propose nothing. ``line_limit`` is the project's line length.
    """

    source: Source
    path: str
    qualname: str
    tree: ast.Module
    node: ast.Module | ast.FunctionDef | ast.AsyncFunctionDef
    facts: Facts
    patched: frozenset[str]
    survey: Survey | None
    line_limit: int
    scopes: Scopes

    @cached_property
    def types(self) -> Types:
        return Types(self.scopes, self.node, self.facts, self.patched)

    @cached_property
    def analysis(self) -> Analysis:
        return Analysis(self.scopes, self.types, self.node)

    @cached_property
    def own_nodes(self) -> tuple[ast.AST, ...]:
        """Every node the target itself evaluates, in source order; nested functions and classes are left out."""
        return tuple(_own(self.node))

    @property
    def is_module(self) -> bool:
        return isinstance(self.node, ast.Module)

    @property
    def is_coroutine(self) -> bool:
        return isinstance(self.node, ast.AsyncFunctionDef)

    @cached_property
    def is_generator(self) -> bool:
        yields = (each for each in ast.walk(self.node) if isinstance(each, ast.Yield | ast.YieldFrom))
        return any(self.scopes.function_around(each) is self.node for each in yields)

    @cached_property
    def left_alone(self) -> str:
        """Why no rule may touch this function, or an empty string."""
        if self.is_module:
            return ""
        for each in ast.walk(self.node):
            if isinstance(each, ast.Global | ast.Nonlocal):
                return "it shares names by global or nonlocal"
            if isinstance(each, ast.Name) and each.id in known.OPAQUE_CALLS | {"inspect"}:
                return f"it may look at its own names through {each.id}"
            if isinstance(each, ast.Attribute) and each.attr in ("_getframe", "settrace", "currentframe"):
                return "it looks at its own frame"
        return ""

    @property
    def plain_function(self) -> bool:
        """A function that runs from start to end in one go and keeps its names to itself."""
        return isinstance(self.node, ast.FunctionDef) and not self.is_generator and not self.left_alone

    @cached_property
    def blind(self) -> Analysis:
        """The same questions answered from the source alone: what holds here is proven, not observed."""
        return Analysis(self.scopes, Types(self.scopes, self.node, Facts(), self.patched), self.node)


def build_site(
    *,
    source: bytes,
    path: str,
    qualname: str,
    facts: Facts,
    tests_patch: frozenset[str] = frozenset(),
    survey: Survey | None = None,
    line_limit: int = 0,
) -> Site:
    """The site of ``qualname`` (``<module>`` for the whole file) in ``source``.

    Raises SiteError when the file cannot be read or the function is not found exactly once.
    """
    if len(source) > TOO_LARGE:
        raise SiteError(f"{path} is larger than {TOO_LARGE:,} bytes")
    text, tree, scopes, limit = _read(source)
    patched = tests_patch | (survey.patched(path) if survey is not None else frozenset())
    return Site(
        source=text,
        path=path,
        qualname=qualname,
        tree=tree,
        node=find(tree, qualname),
        facts=facts,
        patched=patched,
        survey=survey,
        line_limit=line_limit or limit,
        scopes=scopes,
    )


@lru_cache(maxsize=16)
def _read(source: bytes) -> tuple[Source, ast.Module, Scopes, int]:
    """A file is read once for all its functions; nobody changes what is returned."""
    text = read_source(source)
    tree = parse(text.text)
    try:
        return text, tree, Scopes(tree), _line_limit(text)
    except RecursionError as error:
        raise SiteError("it is nested too deeply") from error


def _line_limit(source: Source) -> int:
    """What the file itself keeps to: its longest line, between 79 and 120 characters."""
    longest = max((len(line) for line in source.text.splitlines()), default=0)
    return min(120, max(79, longest))


def _own(node: ast.AST) -> Iterator[ast.AST]:
    whole = isinstance(node, (*FUNCTIONS, ast.Module))
    body: Iterable[ast.AST] = getattr(node, "body", []) if whole else ast.iter_child_nodes(node)
    for child in body:
        if not isinstance(child, (*FUNCTIONS, ast.ClassDef)):
            yield child
            yield from _own(child)


def find(tree: ast.Module, qualname: str) -> ast.Module | ast.FunctionDef | ast.AsyncFunctionDef:
    """The one definition that ``qualname`` means; raises SiteError when there is none or more than one."""
    if qualname == MODULE:
        return tree
    at: ast.AST = tree
    for name in qualname.split("."):
        if name == "<locals>":
            continue
        found = [each for each in _definitions(at) if getattr(each, "name", "") == name]
        if len(found) != 1:
            raise SiteError(f"{qualname} is defined {len(found)} times")
        at = found[0]
    if not isinstance(at, ast.FunctionDef | ast.AsyncFunctionDef):
        raise SiteError(f"{qualname} is not a function")
    return at


def _definitions(node: ast.AST) -> list[ast.AST]:
    """Functions and classes defined directly in ``node``, also inside its branches."""
    found: list[ast.AST] = []
    for name in ("body", "orelse", "finalbody", "handlers", "cases"):
        for child in getattr(node, name, []):
            if isinstance(child, (*FUNCTIONS, ast.ClassDef)):
                found.append(child)
            else:
                found.extend(_definitions(child))
    return found
