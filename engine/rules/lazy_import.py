"""An expensive import that only few functions need moves into them, so that starting up does not pay for it.

The imported module must do nothing but define things when it is imported, and its name here may be used by those
functions alone: not by other files, not by tests that replace it, not while this module itself runs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from engine.edit import Change
from engine.rules.importing import (
    Import,
    costly_imports,
    decorated,
    import_facts,
    in_annotation_text,
    source_of,
)
from engine.rules.shape import Case, Proposal, Rule, code, proposal
from engine.site import Site
from engine.site.scopes import FUNCTIONS

FEW = 4
HOT = 1000
"""More calls than this in the workload, and the import statement inside may be felt."""

LOOPS = frozenset({"asyncio", "trio", "anyio", "curio"})
"""A coroutine runs under one of these, so it is imported already."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def find(site: Site) -> Iterator[Proposal]:
    for node, names in costly_imports(site):
        users = _users(site, names)
        if (
            in_annotation_text(site, names)
            or users is None
            or not 0 < len(users) <= FEW
            or any(_hot(site, each) for each in users)
        ):
            continue
        if source_of(site, node) not in LOOPS or not any(isinstance(f, ast.AsyncFunctionDef) for f in users):
            yield from _propose(site, node, users)


def _users(site: Site, names: Sequence[str]) -> dict[Function, set[str]] | None:
    """The outermost functions whose bodies use the names; None when a name is used elsewhere, or not at all."""
    found: dict[Function, set[str]] = {}
    for name in names:
        uses = site.scopes.uses_of(name, site.scopes.module)
        for use in uses:
            function = _outermost(site, use)
            if function is None or not isinstance(use.ctx, ast.Load) or decorated(function):
                return None
            found.setdefault(function, set()).add(name)
        if not uses:
            return None
    return found


def _outermost(site: Site, use: ast.Name) -> Function | None:
    """The outermost function in whose body ``use`` is evaluated; None for the module's or a class's own code."""
    scope, found = site.scopes.around(use), None
    while scope is not None and not scope.is_module:
        if isinstance(scope.node, FUNCTIONS):
            found = scope.node
        scope = scope.parent  # type: ignore[assignment]
    return found if isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef) else None


def _hot(site: Site, function: Function) -> bool:
    names = [
        function.name,
        *(each.name for each in site.scopes.chain(function) if isinstance(each, ast.ClassDef)),
    ]
    return site.facts.called.get(".".join(reversed(names)), 0) > HOT


def _propose(site: Site, node: Import, users: dict[Function, set[str]]) -> Iterator[Proposal]:
    change = Change(site)
    change.remove(node)
    change.hidden.update(alias.asname or alias.name for alias in node.names)
    for function, names in users.items():
        first = _first_statement(function)
        change.insert_before(
            first, [_part(node, names)], gap=not isinstance(first, ast.Import | ast.ImportFrom)
        )
    where = ", ".join(each.name for each in users)
    obligations = (f"importing {source_of(site, node)} has no effect that something else waits for",)
    yield from proposal(
        change, f"Import {source_of(site, node)} in {where}, not at start", obligations=obligations
    )


def _part(node: Import, names: set[str]) -> Import:
    """The import of just the names that one function uses."""
    kept = [ast.alias(name=a.name, asname=a.asname) for a in node.names if (a.asname or a.name) in names]
    if isinstance(node, ast.Import):
        return ast.Import(names=kept)
    return ast.ImportFrom(module=node.module, names=kept, level=node.level)


def _first_statement(function: Function) -> ast.stmt:
    first = function.body[0]
    text = (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )
    return function.body[1] if text and len(function.body) > 1 else first


COSTS = import_facts(pkg__mod=20, statistics=12, pkg=1)
REPO = {"pkg/__init__.py": "", "tests/test_mod.py": "from pkg.mod import f\n"}
BODY = """


def f(xs):
    return statistics.median(xs)


def g():
    return 1
"""

RULE = Rule(
    id="lazy-import",
    version=1,
    domain="structure",
    tier="guarded",
    metric="import",
    summary="An expensive import moves into the few functions that use it",
    gain=1.3,
    find=find,
    needs=("import_ns", "survey"),
    examples=(
        Case(
            why="one function uses it",
            source=code("""
                \"\"\"Prices.\"\"\"

                import os
                import statistics


                def f(xs):
                    \"\"\"The middle one.\"\"\"
                    xs = xs or [0]
                    return statistics.median(xs)


                def g():
                    return os.sep
            """),
            function="<module>",
            expected=code("""
                \"\"\"Prices.\"\"\"

                import os


                def f(xs):
                    \"\"\"The middle one.\"\"\"
                    import statistics

                    xs = xs or [0]
                    return statistics.median(xs)


                def g():
                    return os.sep
            """),
            facts=COSTS,
            files=REPO,
            inputs=("list[int]",),
        ),
        Case(
            why="it is the only import",
            source='"""Prices."""\n\nfrom statistics import median\n\n\ndef f(xs):\n    return median(xs or [0])\n',
            function="<module>",
            expected=code("""
                \"\"\"Prices.\"\"\"


                def f(xs):
                    from statistics import median

                    return median(xs or [0])
            """),
            facts=COSTS,
            files=REPO,
            inputs=("list[int]",),
        ),
    ),
    refuses=(
        Case(
            why="the module itself uses it",
            source="import statistics\n\nMEAN = statistics.mean([1])" + BODY,
            function="<module>",
            facts=COSTS,
            files=REPO,
        ),
        Case(
            why="a default value uses it",
            source="import statistics\n\n\ndef f(how=statistics.median):\n    return how([1])\n",
            function="<module>",
            facts=COSTS,
            files=REPO,
        ),
        Case(
            why="a test replaces the name",
            source="import statistics" + BODY,
            function="<module>",
            facts=COSTS,
            files={
                **REPO,
                "tests/test_mod.py": 'def test(mocker):\n    mocker.patch("pkg.mod.statistics")\n',
            },
        ),
        Case(
            why="another file takes it from here",
            source="import statistics" + BODY,
            function="<module>",
            facts=COSTS,
            files={**REPO, "pkg/other.py": "from pkg.mod import statistics\n"},
        ),
        Case(
            why="another file reaches it through this module",
            source="import statistics" + BODY,
            function="<module>",
            facts=COSTS,
            files={**REPO, "pkg/other.py": "from pkg import mod\n\nprint(mod.statistics)\n"},
        ),
        Case(
            why="importing it does something",
            source="import readline\n\n\ndef f():\n    return readline.get_line_buffer()\n",
            function="<module>",
            facts=import_facts(pkg__mod=20, readline=12),
            files=REPO,
        ),
        Case(
            why="it costs next to nothing",
            source="import statistics" + BODY,
            function="<module>",
            facts=import_facts(pkg__mod=20, statistics=0.4),
            files=REPO,
        ),
        Case(
            why="the function is called all the time",
            source="import statistics" + BODY,
            function="<module>",
            facts=type(COSTS)(import_ns=COSTS.import_ns, called={"f": 50_000}),
            files=REPO,
        ),
        Case(
            why="nobody looked at the rest of the repo",
            source="import statistics" + BODY,
            function="<module>",
            facts=COSTS,
        ),
        Case(
            why="the package offers it to its users",
            source='import statistics\n\n__all__ = ["f", "statistics"]' + BODY,
            function="<module>",
            facts=COSTS,
            files=REPO,
        ),
        Case(
            why="a guarded import is another matter",
            source="try:\n    import statistics\nexcept ImportError:\n    statistics = None" + BODY,
            function="<module>",
            facts=COSTS,
            files=REPO,
        ),
    ),
)
