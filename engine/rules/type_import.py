"""An import that only annotations use is for type checkers: under ``TYPE_CHECKING`` no run pays for it.

The module must keep its annotations as text, and nothing may evaluate them: no dataclass or framework that reads them,
no ``get_type_hints`` that could meet them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from engine.edit import Change
from engine.edit.imports import bring
from engine.rules.importing import (
    Import,
    annotation_nodes,
    costly_imports,
    decorated,
    import_facts,
    imported_tops,
    own_tops,
    reads_later,
    source_of,
)
from engine.rules.shape import Case, Proposal, Rule, code, proposal
from engine.site import Site
from engine.site.known import words

READERS = words(
    "pydantic attr attrs msgspec typer fastapi litestar strawberry sqlmodel typeguard beartype cattrs injector dacite "
    "fire tap marshmallow_dataclass ninja graphene dependency_injector jsonargparse simple_parsing cyclopts"
)
"""Packages that evaluate annotations of what they are given."""
LOCAL_READERS = words("dataclasses sqlalchemy click flask functools singledispatch")
"""Packages that may, so that a file that uses them is left alone."""


def find(site: Site) -> Iterator[Proposal]:
    if not site.is_module or site.survey is None or not reads_later(site) or _evaluated(site):
        return
    for node, names in costly_imports(site):
        if _only_annotations(site, names):
            yield from _propose(site, node)


def _only_annotations(site: Site, names: Sequence[str]) -> bool:
    inside = annotation_nodes(site)
    uses = [site.scopes.uses_of(name, site.scopes.module) for name in names]
    return all(each and all(id(use) in inside for use in each) for each in uses)


def _evaluated(site: Site) -> bool:
    """Whether anything may look the annotations of this file up at run time."""
    assert site.survey is not None
    if READERS & imported_tops(site) or LOCAL_READERS & own_tops(site):
        return True
    if not site.survey.evaluators():
        return _decorated(site)
    has_classes = any(isinstance(node, ast.ClassDef) for node in ast.walk(site.tree))
    return has_classes or _decorated(site) or site.survey.may_evaluate(site.path)


def _decorated(site: Site) -> bool:
    """Whether some decorator could read a function's annotations."""
    return any(decorated(node) for node in ast.walk(site.tree))


def _propose(site: Site, node: Import) -> Iterator[Proposal]:
    change = Change(site)
    change.hidden.update(alias.asname or alias.name for alias in node.names)
    block = _block(site)
    moved = _copy(node)
    if block is not None:
        change.insert_after(block.body[-1], [moved])
    else:
        test = bring(change, "typing", "TYPE_CHECKING")
        at = _last_import(site)
        text = f"\nif {ast.unparse(test)}:\n    {ast.unparse(moved)}\n"
        change.insert_after(at, [ast.If(test=test, body=[moved], orelse=[])], text)
    change.remove(node)
    module = source_of(site, node)
    yield from proposal(
        change,
        f"Import {module} for type checkers only",
        obligations=(
            "nothing evaluates the annotations of this file",
            f"importing {module} has no needed effect",
        ),
    )


def _copy(node: Import) -> Import:
    names = [ast.alias(name=a.name, asname=a.asname) for a in node.names]
    if isinstance(node, ast.Import):
        return ast.Import(names=names)
    return ast.ImportFrom(module=node.module, names=names, level=node.level)


def _block(site: Site) -> ast.If | None:
    """The module's own block for type checkers."""
    for node in site.tree.body:
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            return node if not node.orelse else None
    return None


def _last_import(site: Site) -> ast.stmt:
    """The last import before anything else runs."""
    last = None
    for node in site.tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            last = node
        elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            break
    assert last is not None
    return last


COSTS = import_facts(pkg__mod=20, http=1, http__client=12)
REPO = {"pkg/__init__.py": "", "tests/test_mod.py": "from pkg.mod import f\n"}
FEED = """

def f(response: HTTPResponse) -> int:
    return int(response)
"""
HEAD = "from __future__ import annotations\n\nfrom http.client import HTTPResponse\n"

