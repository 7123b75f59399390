"""A package whose ``__init__`` imports all its modules to offer their names can import each when it is first asked for.

Only modules that do nothing but define things when they are imported. Names stay reachable as before, also by
``from package import name``, ``dir()`` and for type checkers; so do the modules, which imports used to bind.
"""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Iterator, Sequence

from engine.edit import Change
from engine.rules.importing import LEAST_NS, LEAST_SHARE, exported, import_facts, reads_later, resolved
from engine.rules.shape import Case, Proposal, Rule, code, proposal
from engine.site import Site, known
from engine.site.survey import Survey

_TAKEN = ("__getattr__", "__dir__", "TYPE_CHECKING", "_EXPORTS", "_MODULES")


def find(site: Site) -> Iterator[Proposal]:
    survey = site.survey
    if not site.is_module or survey is None or posixpath.basename(site.path) != "__init__.py":
        return
    package = survey.module(site.path)
    if not package or not _open_to_it(site, survey, package):
        return
    moved = [
        node
        for node in site.tree.body
        if isinstance(node, ast.ImportFrom) and _lazy(site, survey, package, node)
    ]
    if moved and _worth_it(site, package, moved):
        yield from _propose(site, survey, package, moved)


def _open_to_it(site: Site, survey: Survey, package: str) -> bool:
    """Names of its own are listed, nobody star-imports it, and no name is also the name of one of its modules."""
    module = site.scopes.module
    used = {use.id for scope in module.walk() for use in scope.uses}
    if "__all__" not in module.bindings or site.scopes.star_import or survey.star_imported(package):
        return False
    if any(name in module.bindings for name in _TAKEN) or used & known.OPAQUE_CALLS:
        return False
    return not survey.submodules(package) & (set(module.bindings) | exported(site))


def _lazy(site: Site, survey: Survey, package: str, node: ast.ImportFrom) -> bool:
    """``from .module import names`` of a quiet module, with names that this file only offers."""
    source = resolved(site, node)
    inner = source.removeprefix(f"{package}.")
    if source == inner or "." in inner or source not in survey.by_module or not survey.quiet(source):
        return False
    return all(_offered(site, survey, source, alias) for alias in node.names)


def _offered(site: Site, survey: Survey, source: str, alias: ast.alias) -> bool:
    if (
        alias.asname not in (None, alias.name)
        or alias.name == "*"
        or f"{source}.{alias.name}" in survey.by_module
    ):
        return False
    if alias.name not in exported(site) or alias.name in site.patched:
        return False
    bound = site.scopes.module.bindings[alias.name]
    return bound == [alias] and not site.scopes.uses_of(alias.name, site.scopes.module)


def _worth_it(site: Site, package: str, moved: Sequence[ast.ImportFrom]) -> bool:
    whole = site.facts.import_ns.get(package)
    cost = sum(site.facts.import_ns.get(resolved(site, node), 0.0) for node in moved)
    return bool(whole) and cost >= max(LEAST_NS, LEAST_SHARE * (whole or 0.0))


def _propose(site: Site, survey: Survey, package: str, moved: list[ast.ImportFrom]) -> Iterator[Proposal]:
    change = Change(site)
    guard = ["TYPE_CHECKING = False", "", "if TYPE_CHECKING:"]
    for node in moved:
        guard += [f"    {line}" for line in site.source.segment(node).replace("\r\n", "\n").split("\n")]
    text = "\n".join(guard) + "\n"
    change.replace_statement(moved[0], ast.parse(text).body, text)
    for node in moved[1:]:
        change.remove(node)
    served = _served(site, survey, package, moved)
    change.insert_after(site.tree.body[-1], ast.parse(served).body, served)
    modules = ", ".join(resolved(site, node).rpartition(".")[2] for node in moved[:6])
    yield from proposal(
        change,
        f"Import {modules} of {package} when they are first asked for",
        obligations=("nobody looks into the package's __dict__ for names not yet used",),
    )


def _served(site: Site, survey: Survey, package: str, moved: Sequence[ast.ImportFrom]) -> str:
    """The table of names and the functions that serve them."""
    names = {a.name: resolved(site, node).rpartition(".")[2] for node in moved for a in node.names}
    modules = sorted(_bound_modules(survey, package, [resolved(site, node) for node in moved]))
    listed = "list[str]" if reads_later(site) or site.facts.python >= (3, 9) else '"list[str]"'
    table = "".join(f'    "{name}": "{module}",\n' for name, module in sorted(names.items()))
    held = "".join(f'    "{module}",\n' for module in modules)
    return _TEMPLATE.format(table=table, held=held, listed=listed)


