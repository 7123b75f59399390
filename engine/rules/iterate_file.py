"""``for line in file.readlines()`` holds the whole file; the file gives its lines one by one as well.

The file must be one whose lines are those of ``readlines``, must not be touched in the loop, and what the loop does
must vanish with an error: a text that cannot be decoded to its end would otherwise be noticed later than before.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.edit import Change
from engine.facts import Facts
from engine.rules.looking import calls, repeated, words
from engine.rules.shape import Case, Proposal, Rule, code, proposal
from engine.site import Site
from engine.site.effects import Effects
from engine.site.kinds import within

FILES = frozenset({"_io.TextIOWrapper", "_io.StringIO", "_io.BytesIO", "_io.BufferedReader"})
OBLIGATION = "the file can be read and decoded to its end"
_HARMLESS = (ast.BinOp, ast.Compare, ast.UnaryOp, ast.BoolOp, ast.FormattedValue, ast.If)


def find(site: Site) -> Iterator[Proposal]:
    if not site.plain_function:
        return
    for call in calls(site):
        func = call.func
        if not isinstance(func, ast.Attribute) or func.attr != "readlines" or call.args or call.keywords:
            continue
        if not isinstance(func.value, ast.Name) or not within(site.types.of(func.value), FILES):
            continue
        loop = _loop_over(site, call)
        if loop is not None and _quiet(site, loop, func.value):
            change = Change(site)
            change.replace(call, func.value)
            claim = f"Read {words(site, func.value)} line by line, not all lines at once"
            yield from proposal(change, claim, obligations=(OBLIGATION,))


def _loop_over(site: Site, call: ast.Call) -> ast.AST | None:
    """The loop or comprehension that ``call`` is the first iterable of, at most through ``enumerate``."""
    above = site.scopes.parents.get(call)
    if (
        isinstance(above, ast.Call)
        and site.types.builtin(above.func) == "enumerate"
        and above.args[0] is call
    ):
        call, above = above, site.scopes.parents.get(above)
    if isinstance(above, ast.For) and above.iter is call:
        return above
    if isinstance(above, ast.comprehension) and above.iter is call and not above.is_async:
        whole = site.scopes.parents[above]
        lazy = isinstance(whole, ast.GeneratorExp)
        return whole if whole.generators[0] is above and not lazy else None  # type: ignore[attr-defined]
    return None


def _quiet(site: Site, loop: ast.AST, file: ast.Name) -> bool:
    """Whether the loop leaves the file alone and does nothing that would outlive an error in the middle."""
    parts = repeated(loop)
    if any(isinstance(each, ast.Name) and each.id == file.id for part in parts for each in ast.walk(part)):
        return False
    if not _private(site, file) or _inside_try(site, loop):
        return False
    effects = site.analysis.effects(parts)
    if (
        effects.unknown
        or effects.awaits
        or any(not isinstance(each, ast.Continue) for each in effects.leaves)
    ):
        return False
    return _own_only(site, effects)


def _own_only(site: Site, effects: Effects) -> bool:
    """Changes reach only the function's own new containers; doubts are about operators alone."""
    if not all(isinstance(node, _HARMLESS) for node in effects.mild):
        return False
    return all(change.direct and site.analysis.fresh(change.root) for change in effects.changes)


def _private(site: Site, file: ast.Name) -> bool:
    """One binding: opened here by ``with``, or handed in. Nothing else in the loop can then read or write it."""
    owner = site.scopes.resolve(file)
    if owner is not site.analysis.own or len(owner.bindings[file.id]) != 1:
        return False
    bound = owner.bindings[file.id][0]
    return isinstance(bound, ast.arg) or isinstance(site.scopes.parents.get(bound), ast.withitem)


def _inside_try(site: Site, node: ast.AST) -> bool:
    """Whether a handler of the function could see what the loop had done when an error came."""
    for above in site.scopes.chain(node):
        if isinstance(above, ast.Try) or type(above).__name__ == "TryStar":
            return True
        if above is site.node:
            return False
    return False


STRINGIO = Facts(arg_types={"log": {"_io.StringIO": 4}})

RULE = Rule(
    id="iterate-file",
    version=1,
    domain="memory",
    tier="guarded",
    metric="peak",
    summary="Looping over readlines() becomes looping over the file",
    gain=2.0,
    find=find,
    examples=(
        Case(
            why="a file opened here",
            source=code("""
                def f(path):
                    highest = {}
                    with open(path, encoding="utf-8") as table:
                        for line in table.readlines():
                            zone, cents = line.split(";")
                            if int(cents) > highest.get(zone, -1):
                                highest[zone] = int(cents)
                    return highest
            """),
            function="f",
            expected=code("""
                def f(path):
                    highest = {}
                    with open(path, encoding="utf-8") as table:
                        for line in table:
                            zone, cents = line.split(";")
                            if int(cents) > highest.get(zone, -1):
                                highest[zone] = int(cents)
                    return highest
            """),
        ),
        Case(
            why="a text file in memory",
            source="def f(log):\n    return [line.strip() for line in log.readlines() if line]\n",
            function="f",
            expected="def f(log):\n    return [line.strip() for line in log if line]\n",
            facts=STRINGIO,
            inputs=("_io.StringIO",),
        ),
    ),
    refuses=(
        Case(
            why="the file is written in the loop",
            source="def f(log):\n    for line in log.readlines():\n        log.write(line)\n",
            function="f",
            facts=STRINGIO,
        ),
        Case(
            why="the place in the file is asked for",
            source=code("""
                def f(log):
                    at = []
                    for line in log.readlines():
                        at.append(log.tell())
                    return at
            """),
            function="f",
            facts=STRINGIO,
        ),
        Case(
            why="an effect before a line that cannot be decoded",
            source=code("""
                def f(path, send):
                    with open(path) as lines:
                        for line in lines.readlines():
                            send(line)
            """),
            function="f",
        ),
        Case(
            why="an early return would hide an error further down",
            source=code("""
                def f(path):
                    with open(path) as lines:
                        for line in lines.readlines():
                            if line.strip():
                                return line
            """),
            function="f",
        ),
        Case(
            why="splitlines splits elsewhere",
            source="def f(log):\n    return [line for line in log.read().splitlines()]\n",
            function="f",
            facts=STRINGIO,
        ),
        Case(
            why="the lines are used again",
            source="def f(log):\n    lines = log.readlines()\n    return [line for line in lines], lines\n",
            function="f",
            facts=STRINGIO,
        ),
        Case(
            why="a handler sees what was done before the error",
            source=code("""
                def f(path):
                    out = []
                    try:
                        with open(path) as lines:
                            for line in lines.readlines():
                                out.append(line)
                    except UnicodeDecodeError:
                        pass
                    return out
            """),
            function="f",
        ),
        Case(
            why="a lazy generator reads after the file is closed",
            source="def f(log):\n    return (line for line in log.readlines())\n",
            function="f",
            facts=STRINGIO,
        ),
        Case(
            why="nobody saw what it is",
            source="def f(log):\n    return [line for line in log.readlines()]\n",
            function="f",
        ),
        Case(
            why="a list is filled that the caller holds",
            source=code("""
                def f(path, out):
                    with open(path) as lines:
                        for line in lines.readlines():
                            out.append(line)
            """),
            function="f",
            facts=Facts(arg_types={"out": {"builtins.list": 1}}),
        ),
    ),
)
