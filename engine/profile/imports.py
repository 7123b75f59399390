"""Import time: ``-X importtime`` in several fresh processes, the least of each module, as one table.

A module's *own* cost is its body and what it is first to import from outside the repo; its *total* includes the repo's
own modules below it. A share is of importing the module in a fresh process, its parent packages included.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.profile.scope import module_name
from engine.profile.tools import Bench

RUNS = 10
LEAST_RUNS = 3
SECONDS = 3.0
RUN_SECONDS = 30.0
MODULES = 80
_LINE = re.compile(r"^import time:\s*(\d+) \|\s*(\d+) \|( *)(\S+)$")
_NOT_IMPORTED = re.compile(r"(^|\.)(__main__|conftest|setup|tests?|test_[^.]*|[^.]*_test)(\.|$)")


@dataclass(frozen=True, kw_only=True)
class ModuleRow:
    """One module of the repo. Times are ns. ``imports`` are the modules it is first to import, with their totals."""

    id: str
    name: str
    path: str
    entry: str
    own_ns: float
    total_ns: float
    entry_ns: float
    share: float
    reach: float
    imports: Mapping[str, float] = field(default_factory=dict)


@dataclass(kw_only=True)
class Imported:
    """A node of the import tree; ``own`` is ns of the module's body alone."""

    name: str
    own: float
    children: list[Imported] = field(default_factory=list)

    @property
    def total(self) -> float:
        return self.own + sum(child.total for child in self.children)


def time_imports(bench: Bench) -> tuple[tuple[ModuleRow, ...], dict[str, float], list[str]]:
    """The modules table, the total ns of every module imported, and notes."""
    names = repo_modules(bench)
    if not names:
        return (), {}, ["no package of this repo was found to import"]
    forest, notes = _measure(bench, names)
    rows = sorted(_rows(bench, forest), key=lambda row: (-row.share, row.path))
    return tuple(rows), {node.name: node.total for node in _all(forest)}, notes


def repo_modules(bench: Bench) -> list[str]:
    """Packages first, then their modules; tests and ``__main__`` are not imported."""
    roots, tree = bench.environment.import_roots or (".",), bench.scope.tree
    found: list[str] = list(bench.environment.packages)
    for place in bench.scope.roots:
        for path in sorted((tree / place).rglob("*.py")) if (tree / place).is_dir() else []:
            name = module_name(path.relative_to(tree).as_posix(), roots)
            if not _NOT_IMPORTED.search(name):
                found.append(name)
    return list(dict.fromkeys(found))[:MODULES]


def _measure(bench: Bench, names: Sequence[str]) -> tuple[list[Imported], list[str]]:
    best: list[Imported] = []
    notes: list[str] = []
    started = time.monotonic()
    for run in range(RUNS + 1):
        if run > LEAST_RUNS and time.monotonic() - started > SECONDS:
            break
        done = bench.imports(names, seconds=RUN_SECONDS)
        if done.cancelled or done.limit:
            return best, [*notes, f"import timing met its {done.limit or 'cancel'} limit"]
        forest = parse(done.stderr.decode("utf-8", "replace"))
        notes = [f"import of {words[1]} failed: {words[2]}" for words in _failures(done.stdout)]
        best = least(best, forest) if run > 1 else forest
    return best, notes[:10]


def _failures(stdout: bytes) -> Iterator[list[str]]:
    for line in stdout.decode("utf-8", "replace").splitlines():
        words = line.split("\t")
        if len(words) == 3 and words[0] == "failed":
            yield words


def parse(text: str) -> list[Imported]:
    """The import forest of one run. Children are printed before their parent, two spaces deeper."""
    waiting: dict[int, list[Imported]] = {}
    for line in text.splitlines():
        match = _LINE.match(line)
        if match:
            own, depth = float(match[1]) * 1000, len(match[3]) // 2
            node = Imported(name=match[4], own=own, children=waiting.pop(depth + 1, []))
            waiting.setdefault(depth, []).append(node)
    return waiting.get(min(waiting), []) if waiting else []


def least(a: list[Imported], b: list[Imported]) -> list[Imported]:
    """``a`` with each module's own time lowered to the one in ``b`` where that is less."""
    times = {node.name: node.own for node in _all(b)}
    for node in _all(a):
        node.own = min(node.own, times.get(node.name, node.own))
    return a


def _all(forest: Sequence[Imported]) -> Iterator[Imported]:
    for node in forest:
        yield node
        yield from _all(node.children)


def _rows(bench: Bench, forest: Sequence[Imported]) -> Iterator[ModuleRow]:
    totals = {node.name: node.total for node in forest}
    for entry in forest:
        parents = [entry.name.rsplit(".", depth)[0] for depth in range(1, entry.name.count(".") + 1)]
        cost = entry.total + sum(totals.get(name, 0.0) for name in dict.fromkeys(parents))
        for node in _all([entry]):
            path = _path_of(bench, node.name)
            if path and cost > 0:
                yield _row(bench, node, path, entry.name, cost)


def _row(bench: Bench, node: Imported, path: str, entry: str, cost: float) -> ModuleRow:
    outside = [child for child in node.children if not _path_of(bench, child.name)]
    own = node.own + sum(child.total for child in outside)
    return ModuleRow(
        id=f"{path}::<module>",
        name=node.name,
        path=path,
        entry=entry,
        own_ns=own,
        total_ns=node.total,
        entry_ns=cost,
        share=own / cost,
        reach=node.total / cost,
        imports={child.name: child.total for child in node.children},
    )


def _path_of(bench: Bench, name: str) -> str:
    """The file of a module of the repo, relative to the tree, or an empty string."""
    if name.split(".")[0] not in bench.environment.packages:
        return ""
    for root in bench.environment.import_roots or (".",):
        for tail in (".py", "/__init__.py"):
            path = Path(root) / (name.replace(".", "/") + tail)
            if (bench.scope.tree / path).is_file():
                return path.as_posix()
    return ""
