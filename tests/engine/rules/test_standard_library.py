"""Over the standard library no rule raises, and every proposal passes the static checks without moving another byte.

The types given to the functions are made up, so that many proposals arise; nothing is run.
"""

from __future__ import annotations

import ast
import hashlib
import sysconfig
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.edit import EditRefused, apply, editable
from engine.edit.apply import splice
from engine.facts import Facts
from engine.rules import catalogue
from engine.site import SiteError, build_site, survey
from engine.site.source import SiteError as SourceError
from engine.site.source import read_source

LIBRARY = Path(sysconfig.get_paths()["stdlib"])
SKIPPED = {"site-packages", "test", "tests", "lib2to3", "idlelib", "turtledemo", "__pycache__", "config"}
FUNCTIONS_A_FILE = 5
KINDS = (
    "builtins.list[builtins.int]",
    "builtins.list[builtins.str]",
    "builtins.str",
    "builtins.int",
    "builtins.dict[builtins.str, builtins.int]",
    "builtins.list[builtins.list[builtins.float]]",
)
SIZES = ((0, 50), (0, 250_000))
GOOD_REASONS = (
    "a comment would be lost",
    "it shares its line",
    "no line of its own",
    "it stands inside an f-string",
)


def paths() -> list[Path]:
    found = (path for path in LIBRARY.rglob("*.py") if not SKIPPED & set(path.relative_to(LIBRARY).parts))
    return sorted(found)


def functions(
    node: ast.AST, prefix: str = ""
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + child.name, child
            yield from functions(child, f"{prefix}{child.name}.<locals>.")
        elif isinstance(child, ast.stmt):
            yield from functions(
                child, f"{prefix}{child.name}." if isinstance(child, ast.ClassDef) else prefix
            )


def guessed(qualname: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Facts:
    """Facts that fit nothing, but are the same in every run."""
    names = [arg.arg for arg in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]]
    spread = hashlib.sha256(qualname.encode()).digest()
    types = {name: {KINDS[(spread[0] + at) % len(KINDS)]: 3} for at, name in enumerate(names)}
    return Facts(
        arg_types=types,
        sizes=dict.fromkeys(names, SIZES[spread[1] % 2]),
        waiting_share=0.9,
        blocked_share=0.5,
        cost_ns=1e9,
    )


def check(source: bytes, path: str, qualname: str, facts: Facts, seen: Counter[str], **more: object) -> None:
    """All rules on one target; a refusal must be one of the reasons that are no fault."""
    try:
        site = build_site(source=source, path=path, qualname=qualname, facts=facts, **more)  # type: ignore[arg-type]
    except SiteError:
        seen["unreadable"] += 1
        return
    for rule in catalogue():
        try:
            for proposal in rule.find(site):
                seen[rule.id] += 1
                after = read_source(apply(site, proposal)).data
                if after == splice(site.source.data, sorted(proposal.edits, key=lambda e: (e.start, e.end))):
                    seen["only its spans"] += 1
        except EditRefused as refused:
            assert str(refused).startswith(GOOD_REASONS), (rule.id, path, qualname, str(refused))
            seen["refused"] += 1


@pytest.mark.parametrize("part", range(4))
def test_functions(part: int) -> None:
    seen: Counter[str] = Counter()
    for path in paths()[part::4]:
        source = path.read_bytes()
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError):
            continue
        for qualname, node in list(functions(tree))[:FUNCTIONS_A_FILE]:
            seen["functions"] += 1
            check(source, f"lib/{path.name}", qualname, guessed(qualname, node), seen)
    assert seen["functions"] > 500


def test_modules() -> None:
    """The packages of the standard library as one repo; every import is said to cost much."""
    names = {path.relative_to(LIBRARY).as_posix(): path for path in paths()}
    chosen = [name for name in names if "/" in name and editable(name)][:70]
    files = {name: names[name].read_bytes() for name in chosen}
    files["driver.py"] = (
        b"import json\nimport decimal\n\n\ndef f(x):\n    return decimal.Decimal(json.loads(x))\n"
    )
    whole = survey(files)
    costs = {
        name: 5e6
        for file in whole.files.values()
        for base, _ in file.imported
        for name in (base, file.module)
    }
    seen: Counter[str] = Counter()
    for path, source in files.items():
        try:
            read_source(source)
        except SourceError:
            continue
        check(source, path, "<module>", Facts(import_ns=costs), seen, survey=whole)
    assert seen["only its spans"] > 5
