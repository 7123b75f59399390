"""Shared by the rules for asynchronous code: what may run while a coroutine waits, and whether that could be noticed.

A new point at which other tasks may run is harmless when the coroutine touches nothing shared afterwards: locals,
constants and containers made by itself only. Containers that a caller handed in are read on the word of an obligation.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from engine.facts import Facts
from engine.site import Site, roles
from engine.site.binding import top_level
from engine.site.effects import Effects
from engine.site.kinds import SCALARS, SEQUENCES, SETS, Kinds, within, words_of
from engine.site.scopes import FUNCTIONS

_CLOSED = (
    ast.Try, ast.With, ast.AsyncWith, ast.AsyncFor, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp,
    ast.GeneratorExp,
)  # fmt: skip
_OPERATORS = (
    ast.BinOp,
    ast.Compare,
    ast.UnaryOp,
    ast.BoolOp,
    ast.FormattedValue,
    ast.JoinedStr,
    ast.If,
    ast.While,
)
DEPTH = 3


@dataclass
class Verdict:
    """Whether nothing shared is touched, and what that rests on."""

    good: bool
    obligations: list[str] = field(default_factory=list)


def in_the_open(site: Site, node: ast.AST) -> bool:
    """Whether ``node`` is evaluated by the coroutine itself with no lock, handler or context around it."""
    for above in site.scopes.chain(node):
        if above is site.node:
            return True
        if isinstance(above, (*_CLOSED, *FUNCTIONS, ast.ClassDef)) or type(above).__name__ == "TryStar":
            return False
    return False


def afterwards(site: Site, statement: ast.stmt) -> list[ast.AST]:
    """Everything that may run after ``statement``, itself too when it stands in a loop."""
    found: list[ast.AST] = []
    child: ast.AST = statement
    for above in site.scopes.chain(statement):
        if isinstance(above, ast.For | ast.While | ast.AsyncFor):
            found.append(above)
        else:
            for name in ("body", "orelse", "finalbody"):
                block = getattr(above, name, [])
                if isinstance(block, list) and child in block:
                    found.extend(block[block.index(child) + 1 :])
        if above is site.node:
            break
        child = above
    return found


def alone(site: Site, nodes: Sequence[ast.AST], waits: frozenset[str], depth: int = DEPTH) -> Verdict:
    """Whether running ``nodes`` touches nothing that other tasks or threads could see or change.

    ``waits`` are dotted functions whose calls only wait.
    """
    effects = site.analysis.effects(nodes)
    verdict = Verdict(good=True)
    for node in [*effects.unknown, *effects.awaits]:
        if not _only_waits(site, node, waits, depth, verdict):
            return Verdict(good=False)
    if not _harmless_doubts(effects, verdict) or not _own_changes(site, effects):
        return Verdict(good=False)
    for node in nodes:
        for each in ast.walk(node):
            if not _private_read(site, each, verdict):
                return Verdict(good=False)
    return verdict


def _only_waits(site: Site, node: ast.AST, waits: frozenset[str], depth: int, verdict: Verdict) -> bool:
    """An await of, or a call that is, nothing but waiting or another function that touches nothing shared."""
    call = node.value if isinstance(node, ast.Await) else node
    if not isinstance(call, ast.Call):
        return False
    if site.types.imported(call.func) in waits:
        return not call.keywords and all(site.analysis.judge(arg).pure for arg in call.args)
    inner = callee(site, call)
    if inner is None or depth == 0:
        return False
    found = alone(inner, inner.node.body, waits, depth - 1)
    verdict.obligations += found.obligations
    return found.good


def _harmless_doubts(effects: Effects, verdict: Verdict) -> bool:
    if not all(isinstance(node, _OPERATORS) for node in effects.mild):
        return False
    if effects.mild:
        verdict.obligations.append("operators on values of unseen types touch nothing shared")
    return True


def _own_changes(site: Site, effects: Effects) -> bool:
    own = {site.analysis.own, *site.analysis.own.walk()}
    if not all(owner in own for owner, _ in effects.stored):
        return False
    return all(change.direct and site.analysis.fresh(change.root) for change in effects.changes)


def _private_read(site: Site, node: ast.AST, verdict: Verdict) -> bool:
    """No attribute of an object, no global that can change, no container that others hold."""
    if isinstance(node, ast.Attribute):
        return bool(site.types.module_of(node.value)) or _method_of_value(site, node)
    if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
        return True
    owner = site.scopes.resolve(node)
    if owner is None:
        return True
    if owner.is_module:
        return _fixed_global(site, node)
    if owner is not site.analysis.own and not owner.is_comprehension:
        return False
    if within(site.types.of(node), SCALARS) or site.analysis.fresh(node.id) or owner.is_comprehension:
        return True
    return _looked_into(site, node, verdict)


def _method_of_value(site: Site, node: ast.Attribute) -> bool:
    """A method of a builtin value: what it does is judged where it is called."""
    call = site.scopes.parents.get(node)
    return isinstance(call, ast.Call) and call.func is node and site.types.of(node.value) is not None


def _fixed_global(site: Site, node: ast.Name) -> bool:
    bound = site.scopes.module.bindings[node.id]
    if len(bound) != 1 or not top_level(site.scopes, bound[0]):
        return False
    defined = isinstance(bound[0], (ast.alias, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    return defined or within(site.types.of(node), SCALARS)


def _looked_into(site: Site, node: ast.Name, verdict: Verdict) -> bool:
    """A local that may be an object others hold: handing it on is fine, looking into it needs the caller's word."""
    if roles.role(site.scopes, node) != roles.READ:
        return True
    kinds: Kinds | None = site.types.of(node)
    operand = isinstance(site.scopes.parents.get(node), _OPERATORS)
    if not operand and not within(kinds, SEQUENCES | SETS):
        return False
    verdict.obligations.append(f"nobody changes {node.id} meanwhile")
    return True


