"""Literal arguments of ``setup()`` in a setup.py, read from its syntax tree; the file is never run."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.environment.reading import chosen_groups, for_tests, read_text

MISSING = object()


def read(tree: Path) -> dict[str, Any]:
    """What can be read without running the file; a note for what cannot."""
    text = read_text(tree / "setup.py")
    if text is None:
        return {}
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        return {"notes": (f"setup.py{f' line {line}' if line else ''} cannot be parsed and was left out.",)}
    names = _constants(module)
    call = next((node for node in ast.walk(module) if _is_setup(node)), None)
    if not isinstance(call, ast.Call):
        return {}
    given = {word.arg: _value(word.value, names) for word in call.keywords if word.arg}
    return _facts(given)


def _is_setup(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    function = node.func
    return (isinstance(function, ast.Name) and function.id == "setup") or (
        isinstance(function, ast.Attribute) and function.attr == "setup"
    )


def _constants(module: ast.Module) -> dict[str, Any]:
    """Module-level names with values that can be read."""
    names: dict[str, Any] = {}
    for node in module.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            value = _value(node.value, names)
            if value is not MISSING:
                names[node.targets[0].id] = value
    return names


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """Literals, known names, lists added together."""
    if isinstance(node, ast.Name):
        return names.get(node.id, MISSING)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _value(node.left, names), _value(node.right, names)
        return left + right if type(left) is type(right) and isinstance(left, (list, str, tuple)) else MISSING
    if isinstance(node, (ast.List, ast.Tuple)):
        return [value for item in node.elts if (value := _value(item, names)) is not MISSING]
    if isinstance(node, ast.Dict):
        pairs = ((key, _value(value, names)) for key, value in zip(node.keys, node.values, strict=True))
        return {
            key.value: value for key, value in pairs if isinstance(key, ast.Constant) and value is not MISSING
        }
    return node.value if isinstance(node, ast.Constant) else MISSING


def _facts(given: Mapping[str, Any]) -> dict[str, Any]:
    raw = given.get("extras_require")
    extras = raw if isinstance(raw, dict) else {}
    tests = [
        need for name in chosen_groups(map(str, extras)) for need in for_tests(name, _texts(extras[name]))
    ]
    unread = [name for name in ("install_requires", "extras_require") if given.get(name, None) is MISSING]
    notes = (f"setup.py computes {' and '.join(unread)}; those packages were not read.",) if unread else ()
    return {
        "name": _text(given.get("name")),
        "version": _text(given.get("version")),
        "requires_python": _text(given.get("python_requires")),
        "needs": tuple(_texts(given.get("install_requires"))),
        "test_needs": tuple(tests or _texts(given.get("tests_require"))),
        "entry_points": _entry_points(given.get("entry_points")),
        "notes": notes,
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [line.strip() for line in value.splitlines() if line.strip()]
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _entry_points(value: Any) -> dict[str, dict[str, str]]:
    found = {}
    for group, lines in (value if isinstance(value, dict) else {}).items():
        points = (line.partition("=") for line in _texts(lines))
        found[str(group)] = {name.strip(): target.strip() for name, _, target in points if target.strip()}
    return found
