"""What several rules look for: nodes of the function itself, loops, how many items, and building new nodes."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Sequence

from engine.site import Site
from engine.site.kinds import elements, within
from engine.site.scopes import COMPREHENSIONS, FUNCTIONS

LOOPS = (ast.For, ast.While)
MANY = 100_000
"""More items than this in a list at once is a matter of memory, fewer a matter of time."""


def own_nodes(site: Site) -> Iterator[ast.AST]:
    """Every node the target function itself evaluates, in source order; nested functions and classes are left out."""
    return iter(site.own_nodes)


def calls(site: Site) -> Iterator[ast.Call]:
    return (each for each in own_nodes(site) if isinstance(each, ast.Call))


def loops_around(site: Site, node: ast.AST) -> list[ast.AST]:
    """Loops and comprehensions of the function that evaluate ``node`` again and again, innermost first."""
    found: list[ast.AST] = []
    child = node
    for above in site.scopes.chain(node):
        if isinstance(above, (*FUNCTIONS, ast.ClassDef)):
            break
        if (
            (isinstance(above, ast.For | ast.AsyncFor) and (child in above.body))
            or (isinstance(above, ast.While) and (child in above.body or child is above.test))
            or (isinstance(above, COMPREHENSIONS) and child is not above.generators[0])
        ):
            found.append(above)
        elif isinstance(above, ast.comprehension) and child is not above.iter:
            found.append(site.scopes.parents[above])
        child = above
    return list(dict.fromkeys(found))


def repeated(loop: ast.AST) -> list[ast.AST]:
    """The parts of a loop that run more than once."""
    if isinstance(loop, ast.While):
        return [loop.test, *loop.body]
    if isinstance(loop, ast.For | ast.AsyncFor):
        return [loop.target, *loop.body]
    generators: list[ast.comprehension] = loop.generators  # type: ignore[attr-defined]
    first = generators[0]
    outs = [loop.key, loop.value] if isinstance(loop, ast.DictComp) else [loop.elt]  # type: ignore[attr-defined]
    return [first.target, *first.ifs, *generators[1:], *outs]


def at_once(site: Site, generator: ast.GeneratorExp) -> bool:
    """Whether a builtin consumes the generator where it stands, so that it runs inside its statement."""
    call = site.scopes.parents.get(generator)
    names = ("any", "all", "sum", "list", "tuple", "set", "sorted", "min", "max")
    return isinstance(call, ast.Call) and site.types.builtin(call.func) in names


def statement_of(site: Site, node: ast.AST) -> ast.stmt:
    """The statement that ``node`` is or belongs to."""
    for each in (node, *site.scopes.chain(node)):
        if isinstance(each, ast.stmt):
            return each
    raise LookupError("the node belongs to no statement")


def header(node: ast.stmt) -> list[ast.AST]:
    """What a statement evaluates before any statement inside it; the whole of a simple one."""
    if isinstance(node, ast.If | ast.While):
        return [node.test]
    if isinstance(node, ast.For):
        return [node.iter]
    inner = [each for each in ast.iter_child_nodes(node) if isinstance(each, ast.stmt)]
    return (
        [node] if not inner else [each for each in ast.iter_child_nodes(node) if isinstance(each, ast.expr)]
    )


def words(site: Site, node: ast.AST, limit: int = 60) -> str:
    """``node`` as written, on one line, for a claim."""
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def most_items(site: Site, source: ast.expr) -> int | None:
    """The most items iterating ``source`` was seen to give, or can give; None when unknown."""
    if isinstance(source, ast.Constant) and isinstance(source.value, str | bytes):
        return len(source.value)
    if isinstance(source, ast.List | ast.Tuple | ast.Set):
        return None if any(isinstance(e, ast.Starred) for e in source.elts) else len(source.elts)
    if isinstance(source, ast.Name):
        return _most_of_name(site, source)
    if (
        isinstance(source, ast.Attribute)
        and isinstance(source.value, ast.Name)
        and site.types.plain_attribute(source)
    ):
        return site.facts.largest(f"{source.value.id}.{source.attr}")
    if isinstance(source, ast.ListComp | ast.GeneratorExp | ast.SetComp):
        return most_generated(site, source.generators)
    if isinstance(source, ast.Call):
        return _most_of_call(site, source)
    return None


def most_generated(site: Site, generators: Sequence[ast.comprehension]) -> int | None:
    """The most items that nested generators can give together."""
    total = 1
    for each in generators:
        count = most_items(site, each.iter)
        if count is None:
            return None
        total *= count
    return total


def _most_of_name(site: Site, name: ast.Name) -> int | None:
    owner = site.scopes.resolve(name)
    if owner is None or owner is not site.scopes.scope(site.node):
        return None
    bound = owner.bindings[name.id]
    if len(bound) != 1:
        return None
    if isinstance(bound[0], ast.arg):
        return site.facts.largest(name.id)
    parent = site.scopes.parents.get(bound[0])
    simple = (
        isinstance(parent, ast.Assign)
        and parent.targets[0] is bound[0]
        and not isinstance(parent.value, ast.Name)
    )
    return most_items(site, parent.value) if simple and isinstance(parent, ast.Assign) else None


def _most_of_call(site: Site, call: ast.Call) -> int | None:
    name = site.types.builtin(call.func)
    if name == "range" and call.args:
        return most_number(site, call.args[0] if len(call.args) == 1 else call.args[1])
    if name in ("enumerate", "reversed", "sorted", "list", "tuple", "set", "iter") and call.args:
        return most_items(site, call.args[0])
    if name == "zip" and call.args:
        known = [count for count in (most_items(site, arg) for arg in call.args) if count is not None]
        return min(known, default=None)
    if (
        isinstance(call.func, ast.Attribute)
        and call.func.attr in ("items", "keys", "values", "copy")
        and not call.args
    ):
        return most_items(site, call.func.value)
    return None


def most_number(site: Site, node: ast.expr) -> int | None:
    """The largest whole number ``node`` was seen to be, or can be."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return int(node.value)
    if isinstance(node, ast.Call) and site.types.builtin(node.func) == "len" and node.args:
        return most_items(site, node.args[0])
    if isinstance(node, ast.Name):
        owner = site.scopes.resolve(node)
        single = owner is site.scopes.scope(site.node) and len(owner.bindings[node.id]) == 1
        span = site.facts.values.get(node.id) if single else None
        return int(span[1]) if span else None
    return None


def build(template: str, **parts: ast.AST | str) -> list[ast.stmt]:
    """Statements of ``template`` with names replaced: by nodes (taken over as they are) or by other names."""
    tree = ast.parse(template)
    return [_Fill(parts).visit(node) for node in tree.body]


def build_expression(template: str, **parts: ast.AST | str) -> ast.expr:
    node = build(template, **parts)[0]
    assert isinstance(node, ast.Expr)
    return node.value


class _Fill(ast.NodeTransformer):
    def __init__(self, parts: dict[str, ast.AST | str]) -> None:
        self.parts = parts

    def visit_Name(self, node: ast.Name) -> ast.AST:
        part = self.parts.get(node.id)
        if part is None:
            return node
        if isinstance(part, str):
            return ast.Name(id=part, ctx=node.ctx)
        return part


def fresh_copy(node: ast.AST) -> ast.AST:
    return copy.deepcopy(node)


def items_within(site: Site, source: ast.expr, allowed: frozenset[str]) -> bool:
    """Whether every item of the container ``source`` is of an allowed exact type."""
    return within(elements(site.types.of(source)), allowed)
