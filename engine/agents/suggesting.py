"""Inputs the researcher suggests for a target: literal calls of it that the repo writes down anywhere.

Examples in docstrings, scripts, documentation code and tests say what callers mean to pass. They are read, never run,
and join the invented inputs of layer 5.
"""

from __future__ import annotations

import ast
import doctest
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.run import Run
from engine.site import Survey
from engine.verify.invent import parameters
from engine.verify.trees import is_check

MOST, MOST_CHARS = 40, 1000
_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


def suggest(survey: Survey, target_id: str) -> tuple[str, ...]:
    """Up to 40 inputs, one dict literal by parameter name each; calls outside of tests first, then by path and line."""
    path, _, qualname = target_id.rpartition("::")
    node = _function(survey, path, qualname)
    if node is None:
        return ()
    names = _names(node)
    files = sorted(survey.files.values(), key=lambda file: (is_check(file.path), file.path))
    found = (
        text
        for file in files
        if file.tree is not None
        for call in _calls(file.tree, node.name)
        if (text := _literal(call, names))
    )
    return tuple(dict.fromkeys(found))[:MOST]


def file_for(run: Run, target_id: str) -> Path | None:
    """The file of inputs for the verification of a target; None when nobody suggested any."""
    finding = run.findings.get(target_id)
    if finding is None or not finding.inputs:
        return None
    path = run.work / "inputs" / f"{hashlib.sha256(target_id.encode()).hexdigest()[:20]}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(finding.inputs) + "\n", encoding="utf-8")
    return path


def _function(survey: Survey, path: str, qualname: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    file = survey.files.get(path)
    node: ast.AST | None = file.tree if file else None
    for name in qualname.split("."):
        body = getattr(node, "body", [])
        node = next((each for each in reversed(body) if getattr(each, "name", None) == name), None)
    return node if isinstance(node, _FUNCTION) else None


def _names(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Parameters that a call may fill; the object of a method is not among them."""
    names = [each.name for each in parameters(node) if not each.variadic]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


def _calls(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    """Calls of anything with this name, in the code and in the examples of docstrings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and name == getattr(node.func, "id", getattr(node.func, "attr", "")):
            yield node
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and ">>> " in node.value:
            for example in _examples(node.value):
                yield from _calls(example, name)


def _examples(text: str) -> Iterator[ast.Module]:
    """The statements of a docstring's examples that can be read, without the text around them."""
    try:
        for example in doctest.DocTestParser().get_examples(text):
            yield ast.parse(example.source)
    except (ValueError, SyntaxError):
        return


def _literal(call: ast.Call, names: Sequence[str]) -> str:
    """The call's arguments by name as a literal; empty when one is no literal or has no name."""
    if len(call.args) > len(names):
        return ""
    given: dict[str | None, ast.expr] = dict(zip(names, call.args, strict=False))
    given.update((each.arg, each.value) for each in call.keywords)
    if not given or not given.keys() <= set(names):
        return ""
    try:
        text = repr({name: ast.literal_eval(value) for name, value in given.items()})
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return ""
    return text if len(text) <= MOST_CHARS else ""
