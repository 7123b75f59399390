"""Poetry's own tables, said in standard requirements."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from engine.environment.reading import chosen_groups, for_tests, string, table


def read(project: Mapping[str, Any]) -> dict[str, Any]:
    main = table(project, "tool", "poetry")
    if not main:
        return {}
    groups = {name: table(value, "dependencies") for name, value in table(main, "group").items()}
    groups.setdefault("dev", table(main, "dev-dependencies"))
    python = table(main, "dependencies").get("python")
    return {
        "name": string(main.get("name")),
        "version": string(main.get("version")),
        "requires_python": specifier(python) if isinstance(python, str) else "",
        "needs": tuple(_needs(table(main, "dependencies"))),
        "test_needs": tuple(
            need for name in chosen_groups(groups) for need in for_tests(name, _needs(groups[name]))
        ),
        "entry_points": _entry_points(main),
    }


def _entry_points(main: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    groups = {"console_scripts": table(main, "scripts"), **table(main, "plugins")}
    found = {}
    for group, points in groups.items():
        if isinstance(points, dict) and points:
            found[group] = {str(k): v for k, v in points.items() if isinstance(v, str)}
    return found


def _needs(tables: Mapping[str, Any]) -> Iterator[str]:
    for name, value in tables.items():
        if name.lower() != "python":
            for item in value if isinstance(value, list) else [value]:
                yield from _one(name, item)


def _one(name: str, value: Any) -> Iterator[str]:
    """A version string or a table; packages from a path, git or an address are left out, as are optional ones."""
    if isinstance(value, str):
        yield f"{name}{specifier(value)}"
        return
    if not isinstance(value, dict) or value.get("optional") or {"path", "git", "url"} & value.keys():
        return
    extras = [extra for extra in value.get("extras", ()) if isinstance(extra, str)]
    marker = _marker(value)
    listed = f"[{','.join(extras)}]" if extras else ""
    yield f"{name}{listed}{specifier(str(value.get('version', '*')))}{f' ; {marker}' if marker else ''}"


def _marker(value: Mapping[str, Any]) -> str:
    words = []
    if isinstance(value.get("markers"), str):
        words.append(f"({value['markers']})")
    if isinstance(value.get("python"), str):
        parts = [part for part in specifier(value["python"]).split(",") if part]
        for part in parts:
            match = re.fullmatch(r"([<>=!~]+)(.+)", part)
            words += [f"python_full_version {match[1]} '{match[2]}'"] if match else []
    return " and ".join(words)


def specifier(text: str) -> str:
    """``^1.2`` and ``~1.2`` and ``1.2`` as standard version specifiers; the first of several alternatives."""
    first = re.sub(r"([<>=!~^])\s+", r"\1", text.split("||")[0].strip())
    parts = re.split(r"[,\s]+(?=[<>=!~^*\d])", first)
    return ",".join(piece for part in parts for piece in _piece(part.strip()) if piece)


def _piece(part: str) -> list[str]:
    part = re.sub(r"\s+", "", part)
    if part in ("", "*"):
        return []
    if part[0] == "^":
        return [f">={part[1:]}", f"<{_caret(part[1:])}"]
    if part[0] == "~" and not part.startswith("~="):
        return [f">={part[1:]}", f"<{_tilde(part[1:])}"]
    return [f"=={part}"] if part[0].isdigit() else [part]


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version.split("-")[0])][:3] or [0]


def _caret(version: str) -> str:
    """The next version that may break: the first part that is not zero counts up."""
    numbers = _numbers(version)
    for place, number in enumerate(numbers):
        if number or place == len(numbers) - 1:
            return ".".join(map(str, [*numbers[:place], number + 1]))
    return "1"


def _tilde(version: str) -> str:
    numbers = _numbers(version)
    return str(numbers[0] + 1) if len(numbers) == 1 else f"{numbers[0]}.{numbers[1] + 1}"
