"""Pass 3: nothing that protects was removed, nothing outside the code was touched, nothing grows without bound."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Generator

from engine import events as e
from engine.agents.review.verdict import state_of
from engine.edit import editable
from engine.run import Run
from engine.values import PassResult, ReviewFinding
from engine.workspace.history import changed_files

NAME = "safety"
GUARDS: tuple[tuple[str, type[ast.AST]], ...] = (
    ("except handler", ast.ExceptHandler),
    ("assert", ast.Assert),
    ("raise", ast.Raise),
    ("with block", ast.With),
    ("async with block", ast.AsyncWith),
)
PROTECTING_CALLS = frozenset({"acquire", "release", "close", "flush", "fsync", "shutdown"})
"""Methods whose disappearance leaves something open, unlocked or running."""
SECRET = re.compile(
    r"(?i)(?:api[_-]?key|secret|token|password)\s*[:=]\s*['\"][A-Za-z0-9/+_-]{16,}['\"]|-----BEGIN [A-Z ]*PRIVATE KEY"
)
UNBOUNDED = re.compile(r"lru_cache\(\s*(?:maxsize\s*=\s*)?None|functools\.cache\b|@cache\b")


def run_pass(run: Run, _before: list[PassResult]) -> Generator[e.Event, None, PassResult]:
    yield from ()
    base, head = run.workspace.base, run.workspace.head
    files = changed_files(run.workspace, base, head)
    findings: list[ReviewFinding] = []
    for path in files:
        if not editable(path):
            findings.append(
                _finding("critical", "A test, benchmark or configuration file was changed", path, path)
            )
        elif path.endswith(".py"):
            findings.extend(_removed_guards(run, path))
    findings.extend(_added_lines(run.workspace.diff(base, head)))
    summary = (
        f"{len(files)} files changed; handlers, checks, locks, caches and secrets looked at"
        if files
        else "No change"
    )
    return PassResult(name=NAME, state=state_of(findings), summary=summary, findings=tuple(findings))


def _removed_guards(run: Run, path: str) -> list[ReviewFinding]:
    commits = (run.workspace.base, run.workspace.head)
    before, after = (
        _guards(run.workspace.show(c, path)) if path in run.workspace.files(c) else Counter() for c in commits
    )
    return [
        _finding("critical", f"{count} {name}{'s' if count > 1 else ''} fewer than on the base", path, path)
        for name, count in sorted((before - after).items())
    ]


def _guards(source: bytes) -> Counter[str]:
    counts: Counter[str] = Counter()
    for node in ast.walk(ast.parse(source)):
        for name, kind in GUARDS:
            counts[name] += isinstance(node, kind)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            counts[f"{node.func.attr}() call"] += node.func.attr in PROTECTING_CALLS
    return counts


def _added_lines(diff: str) -> list[ReviewFinding]:
    findings, path = [], ""
    for line in diff.splitlines():
        if line.startswith("+++ "):
            path = line[6:]
        elif line.startswith("+") and UNBOUNDED.search(line):
            findings.append(
                _finding("high", "A cache without a bound was added", line[1:].strip()[:200], path)
            )
        elif line.startswith("+") and SECRET.search(line):
            findings.append(
                _finding("critical", "A line looks like a secret", "The value is not repeated here.", path)
            )
    return findings


def _finding(severity: str, title: str, text: str, path: str) -> ReviewFinding:
    return ReviewFinding(review_pass=NAME, severity=severity, title=title, text=text, path=path)