_TEMPLATE = '''
_EXPORTS = {{
{table}}}
_MODULES = {{
{held}}}


def __getattr__(name: str) -> object:
    """Import what is offered when it is first asked for."""
    if name not in _EXPORTS and name not in _MODULES:
        raise AttributeError(f"module {{__name__!r}} has no attribute {{name!r}}")
    from importlib import import_module

    if name in _MODULES:
        return import_module(f"{{__name__}}.{{name}}")
    value = getattr(import_module(f"{{__name__}}.{{_EXPORTS[name]}}"), name)
    globals()[name] = value
    return value


def __dir__() -> {listed}:
    """Also what is not imported yet."""
    return sorted({{*globals(), *_EXPORTS, *_MODULES}})
'''


def _bound_modules(survey: Survey, package: str, sources: Sequence[str]) -> set[str]:
    """Modules of the package that importing ``sources`` used to bind as its attributes, one through another."""
    seen: set[str] = set()
    waiting = list(sources)
    while waiting:
        name = waiting.pop()
        file = survey.by_module.get(name)
        if name in seen or file is None:
            continue
        seen.add(name)
        for base, item in file.imported:
            waiting += [base, f"{base}.{item}"]
    prefix = f"{package}."
    return {name.removeprefix(prefix).partition(".")[0] for name in seen if name.startswith(prefix)}


COSTS = import_facts(pkg=30, pkg__one=12, pkg__two=9)
FILES = {
    "pkg/one.py": "import statistics\nfrom pkg import base\n\n\ndef first(x):\n    return x + base.ONE\n",
    "pkg/two.py": "LIMIT = 3\n\n\nclass Second:\n    size: int = LIMIT\n",
    "pkg/base.py": "ONE = 1\n",
    "pkg/loud.py": "from pkg import registry\n\nregistry.add(1)\n\n\ndef shout():\n    return 1\n",
    "tests/test_pkg.py": "import pkg\n",
}
PACKAGE = code("""
    \"\"\"A package.\"\"\"

    from pkg.one import first
    from .two import Second

    __all__ = ["Second", "first"]
    __version__ = "1.0"
""")

RULE = Rule(
    id="lazy-exports",
    version=1,
    domain="structure",
    tier="guarded",
    metric="import",
    summary="A package imports what it offers when it is first asked for",
    gain=1.5,
    find=find,
    needs=("import_ns", "survey"),
    examples=(
        Case(
            why="two modules that only define things",
            source=PACKAGE,
            function="<module>",
            path="pkg/__init__.py",
            expected=code("""
                \"\"\"A package.\"\"\"

                TYPE_CHECKING = False

                if TYPE_CHECKING:
                    from pkg.one import first
                    from .two import Second

                __all__ = ["Second", "first"]
                __version__ = "1.0"
            """)
            + _TEMPLATE.format(
                table='    "Second": "two",\n    "first": "one",\n',
                held='    "base",\n    "one",\n    "two",\n',
                listed='"list[str]"',
            ),
            facts=COSTS,
            files=FILES,
        ),
    ),
    refuses=(
        Case(
            why="a name that is also a module",
            source='from pkg.one import one\n\n__all__ = ["one"]\n',
            function="<module>",
            path="pkg/__init__.py",
            facts=COSTS,
            files={**FILES, "pkg/one.py": "def one():\n    return 1\n"},
        ),
        Case(
            why="someone star-imports the package",
            source=PACKAGE,
            function="<module>",
            path="pkg/__init__.py",
            facts=COSTS,
            files={**FILES, "pkg/three.py": "from pkg import *\n"},
        ),
        Case(
            why="importing the module registers something",
            source='from pkg.loud import shout\n\n__all__ = ["shout"]\n',
            function="<module>",
            path="pkg/__init__.py",
            facts=import_facts(pkg=30, pkg__loud=12),
            files=FILES,
        ),
        Case(
            why="the package uses the name itself",
            source='from pkg.one import first\n\n__all__ = ["first"]\nTWO = first(1)\n',
            function="<module>",
            path="pkg/__init__.py",
            facts=COSTS,
            files=FILES,
        ),
        Case(
            why="what is offered is not listed",
            source="from pkg.one import first\n",
            function="<module>",
            path="pkg/__init__.py",
            facts=COSTS,
            files=FILES,
        ),
        Case(
            why="a test replaces the name",
            source=PACKAGE,
            function="<module>",
            path="pkg/__init__.py",
            facts=COSTS,
            files={
                **FILES,
                "tests/test_pkg.py": "import pkg\n\n\ndef test(monkeypatch):\n"
                '    monkeypatch.setattr(pkg, "first", 1)\n    monkeypatch.setattr(pkg, "Second", 1)\n',
            },
        ),
        Case(
            why="it is served already",
            source=PACKAGE + "\n\ndef __getattr__(name):\n    raise AttributeError(name)\n",
            function="<module>",
            path="pkg/__init__.py",
            facts=COSTS,
            files=FILES,
        ),
        Case(
            why="no cost was seen", source=PACKAGE, function="<module>", path="pkg/__init__.py", files=FILES
        ),
    ),
)