def callee(site: Site, call: ast.Call) -> Site | None:
    """The plain function of the same file that ``call`` surely calls, as a site with the argument types of the call."""
    if not isinstance(call.func, ast.Name) or call.func.id in site.patched:
        return None
    owner = site.scopes.resolve(call.func)
    bound = owner.bindings[call.func.id] if owner is not None and owner.is_module else []
    if len(bound) != 1 or not isinstance(bound[0], ast.FunctionDef | ast.AsyncFunctionDef):
        return None
    node = bound[0]
    if node.decorator_list or site.scopes.parents.get(node) is not site.tree:
        return None
    types = dict(_arguments(site, node, call))
    inner = replace(
        site, node=node, qualname=node.name, facts=Facts(arg_types=types, python=site.facts.python)
    )
    return None if inner.left_alone or inner.is_generator else inner


def _arguments(
    site: Site, node: ast.FunctionDef | ast.AsyncFunctionDef, call: ast.Call
) -> Iterator[tuple[str, dict[str, int]]]:
    """Parameter name -> type words, for the parameters whose types the call tells."""
    names = [arg.arg for arg in [*node.args.posonlyargs, *node.args.args]]
    given = list(zip(names, call.args, strict=False))
    given += [(keyword.arg, keyword.value) for keyword in call.keywords if keyword.arg]
    if any(isinstance(arg, ast.Starred) for arg in call.args):
        return
    for name, value in given:
        words = words_of(site.types.of(value))
        if words:
            yield name, {words: 1}


def unique(obligations: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(obligations))


def asyncio_is_used(site: Site) -> bool:
    """Whether the coroutine surely runs under asyncio: the file imports it, or no file imports another such library."""
    if "asyncio" in site.scopes.imported:
        return True
    others = {"trio", "curio", "anyio"}
    if site.survey is None or others & site.facts.packages:
        return False
    return not any(
        base.partition(".")[0] in others for f in site.survey.files.values() for base, _ in f.imported
    )