RULE = Rule(
    id="type-import",
    version=1,
    domain="structure",
    tier="guarded",
    metric="import",
    summary="An import that only annotations use moves under TYPE_CHECKING",
    gain=1.3,
    find=find,
    needs=("import_ns", "survey"),
    examples=(
        Case(
            why="typing is imported already",
            source=code("""
                from __future__ import annotations

                from http.client import HTTPResponse
                from typing import List


                def f(response: HTTPResponse) -> List[int]:
                    return [int(response)]
            """),
            function="<module>",
            expected=code("""
                from __future__ import annotations

                from typing import TYPE_CHECKING, List

                if TYPE_CHECKING:
                    from http.client import HTTPResponse


                def f(response: HTTPResponse) -> List[int]:
                    return [int(response)]
            """),
            facts=COSTS,
            files=REPO,
            inputs=("int",),
        ),
        Case(
            why="there is a block for type checkers",
            source=code("""
                from __future__ import annotations

                import typing
                from http.client import HTTPResponse

                if typing.TYPE_CHECKING:
                    import os


                def f(response: HTTPResponse) -> os.PathLike[str]:
                    return int(response)
            """),
            function="<module>",
            expected=code("""
                from __future__ import annotations

                import typing

                if typing.TYPE_CHECKING:
                    import os
                    from http.client import HTTPResponse


                def f(response: HTTPResponse) -> os.PathLike[str]:
                    return int(response)
            """),
            facts=COSTS,
            files=REPO,
            inputs=("int",),
        ),
    ),
    refuses=(
        Case(
            why="annotations are evaluated as the module runs",
            source="from http.client import HTTPResponse\n" + FEED,
            function="<module>",
            facts=COSTS,
            files=REPO,
        ),
        Case(
            why="a dataclass reads its annotations",
            source=code("""
                from __future__ import annotations

                from dataclasses import dataclass
                from http.client import HTTPResponse


                @dataclass
                class Feed:
                    response: HTTPResponse
            """),
            function="<module>",
            facts=COSTS,
            files=REPO,
        ),
        Case(
            why="hints are read in this file",
            source=HEAD.replace("HTTPResponse\n", "HTTPResponse\nfrom typing import get_type_hints\n")
            + FEED
            + "\n\nHINTS = get_type_hints(f)\n",
            function="<module>",
            facts=COSTS,
            files=REPO,
        ),
        Case(
            why="another file reads the hints of what it takes from here",
            source=HEAD + FEED,
            function="<module>",
            facts=COSTS,
            files={
                **REPO,
                "pkg/hints.py": "import typing\nfrom pkg.mod import f\n\nprint(typing.get_type_hints(f))\n",
            },
        ),
        Case(
            why="a framework of the repo reads annotations",
            source=HEAD + FEED,
            function="<module>",
            facts=COSTS,
            files={**REPO, "pkg/app.py": "import fastapi\n"},
        ),
        Case(
            why="a decorator may read annotations",
            source=HEAD + "from pkg.app import command\n" + FEED.replace("def f", "@command\ndef f"),
            function="<module>",
            facts=COSTS,
            files={**REPO, "pkg/app.py": "def command(f):\n    return f\n"},
        ),
        Case(
            why="it is also used as a value",
            source=HEAD + FEED + "\n\ndef g(x):\n    return isinstance(x, HTTPResponse)\n",
            function="<module>",
            facts=COSTS,
            files=REPO,
        ),
        Case(
            why="another file takes it from here",
            source=HEAD + FEED,
            function="<module>",
            facts=COSTS,
            files={**REPO, "pkg/other.py": "from .mod import HTTPResponse\n"},
        ),
        Case(
            why="an import that nothing uses is there for another reason",
            source=HEAD + "\n\ndef f():\n    return 1\n",
            function="<module>",
            facts=COSTS,
            files=REPO,
        ),
    ),
)
